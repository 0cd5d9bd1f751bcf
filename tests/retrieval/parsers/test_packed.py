from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from retrieval.errors import NoText, TooLarge, Unreadable
from retrieval.parsers import packed, parse
from tests.retrieval import files

MEMBERS = {"notes/leave.txt": b"Thirty days.", "../../etc/rules.md": b"# Rules", "a/b/x.bin": b"\0\1\2", "__MACOSX/leave.txt": b"x"}


def tar(members: dict[str, bytes], mode: str = "w", *, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
        if link:
            about = tarfile.TarInfo("link.txt")
            about.type, about.linkname = tarfile.SYMTYPE, link
            archive.addfile(about)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", files.archive(MEMBERS)),
        ("a.tar", tar(MEMBERS, link="/etc/passwd")),
        ("a.tar.gz", tar(MEMBERS, "w:gz")),
        ("a.tbz2", tar(MEMBERS, "w:bz2")),
        ("a.txz", tar(MEMBERS, "w:xz")),
    ],
)
def test_an_archives_files_come_out_with_names_that_lead_nowhere(name: str, data: bytes) -> None:
    parsed = parse(name, data)
    assert [(one.folder, one.name, one.data) for one in parsed.attached] == [
        ("notes", "leave.txt", b"Thirty days."),
        ("etc", "rules.md", b"# Rules"),
    ]
    assert parsed.text.split("\n")[:2] == ["- notes/leave.txt", "- ../../etc/rules.md"]
    assert parsed.notes == ("1 of 4 files in the archive were left out: empty, encrypted, of a kind that cannot be read, or too many.",)


def test_a_file_that_is_packed_alone_comes_out() -> None:
    assert [(one.name, one.data) for one in parse("a.txt.gz", gzip.compress(b"Thirty days.")).attached] == [("content", b"Thirty days.")]
    assert parse("a.pdf.bz2", bz2.compress(files.pdf(["words"]))).attached[0].data.startswith(b"%PDF")


def bomb() -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for number in range(11):
            archive.writestr(f"{number}.txt", bytes(10_000_000))
    return out.getvalue()


@pytest.mark.parametrize("data", [bomb(), gzip.compress(b"x" * (packed.MAX_UNPACKED + 1), 1)])
def test_a_bomb_is_refused(data: bytes) -> None:
    with pytest.raises(TooLarge):
        parse("a.zip" if data.startswith(b"PK") else "a.gz", data)


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("a.zip", files.archive({}), NoText),
        ("a.zip", files.archive(MEMBERS)[:-30], Unreadable),
        ("a.tar.gz", gzip.compress(tar(MEMBERS))[:-40], Unreadable),
        ("a.tar", b"no tar", Unreadable),
    ],
)
def test_a_broken_archive_is_refused(name: str, data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse(name, data)
