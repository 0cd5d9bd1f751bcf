"""A folder of the server and all folders in it, if an administrator allows it. Knows no document and no database.

Links are followed to files inside the folder only, and to folders not at all (what they hold is listed where it lies). Hidden files and
the lock files of office programs are no documents and are passed over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from retrieval.errors import SourceMissing, SourceNotAllowed, SourceUnreadable
from retrieval.types import Cursor, Item, Skipped, Unchanged

MAX_BYTES: Final = 200_000_000
NO_DOCUMENTS: Final = (".", "~$", ".~lock.")

State = list[int]
"""A file's time of change in nanoseconds and its size: the same state means unchanged."""


def fetch(config: Mapping[str, object], cursor: Mapping[str, object] | None = None) -> Iterator[Item | Unchanged | Skipped | Cursor]:
    """Every file of the folder, by its path in it (`external_id`, with "/").

    config: `path`, the folder; `roots`, the absolute folders it must lie in; `max_bytes` of one file (200 MB). The cursor holds the files
    and their states: those are said to be Unchanged and are not read. Raises SourceNotAllowed, SourceMissing, SourceUnreadable.
    """
    root = _allowed(str(config.get("path") or ""), config.get("roots"))
    max_bytes = config.get("max_bytes", MAX_BYTES)
    known = (cursor or {}).get("files")
    listing = _Listing(root, known if isinstance(known, dict) else {}, max_bytes if isinstance(max_bytes, int) else MAX_BYTES)
    yield from listing.files()
    yield Cursor({"files": listing.states}, complete=listing.complete)


def _allowed(path: str, roots: object) -> Path:
    """The folder, resolved; it must be inside one of the roots, resolved too."""
    given = roots if isinstance(roots, (list, tuple)) else []
    allowed = [Path(root).resolve() for root in given if isinstance(root, str) and root.startswith("/")]
    if not path.startswith("/") or "\0" in path:
        raise SourceNotAllowed(path, "Give the whole path of a folder on the server, beginning with a slash.")
    try:
        folder = Path(path).resolve()
    except (OSError, RuntimeError) as error:
        raise SourceUnreadable(path, "it is a link that leads in a circle") from error
    if not any(folder.is_relative_to(root) for root in allowed):
        raise SourceNotAllowed(path)
    return folder


class _Listing:
    """One pass over a folder. `states` and `complete` are true once `files` has ended."""

    def __init__(self, root: Path, known: Mapping[str, object], max_bytes: int) -> None:
        self._root = root
        self._known = known
        self._max_bytes = max_bytes
        self.states: dict[str, State] = {}
        self.complete = True

    def files(self) -> Iterator[Item | Unchanged | Skipped]:
        waiting = [self._root]
        while waiting:
            folder = waiting.pop()
            try:
                entries = self._entries(folder)
            except OSError as error:
                self.complete = False
                name = self._id(folder)
                yield Skipped(name, name, f"The folder could not be listed ({error.strerror}). Its files stay as they were.")
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(folder / entry.name)
                else:
                    yield from self._file(folder / entry.name)

    def _entries(self, folder: Path) -> Sequence[os.DirEntry[str]]:
        """What lies in a folder. Raises SourceError where the folder is the source itself."""
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if folder != self._root:
                raise
            if isinstance(error, FileNotFoundError):
                raise SourceMissing(str(folder)) from error
            raise SourceUnreadable(str(folder), error.strerror or "unknown reason") from error
        if folder == self._root and not entries and self._known:
            raise SourceUnreadable(str(folder), f"it held {len(self._known)} files and is wholly empty now, as if it were not mounted")
        return [entry for entry in entries if not entry.name.startswith(NO_DOCUMENTS)]

    def _file(self, path: Path) -> Iterator[Item | Unchanged | Skipped]:
        name = self._id(path)
        try:
            path.name.encode()
            real = path.resolve(strict=True)
            about = real.stat()
        except UnicodeEncodeError:
            yield Skipped(name, name, "Its name is not valid Unicode. Rename the file.")
            return
        except (OSError, RuntimeError) as error:
            yield from self._skipped(name, path, f"It could not be read ({getattr(error, 'strerror', None) or 'a link in a circle'}).")
            return
        if reason := self._reason(path, real, about):
            yield from self._skipped(name, path, reason)
        elif self._known.get(name) == [about.st_mtime_ns, about.st_size]:
            self.states[name] = [about.st_mtime_ns, about.st_size]
            yield Unchanged(name)
        else:
            yield from self._read(name, path, real)

    def _reason(self, path: Path, real: Path, about: os.stat_result) -> str:
        """Why the file is not to be read, or nothing."""
        if not real.is_relative_to(self._root):
            return "It is a link that leads out of the folder."
        if path.is_symlink() and stat.S_ISDIR(about.st_mode):
            return "It is a link to a folder; what that holds is listed where it lies."
        if not stat.S_ISREG(about.st_mode):
            return "It is no file but a device or a connection."
        if about.st_size > self._max_bytes:
            return f"It has {about.st_size / 1_000_000:,.1f} MB; at most {self._max_bytes / 1_000_000:,.1f} MB are read. Split it."
        return ""

    def _read(self, name: str, path: Path, real: Path) -> Iterator[Item | Skipped]:
        """Reads the file that was looked at: if another took its place meanwhile, or it grows, it is left to the next pass."""
        try:
            handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                before = os.fstat(file.fileno())
                inside = Path(os.readlink(f"/proc/self/fd/{file.fileno()}")).is_relative_to(self._root)
                data = file.read(self._max_bytes + 1) if inside and stat.S_ISREG(before.st_mode) else b""
                after = os.fstat(file.fileno())
        except OSError as error:
            yield from self._skipped(name, path, f"It could not be read ({error.strerror}). Check its permissions.")
            return
        if not inside or (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or len(data) != after.st_size:
            yield from self._skipped(name, path, "It changed while it was read. It is read with the next pass.")
            return
        self.states[name] = [after.st_mtime_ns, after.st_size]
        yield Item(name, path.name, data, datetime.fromtimestamp(after.st_mtime, UTC), folder=name.rpartition("/")[0])

    def _skipped(self, name: str, path: Path, reason: str) -> Iterator[Skipped]:
        yield Skipped(name, path.name, reason)

    def _id(self, path: Path) -> str:
        """The path in the folder; what is no Unicode in it is shown as a mark."""
        return os.fsencode(path.relative_to(self._root).as_posix()).decode(errors="replace")
