from __future__ import annotations

import struct
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from retrieval.errors import Encrypted, TooLarge, Unreadable
from retrieval.parsers.archives import MAX_FILES, check_archive, open_archive
from tests.retrieval.files import archive


def test_an_honest_archive_passes() -> None:
    check_archive(archive({"a.xml": "<a/>" * 1000, "b/c.txt": "words"}))


def test_a_bomb_is_known_by_its_directory() -> None:
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as target, target.open("bomb.xml", "w", force_zip64=True) as stream:
        for _ in range(60):
            stream.write(bytes(1_000_000))
    with pytest.raises(TooLarge, match="unpacks"):
        open_archive(out.getvalue())


def test_a_bomb_that_lies_about_its_size_is_found_out() -> None:
    data = bytearray(archive({"a.xml": bytes(30_000_000)}))
    real, small = struct.pack("<I", 30_000_000), struct.pack("<I", 100)
    assert data.count(real) == 2
    with pytest.raises(Unreadable, match="damaged"):
        check_archive(bytes(data.replace(real, small)))


def test_too_many_files_are_refused() -> None:
    with pytest.raises(TooLarge, match="files"):
        open_archive(archive({f"{number}": "" for number in range(MAX_FILES + 1)}))


def test_a_locked_archive_is_said_to_be_encrypted() -> None:
    data = bytearray(archive({"a.xml": "words"}))
    data[data.rindex(b"PK\1\2") + 8] |= 1
    with pytest.raises(Encrypted):
        open_archive(bytes(data))


@pytest.mark.parametrize("cut", [30, 100, -10])
def test_a_cut_archive_is_unreadable(cut: int) -> None:
    with pytest.raises(Unreadable):
        check_archive(archive({"a.xml": "words " * 1000})[:cut])
