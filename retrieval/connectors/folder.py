"""A folder of the server and all folders in it, if an administrator allows it. Knows no document and no database.

Links are followed to files inside the folder only, and to folders not at all (what they hold is listed where it lies). Hidden files and
the lock files of office programs are no documents and are passed over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from retrieval.connectors import posix
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, all_in
from retrieval.errors import ItemBroken, SourceMissing, SourceNotAllowed, SourceUnreadable
from retrieval.types import Cursor, Fetched, Item, Listing, Rights, Skipped

MAX_BYTES: Final = 200_000_000
NO_DOCUMENTS: Final = (".", "~$", ".~lock.")


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Every file of the folder, by its path in it (`external_id`, with "/"); a file's revision is its time of change and its size.

    config: `path`, the folder; `roots`, the absolute folders it must lie in; `max_bytes` of one file (200 MB); `domain` of the accounts'
    addresses. The cursor only counts the files. Raises SourceNotAllowed, SourceMissing, SourceUnreadable.
    """
    root = _allowed(str(config.get("path") or ""), config.get("roots"))
    max_bytes = config.get("max_bytes") or MAX_BYTES
    listing = _Listing(root, int((cursor or {}).get("count", 0)), max_bytes, outside)
    yield Listing()
    yield from listing.files()
    yield Listing("people")
    yield from posix.accounts(str(config.get("domain") or ""))
    yield from posix.members(listing.groups)
    yield Cursor({"count": listing.count}, complete=listing.complete)


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    root = _allowed(str(config.get("path") or ""), config.get("roots"))
    try:
        names = os.listdir(root)
    except FileNotFoundError as error:
        raise SourceMissing(str(root)) from error
    except OSError as error:
        raise SourceUnreadable(str(root), error.strerror or "unknown reason") from error
    yield Finding(True, f"The folder can be listed; {len(names):,} entries lie at its top.")
    closed = [name for name in names[:1000] if not os.access(root / name, os.R_OK)]
    if closed:
        yield Finding(False, f"{len(closed)} of them cannot be read by North, such as {closed[0]!r}. Give its system account the right to.")
    if not names:
        yield Finding(None, "It is empty. If it is a network share, check that it is mounted.")
    if not config.get("domain"):
        yield Finding(None, "Without the domain of the accounts, people are known only where somebody maps the accounts to them by hand.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """The folders in a folder of the source."""
    root = _allowed(str(config.get("path") or ""), config.get("roots"))
    folder = _allowed(str(root / path), [str(root)])
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(NO_DOCUMENTS))
    except OSError as error:
        raise SourceUnreadable(str(folder), error.strerror or "unknown reason") from error
    for name in names:
        yield Branch((folder / name).relative_to(root).as_posix(), name, patterns=all_in(name))


CONNECTOR: Final = Connector(
    title="Folder or network share",
    help="Files of a folder that the server can read, such as a mounted share, and of all folders in it.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    rights=True,
    settings=(
        Setting("path", "Folder on the server", "The whole path, beginning with a slash."),
        Setting(
            "domain",
            "Domain of the accounts' e-mail addresses",
            "If the account anna of this machine is the person with the address anna@example.com, write example.com. "
            "Only needed where documents are as open as their files.",
            required=False,
        ),
    ),
)


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
    """One pass over a folder. `count`, `groups` and `complete` are true once `files` has ended."""

    def __init__(self, root: Path, known: int, max_bytes: int, outside: Outside) -> None:
        self._root, self._known, self._max_bytes, self._outside = root, known, max_bytes, outside
        self.count = 0
        self.groups: set[str] = set()
        self.complete = True
        self._reached: dict[Path, Rights | None] = {}

    def files(self) -> Iterator[Item | Skipped]:
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
                    waiting += [] if self._outside.passes_over(self._id(folder / entry.name)) else [folder / entry.name]
                else:
                    yield self._file(folder / entry.name)

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
            raise SourceUnreadable(str(folder), f"it held {self._known} files and is wholly empty now, as if it were not mounted")
        return [entry for entry in entries if not entry.name.startswith(NO_DOCUMENTS)]

    def _file(self, path: Path) -> Item | Skipped:
        name = self._id(path)
        inside = name.rpartition("/")[0]
        self.count += 1
        try:
            path.name.encode()
            real = path.resolve(strict=True)
            about = real.stat()
        except UnicodeEncodeError:
            return Skipped(name, name, "Its name is not valid Unicode. Rename the file.")
        except (OSError, RuntimeError) as error:
            told = f"It could not be read ({getattr(error, 'strerror', None) or 'a link in a circle'})."
            return Skipped(name, path.name, told, inside)
        if reason := self._reason(path, real, about):
            return Skipped(name, path.name, reason, inside)
        rights = posix.both(posix.rights_of(str(real), about), self._around(real.parent))
        if real.parent != path.parent:
            rights = posix.both(rights, self._around(path.parent))
        self.groups.update(_groups(rights))
        modified = datetime.fromtimestamp(about.st_mtime, UTC)
        revision = f"{about.st_mtime_ns}-{about.st_size}"
        data = self._reader(real, revision)
        return Item(name, path.name, data, modified, rights, folder=inside, revision=revision, size=about.st_size)

    def _around(self, folder: Path) -> Rights | None:
        """Who may reach what is in a folder, by it and by all those around it in the source."""
        if folder not in self._reached:
            try:
                own = posix.rights_of(str(folder), folder.stat(), posix.ENTER)
            except OSError:
                own = None
            self._reached[folder] = own if folder == self._root else posix.both(own, self._around(folder.parent))
        return self._reached[folder]

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

    def _reader(self, real: Path, revision: str) -> Callable[[], bytes]:
        return lambda: self._read(real, revision)

    def _read(self, real: Path, revision: str) -> bytes:
        """Reads the file that was looked at: if another took its place meanwhile, or it grows, it is left to the next pass."""
        try:
            handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                before = os.fstat(file.fileno())
                inside = Path(os.readlink(f"/proc/self/fd/{file.fileno()}")).is_relative_to(self._root)
                data = file.read(self._max_bytes + 1) if inside and stat.S_ISREG(before.st_mode) else b""
                after = os.fstat(file.fileno())
        except OSError as error:
            raise ItemBroken(f"It could not be read ({error.strerror}). Check its permissions.") from error
        if not inside or f"{after.st_mtime_ns}-{after.st_size}" != revision or len(data) != after.st_size:
            raise ItemBroken("It changed while it was read. It is read with the next pass.")
        return data

    def _id(self, path: Path) -> str:
        """The path in the folder; what is no Unicode in it is shown as a mark."""
        return os.fsencode(path.relative_to(self._root).as_posix()).decode(errors="replace")


def _groups(rights: Rights | None) -> Iterable[str]:
    if rights:
        yield from rights.groups
        for outer in rights.within:
            yield from _groups(outer)
