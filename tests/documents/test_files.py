"""Bytes on the disk: durable or not there."""

from __future__ import annotations

import errno
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from north.documents import files
from north.documents.errors import FileLost, StorageFull, disk, status_of
from north.documents.models import Document
from north.workspaces.models import Workspace
from retrieval.errors import EmptyFile, TooLarge, Unreadable
from retrieval.types import Parsed, Place, Word


class Failing(io.BytesIO):
    """A stream that fails after its first piece, as a disk or a sender may."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(b"x" * files.PIECE * 2)
        self.fault, self.pieces = fault, 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.pieces += 1
        if self.pieces > 1:
            raise self.fault
        return super().read(size)


def left(settings: Any) -> list[Path]:
    return [path for path in Path(settings.FILES_DIR).rglob("*") if path.is_file()]


def test_a_file_is_stored_under_its_sha256() -> None:
    data = b"some bytes" * 1000
    sha256, size = files.store(io.BytesIO(data), "w/d")
    assert (sha256, size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert files.check(f"w/d/{sha256}", sha256).read_bytes() == data


def test_the_same_file_twice_is_there_once(settings: Any) -> None:
    assert files.store(io.BytesIO(b"x"), "w/d") == files.store(io.BytesIO(b"x"), "w/d")
    assert len(left(settings)) == 1


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (io.BytesIO(b""), EmptyFile),
        (io.BytesIO(b"x" * 2_000_001), TooLarge),
        (Failing(OSError(errno.ENOSPC, "No space left on device")), StorageFull),
        (Failing(OSError(errno.EDQUOT, "Quota exceeded")), StorageFull),
        (Failing(OSError(errno.EIO, "I/O error")), OSError),
    ],
)
def test_a_fault_leaves_nothing_half_written(settings: Any, stream: Any, error: type[Exception]) -> None:
    settings.UPLOAD_MEGABYTES = 2
    with pytest.raises(error):
        files.store(stream, "w/d")
    assert left(settings) == []


def test_a_large_file_never_lies_in_memory(settings: Any) -> None:
    """It is read in pieces, and no further than the limit."""
    settings.UPLOAD_MEGABYTES = 3
    asked: list[int] = []

    class Endless(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            asked.append(size)
            return b"x" * size

    with pytest.raises(TooLarge):
        files.store(Endless(), "w/d")
    assert set(asked) == {files.PIECE}
    assert sum(asked) <= 3_000_000 + files.PIECE


@pytest.mark.parametrize("name", ["../outside", "w/../../outside", "/etc/passwd"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(FileLost):
        files.path_of(name)


def test_a_damaged_or_missing_file_is_lost() -> None:
    sha256, _size = files.store(io.BytesIO(b"x"), "w/d")
    files.path_of(f"w/d/{sha256}").write_bytes(b"y")
    with pytest.raises(FileLost):
        files.check(f"w/d/{sha256}", sha256)
    with pytest.raises(FileLost):
        files.check("w/d/none", sha256)


def test_what_was_read_is_kept_whole() -> None:
    words = (Word(0, 4, 1, (0.1, 0.2, 0.3, 0.4)),)
    parsed = Parsed("text 日本 \U0001f600", "text/plain", "Title", (Place(0, 4, "page", "1"),), words, 3, ("A note.",))
    files.write_layout("w/d/x.layout", parsed)
    assert files.read_layout("w/d/x.layout") == Parsed(parsed.text, "text/plain", "Title", parsed.places, (), 3, ("A note.",))
    assert files.read_words("w/d/x.layout") == list(words)


@rules(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_a_damaged_layout_is_lost_and_nothing_worse(data: bytes) -> None:
    files.write("w/d/y.layout", data)
    with pytest.raises(FileLost):
        files.read_layout("w/d/y.layout")


def test_only_the_current_revisions_files_stay(settings: Any) -> None:
    old, _size = files.store(io.BytesIO(b"old"), "w/d")
    new, _size = files.store(io.BytesIO(b"new"), "w/d")
    files.write_layout(f"w/d/{old}.layout", Parsed("old", "text/plain"))
    files.write_layout(f"w/d/{new}.layout", Parsed("new", "text/plain"))
    files.remove("w/d", but=new)
    assert {path.name for path in left(settings)} == {new, f"{new}.layout", f"{new}.layout.words"}
    files.remove("w/d")
    files.remove("w/d")
    assert left(settings) == []


def test_every_error_has_its_http_status() -> None:
    assert [status_of(error) for error in (StorageFull(), TooLarge("x", "y"), Unreadable(), ValueError())] == [507, 413, 422, 500]


@pytest.mark.django_db
def test_a_database_without_room_is_a_full_disk(workspace: Workspace) -> None:
    with pytest.raises(StorageFull), disk():
        raise OperationalError("database or disk is full")
    with pytest.raises(OperationalError), disk():
        raise OperationalError("database is locked")
    assert Document.objects.count() == 0
