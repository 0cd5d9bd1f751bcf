"""The models on this machine: `<models_dir>/<model>/<file>`, each checked against the catalogue before it is used.

A checksum takes seconds for a large file, so what was checked is noted beside it (size, time, inode) and checked anew when these change;
`verify` always reads every byte.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from north.inference.catalogue import Form, Model, model
from north.inference.errors import ModelBroken, ModelMissing

STAMP = "verified.json"


def installed(wanted: Model, models_dir: Path) -> bool:
    """Whether all its files are there, in the right size. Quick; `verify` is the proof."""
    paths = [(file, models_dir / wanted.name / file.name) for file in wanted.files]
    return all(path.is_file() and path.stat().st_size in {form.bytes for form in file.forms} for file, path in paths)


def where(name: str, models_dir: Path) -> Path:
    """The folder of a model whose files are right. Raises ModelMissing, ModelBroken, UnknownModel."""
    return _checked(model(name, models_dir), models_dir, again=False)


def verify(wanted: Model, models_dir: Path) -> Path:
    """The same, after reading every byte."""
    return _checked(wanted, models_dir, again=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def form_of(path: Path, forms: tuple[Form, ...]) -> Form | None:
    """Which of the forms this file is; None if it is none of them. Reads every byte."""
    if path.stat().st_size not in {form.bytes for form in forms}:
        return None
    digest = sha256(path)
    return next((form for form in forms if form.sha256 == digest), None)


def _checked(wanted: Model, models_dir: Path, *, again: bool) -> Path:
    folder = models_dir / wanted.name
    stamps = {} if again else _stamps(folder)
    for file in wanted.files:
        path = folder / file.name
        if not path.is_file():
            raise ModelMissing(wanted.name)
        if stamps.get(file.name) != _mark(path):
            if not form_of(path, file.forms):
                raise ModelBroken(wanted.name, str(path))
            stamps[file.name] = _mark(path)
    _note(folder, stamps)
    return folder


def _mark(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _stamps(folder: Path) -> dict[str, list[int]]:
    try:
        return json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return {}


def _note(folder: Path, stamps: dict[str, list[int]]) -> None:
    """On a read-only folder nothing is noted, and every start reads every byte."""
    if stamps == _stamps(folder):
        return
    try:
        (folder / STAMP).write_text(json.dumps(stamps))
    except OSError:
        return
