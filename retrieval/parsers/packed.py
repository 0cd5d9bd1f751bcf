"""Archives (zip, tar, gzip, bzip2, xz): the list of their files, each of which is a document of its own. Nothing is written to the disk.

Bombs end at a limit on bytes that is counted while it is unpacked, whatever the directory says; names that lead out of the archive lose
what leads out; links, devices and encrypted members are left out, and what no parser reads is not taken in.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import IO, Any, Final

from retrieval.errors import EmptyFile, Encrypted, ParseError, TooLarge, UnknownType, Unreadable
from retrieval.parsers.archives import BROKEN, open_archive
from retrieval.parsers.cleaning import Draft, one_line
from retrieval.parsers.names import clean_folder, clean_name
from retrieval.parsers.sniffing import sniff
from retrieval.types import Attached, Parsed

MAX_UNPACKED: Final = 100_000_000
MAX_FILES: Final = 1000
MAX_MEMBERS: Final = 20_000
PIECE: Final = 1 << 20
DAMAGED: Final = (*BROKEN, tarfile.TarError, lzma.LZMAError, zlib.error, UnicodeError)
OPENERS: Final[dict[bytes, Callable[[IO[bytes]], Any]]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
IGNORED: Final = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")

Member = tuple[str, IO[bytes] | None]
"""A path in the archive and its bytes; None where they are encrypted."""


def parse_zip(data: bytes) -> Parsed:
    archive = open_archive(data, sealed=True)
    members = archive.infolist()
    if members and all(member.flag_bits & 1 for member in members if not member.is_dir()):
        raise Encrypted
    return _parsed(
        "application/zip", ((one.filename, None if one.flag_bits & 1 else archive.open(one)) for one in members if not one.is_dir())
    )


def parse_tar(data: bytes) -> Parsed:
    """A tar file, packed or not; or one file that is packed alone."""
    stream = next((opens(BytesIO(data)) for magic, opens in OPENERS.items() if data.startswith(magic)), BytesIO(data))
    try:
        is_tar = tarfile.is_tarfile(stream)  # type: ignore[arg-type]  # any file that can be read and sought
        stream.seek(0)
    except DAMAGED as error:
        raise Unreadable("its archive is damaged") from error
    return _parsed("application/x-tar", _of_tar(stream) if is_tar else iter([("content", stream)]))  # type: ignore[arg-type]


def _of_tar(stream: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            if member.isfile():
                yield member.name, archive.extractfile(member)


def _parsed(media_type: str, members: Iterator[Member]) -> Parsed:
    draft, unread, unpacked, count = Draft(media_type), 0, 0, 0
    try:
        for path, stream in members:
            count += 1
            if count > MAX_MEMBERS:
                raise TooLarge("The archive holds very many files", f"{MAX_MEMBERS:,}")
            if any(path.startswith(name) or path.endswith(name) for name in IGNORED):
                continue
            content = _content(stream, MAX_UNPACKED - unpacked) if stream else b""
            unpacked += len(content)
            draft.line(f"- {one_line(path)[:300]}")
            if content and len(draft.attached) < MAX_FILES and (attached := _attached(path, content)):
                draft.attached.append(attached)
            else:
                unread += 1
    except DAMAGED as error:
        raise Unreadable("its archive is damaged") from error
    if unread:
        draft.note(f"{unread} of {count} files in the archive were left out: empty, encrypted, of a kind that cannot be read, or too many.")
    return draft.parsed(nothing="the archive is empty")


def _content(stream: IO[bytes], most: int) -> bytes:
    pieces, size = list[bytes](), 0
    while piece := stream.read(PIECE):
        size += len(piece)
        if size > most:
            raise TooLarge("The archive unpacks to very much", f"{MAX_UNPACKED // 1_000_000} MB")
        pieces.append(piece)
    return b"".join(pieces)


def _attached(path: str, content: bytes) -> Attached | None:
    """The member as a file; None where nothing here reads its kind. What is encrypted or broken says so itself."""
    name = clean_name(path)
    try:
        sniff(name, content)
    except (UnknownType, EmptyFile):
        return None
    except ParseError:
        pass
    return Attached(name, content, "/".join(clean_folder(str(PurePosixPath(path.replace("\\", "/")).parent))))
