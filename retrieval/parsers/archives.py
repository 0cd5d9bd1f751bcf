"""Zip files that may be bombs: looked at before anything unpacks them. Knows nothing of what lies inside."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from retrieval.errors import Encrypted, TooLarge, Unreadable

MAX_FILES: Final = 10_000
MAX_UNPACKED: Final = 400_000_000
MAX_RATIO: Final = 100
RATIO_COUNTS_FROM: Final = 20_000_000
BROKEN: Final = (BadZipFile, EOFError, NotImplementedError, OSError, ValueError, struct.error, zlib.error)


def open_archive(data: bytes, *, sealed: bool = False) -> ZipFile:
    """The zip file in these bytes; `sealed`: members may be encrypted. Raises Unreadable, Encrypted, or TooLarge by what its directory
    says."""
    try:
        archive = ZipFile(BytesIO(data))
    except BROKEN as error:
        raise Unreadable("its zip archive is damaged") from error
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise TooLarge(f"The file's archive holds {len(entries):,} files", f"{MAX_FILES:,}")
    if not sealed and any(entry.flag_bits & 1 for entry in entries):
        raise Encrypted
    _weigh(sum(entry.file_size for entry in entries), len(data))
    return archive


def check_archive(data: bytes) -> None:
    """Unpacks everything once, in pieces, and keeps nothing: an archive that lies about its sizes is found out. Raises as open_archive."""
    archive, unpacked = open_archive(data), 0
    for entry in archive.infolist():
        unpacked += _unpacked_size(archive, entry)
        _weigh(unpacked, len(data))


def _unpacked_size(archive: ZipFile, entry: ZipInfo) -> int:
    """Bytes really in the entry. A stream longer than its directory says fails its checksum, so reading stops at the declared size."""
    size = 0
    try:
        with archive.open(entry) as stream:
            while piece := stream.read(1 << 20):
                size += len(piece)
    except BROKEN as error:
        raise Unreadable("its zip archive is damaged") from error
    return size


def _weigh(unpacked: int, packed: int) -> None:
    if unpacked > MAX_UNPACKED or (unpacked > RATIO_COUNTS_FROM and unpacked > packed * MAX_RATIO):
        raise TooLarge("The file unpacks to far more than its size", f"{MAX_UNPACKED // 1_000_000} MB, and {MAX_RATIO} times its size,")
