"""The bytes of documents below `FILES_DIR`, each under our own ids: <workspace>/<document>/<sha256>, and beside it what was read of it.

What `store` returns is on the disk: written, synced, and renamed into its place; a fault on the way leaves nothing behind. Knows no
database.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from django.conf import settings

from north.documents.errors import FileLost, disk
from retrieval.errors import EmptyFile, TooLarge
from retrieval.types import Parsed, Place, Word

PIECE = 1 << 20
TIMES = ("created_at", "updated_at")


class Stream(Protocol):
    """Bytes that come a piece at a time."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, position: int, /) -> int: ...


def limit() -> int:
    """The most bytes that a file may have."""
    return settings.UPLOAD_MEGABYTES * 1_000_000


def path_of(name: str) -> Path:
    """`name`: as `Document.file_of` gives it, never a name from outside."""
    path = Path(settings.FILES_DIR, name)
    if not path.resolve().is_relative_to(Path(settings.FILES_DIR).resolve()):
        raise FileLost
    return path


def too_large(size: int) -> TooLarge:
    return TooLarge(f"The file has {size / 1e6:,.1f} MB", f"{settings.UPLOAD_MEGABYTES} MB")


def store(stream: Stream, folder: str) -> tuple[str, int]:
    """Writes the stream durably into `folder` under its sha256, a piece at a time. Returns the sha256 and the size in bytes.

    Raises EmptyFile, TooLarge, StorageFull."""
    digest, size = hashlib.sha256(), 0
    with disk(), _new_file() as (file, temporary):
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > limit():
                raise TooLarge("The file is too large", f"{settings.UPLOAD_MEGABYTES} MB")
            digest.update(piece)
            file.write(piece)
        if not size:
            raise EmptyFile
        _into_place(file, temporary, path_of(f"{folder}/{digest.hexdigest()}"))
    return digest.hexdigest(), size


def check(name: str, sha256: str) -> Path:
    """The path of a stored file whose bytes are what they were. Raises FileLost."""
    path = path_of(name)
    try:
        with path.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        raise FileLost from None
    if not intact:
        raise FileLost
    return path


def write_layout(name: str, parsed: Parsed) -> None:
    """Keeps what was read: the words' boxes first, in a file of their own, then text, places and notes: who finds these
    finds both."""
    words = [(word.start, word.end, word.page, [round(side, 5) for side in word.box]) for word in parsed.words]
    _write_json(f"{name}.words", words)
    places = [(place.start, place.end, place.kind, place.label, place.level) for place in parsed.places]
    said = {part: getattr(parsed, part) for part in ("text", "media_type", "title", "pages", "notes", "author", "language")}
    times = {part: at.isoformat() for part in TIMES if (at := getattr(parsed, part))}
    _write_json(name, {**said, **times, "places": places})


def read_layout(name: str) -> Parsed:
    """What `write_layout` kept, without the words. Raises FileLost."""
    values = _read_json(name)
    places = tuple(Place(*place) for place in values.pop("places"))
    times = {part: datetime.fromisoformat(values[part]) for part in TIMES if part in values}
    return Parsed(**{**values, **times, "notes": tuple(values["notes"])}, places=places)


def read_words(name: str) -> list[Word]:
    return [Word(start, end, page, tuple(box)) for start, end, page, box in _read_json(f"{name}.words")]


def write(name: str, data: bytes) -> None:
    """Writes a small file: whole, or not there."""
    with disk(), _new_file() as (file, temporary):
        file.write(data)
        _into_place(file, temporary, path_of(name))


def _write_json(name: str, values: Any) -> None:
    write(name, zlib.compress(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(), 1))


def _read_json(name: str) -> Any:
    try:
        return json.loads(zlib.decompress(path_of(name).read_bytes()))
    except (FileNotFoundError, zlib.error, ValueError):
        raise FileLost from None


def remove(folder: str, *, but: str = "") -> None:
    """Removes what lies in a document's folder, except what begins with `but`. What is gone already is no fault."""
    path = path_of(folder)
    if not but:
        shutil.rmtree(path, ignore_errors=True)
        return
    for file in path.glob("*"):
        if not file.name.startswith(but):
            file.unlink(missing_ok=True)


def folders() -> Iterator[tuple[str, float]]:
    """Every document's folder and its age in seconds, for whoever looks for those that no row knows."""
    for path in Path(settings.FILES_DIR).glob("*/*"):
        if path.parent.name != "new":
            yield f"{path.parent.name}/{path.name}", time.time() - path.stat().st_mtime


def remove_unfinished(*, seconds: float = 24 * 3600) -> None:
    """Removes what a killed process left half-written."""
    for path in Path(settings.FILES_DIR, "new").glob("*"):
        if time.time() - path.stat().st_mtime > seconds:
            path.unlink(missing_ok=True)


@contextmanager
def _new_file() -> Iterator[tuple[BinaryIO, Path]]:
    folder = Path(settings.FILES_DIR, "new")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / uuid.uuid4().hex
    try:
        with path.open("xb") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def _into_place(file: BinaryIO, temporary: Path, target: Path) -> None:
    """Synced before it is renamed, and the folder after it: from here on a power cut loses nothing."""
    file.flush()
    os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary.rename(target)
    for folder in (target.parent, target.parent.parent, Path(settings.FILES_DIR)):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
