"""A model by its name here or by its folder: what it is, how it makes vectors, whose it is, under which licence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from north.inference import bringing, catalogue
from north.inference.catalogue import MODELS, Model, Pooling, described
from north.inference.errors import ModelError
from north.inference.installed import sha256, where
from north.training.errors import BadBase

JUDGES = "ForSequenceClassification"


@dataclass(frozen=True, slots=True)
class Base:
    """`judges`: it is a cross-encoder with one logit; else an encoder, with its prefixes and pooling."""

    name: str
    folder: Path
    judges: bool
    config: Mapping[str, Any] = field(repr=False)
    licence: str = bringing.NOT_SAID
    languages: str = bringing.NOT_SAID
    context: int = 512
    query: str = ""
    passage: str = ""
    pooling: Pooling = "mean"

    @property
    def sha256(self) -> str:
        """Of its weights."""
        return ", ".join(sha256(path) for path in sorted(self.folder.glob("*.safetensors")))


def find(given: str, models_dir: Path, said: Mapping[str, Any] | None = None) -> Base:
    """`given`: the name of a model on this machine, or a folder with config.json, safetensors and tokenizer.json. `said`: pooling, query,
    passage or licence, where its files do not say them. Raises BadBase."""
    folder = Path(given).expanduser()
    if not folder.is_dir():
        if "/" in given or folder.suffix:
            raise BadBase(f"There is no folder {folder}.")
        return _known(given, models_dir)
    folder = folder.resolve()
    config = _config(folder)
    try:
        return _base(_spec(folder, judges(config), said or {}), folder, config)
    except ModelError as error:
        raise BadBase(str(error)) from error


def _known(name: str, models_dir: Path) -> Base:
    try:
        spec = catalogue.model(name, models_dir)
        if spec.role == "chat":
            raise BadBase(f"{name} is a model that writes. Give one that embeds or judges.")
        folder = where(name, models_dir)
    except ModelError as error:
        raise BadBase(f"{error} A folder with config.json, model.safetensors and tokenizer.json can be given, too.") from error
    return _base(spec, folder, _config(folder))


def _spec(folder: Path, cross: bool, said: Mapping[str, Any]) -> Model:
    if (folder / catalogue.DESCRIPTION).is_file() and not said:
        return described(folder / catalogue.DESCRIPTION)
    if known := next((one for one in MODELS if one.name == folder.name and (one.role == "score") == cross), None):
        return known
    return bringing.bring(folder, "score" if cross else "embed", said)


def _base(spec: Model, folder: Path, config: Mapping[str, Any]) -> Base:
    facts = {name: getattr(spec, name) for name in ("licence", "languages", "context", "query", "passage", "pooling")}
    return Base(spec.name, folder, judges(config), config, **facts)


def judges(config: Mapping[str, Any]) -> bool:
    return any(str(name).endswith(JUDGES) for name in config.get("architectures") or [])


def _config(folder: Path) -> Mapping[str, Any]:
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise BadBase(f"{folder} has no {name}. A model that can be trained or merged has config.json, model.safetensors and"
                          " tokenizer.json; one for processors alone (model.onnx) cannot.")  # fmt: skip
    if not any(folder.glob("*.safetensors")):
        raise BadBase(f"{folder} holds no weights in safetensors, from which a model can be trained or merged.")
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise BadBase(f"{folder / 'config.json'} is not JSON. Download it again.") from error
    if not isinstance(config, dict):
        raise BadBase(f"{folder / 'config.json'} is no object.")
    return config
