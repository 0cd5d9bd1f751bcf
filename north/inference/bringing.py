"""A model that an operator brings: a folder as its makers give it, downloaded elsewhere. What it is, is read from its own files where these
say so; each file's checksum is taken here, and holds from then on. Copied and checked like any other by `pulling.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from north.inference.catalogue import DESCRIPTION, MODELS, SAFE, Model, composed, described
from north.inference.errors import NoModel
from north.inference.installed import STAMP, sha256

WEIGHTS = {".safetensors", ".gguf", ".onnx"}
LONGEST = 10_000_000
"""Tokens: a tokenizer without a bound of its own names a much larger number."""
NOT_SAID = "not said"


def bring(folder: Path, role: str, said: Mapping[str, Any]) -> Model:
    """The model in this folder, under the folder's name. `said`: words of a description that its files do not say, or say wrongly.

    One that carries a description is taken as that says. Raises NoModel, BadDescription.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise NoModel(f"There is no folder {folder}.")
    if any(known.name == folder.name for known in MODELS):
        raise NoModel(f"The catalogue has a model {folder.name} of its own. Give the folder another name.")
    if (folder / DESCRIPTION).is_file() and not said:
        return described(folder / DESCRIPTION)
    words = {"role": role, "title": folder.name, "licence": NOT_SAID, "languages": NOT_SAID, **_words(folder, role, said), **said}
    try:
        return composed(folder.name, {**words, "files": _files(folder)})
    except (ValueError, TypeError) as error:
        raise NoModel(f"{folder} cannot be used: {error}") from error


def _files(folder: Path) -> list[dict[str, Any]]:
    """What is safe of it; the rest stays where it is."""
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in SAFE and not path.name.startswith(".")]
    paths = [path for path in paths if path.name not in {DESCRIPTION, STAMP}]
    if not any(path.suffix in WEIGHTS for path in paths):
        raise NoModel(
            f"{folder} holds no weights in safetensors, GGUF or ONNX. Other formats (.bin, .pt) may hold programs and are not read."
        )
    return [{"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)} for path in paths]


def _words(folder: Path, role: str, said: Mapping[str, Any]) -> dict[str, Any]:
    config = _json(folder / "config.json")
    words: dict[str, Any] = {}
    if "context" not in said:
        words["context"] = _context(config, _json(folder / "tokenizer_config.json"))
    if role == "embed":
        prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
        words["query"], words["passage"] = prompts.get("query", ""), prompts.get("passage", prompts.get("document", ""))
        words["dimensions"] = said.get("dimensions") or config.get("hidden_size") or _lacking("its dimensions", "--dimensions")
        words["pooling"] = said.get("pooling") or _pooling(_json(folder / "1_Pooling" / "config.json"))
    return words


def _context(config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> int:
    places = int(config.get("max_position_embeddings") or LONGEST)
    if "roberta" in str(config.get("model_type")):  # its places are counted from behind the padding's number
        places -= int(config.get("pad_token_id") or 0) + 1
    context = min(places, int(tokenizer.get("model_max_length") or LONGEST))
    return context if context < LONGEST else _lacking("how many tokens it reads", "--context")


def _pooling(modes: Mapping[str, Any]) -> str:
    """As sentence-transformers notes it."""
    if modes.get("pooling_mode_cls_token"):
        return "cls"
    return (
        "mean"
        if modes.get("pooling_mode_mean_tokens")
        else _lacking("how its vectors come from its tokens", "--pooling mean or --pooling cls")
    )


def _lacking(what: str, option: str) -> Any:
    raise NoModel(f"The model's files do not say {what}. Look it up where the model is from, and say {option}.")


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise NoModel(f"{PurePosixPath(path)} is not JSON. Download it again.") from error
    return found if isinstance(found, dict) else {}
