"""The files of a Git commit, out of the pack that a server sent. Only for the child process: what is packed may unpack to anything.

Dulwich unpacks, into a folder that the parent has made and removes; the files go into one file of frames there: a line of JSON (path, sha,
bytes, and `left` where the contents were left out: "large", or "lfs"), then the contents.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import IO, Any, Final

from dulwich.errors import ChecksumMismatch, NotGitRepository, ObjectFormatException
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, Tree

from retrieval.errors import TooLarge, Unreadable

FRAMES: Final = "frames"
MOST_OBJECTS: Final = 1_000_000
MOST_FILES: Final = 200_000
DEEPEST: Final = 100
LFS: Final = b"version https://git-lfs.github.com/spec/"
BROKEN: Final = (
    *(NotGitRepository, ObjectFormatException, ChecksumMismatch),
    *(ValueError, LookupError, EOFError, AssertionError, BufferError, zlib.error),
)
"""What Dulwich raises over bytes that make no sense."""


def unpack(data: bytes, request: Mapping[str, Any]) -> bytes:
    """The number of the files, in words; they lie in `folder`. Raises Unreadable, TooLarge."""
    if int.from_bytes(data[8:12], "big") > MOST_OBJECTS:
        raise TooLarge("The repository has very many objects", f"{MOST_OBJECTS:,}")
    folder, count = Path(request["folder"]), 0
    with (folder / FRAMES).open("wb") as frames:
        try:
            for path, blob in files(stored(data, folder), request["commit"]):
                _write(frames, path, blob, request["most"])
                count += 1
        except BROKEN as error:
            raise Unreadable("no Git repository, or only a part of one") from error
    return str(count).encode()


def stored(data: bytes, folder: Path) -> Any:
    (folder / "store").mkdir()
    store = DiskObjectStore.init(str(folder / "store"))
    pack, commit, abort = store.add_pack()
    try:
        pack.write(data)
        commit()
    finally:
        if not pack.closed:
            abort()
    return store


def files(store: Any, commit: str) -> Iterator[tuple[str, Any]]:
    """Path and blob; links and modules of other repositories are none."""
    count, waiting = 0, [("", _read(store, commit, Commit).tree)]
    while waiting:
        around, tree = waiting.pop()
        for name, mode, sha in _read(store, tree.decode(), Tree).iteritems():
            path = f"{around}/{name.decode(errors='replace')}".lstrip("/")
            count += 1
            if S_ISDIR(mode):
                waiting.append((path, sha))
            elif S_ISREG(mode):
                yield path, _read(store, sha.decode(), Blob)
        if count > MOST_FILES or around.count("/") > DEEPEST:
            raise TooLarge("The repository has very many files", f"{MOST_FILES:,} files, {DEEPEST} folders inside each other")


def _read(store: Any, sha: str, kind: type[Any]) -> Any:
    found = store[sha.encode()]
    if not isinstance(found, kind):
        raise Unreadable("a commit that is none")
    return found


def _write(frames: IO[bytes], path: str, blob: Any, most: int) -> None:
    data = blob.data
    left = "large" if len(data) > most else "lfs" if data.startswith(LFS) else ""
    frames.write(json.dumps({"path": path, "sha": blob.id.decode(), "bytes": len(data), "left": left}).encode() + b"\n")
    if not left:
        frames.write(data)
