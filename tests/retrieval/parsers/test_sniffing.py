from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import EmptyFile, Encrypted, ParseError, UnknownType, Unreadable
from retrieval.parsers import PARSERS, load, sniff
from tests.retrieval import files

OPENXML = "application/vnd.openxmlformats-officedocument"
DOCX = files.docx([("Normal", "words")])
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def stream(name: str) -> bytes:
    return COMPOUND + name.encode("utf-16-le")


@pytest.mark.parametrize("media_type", sorted(PARSERS))
def test_every_kind_has_its_parser(media_type: str) -> None:
    assert callable(load(PARSERS[media_type]))
    assert import_module(PARSERS[media_type].rpartition(".")[0]).__doc__


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("a.txt", b"words", "text/plain"),
        ("README", b"words", "text/plain"),
        ("a.md", b"# words", "text/markdown"),
        ("a.csv", b"a,b", "text/csv"),
        ("a.tsv", b"a\tb", "text/csv"),
        ("a.json", b"{}", "application/json"),
        ("a.yaml", b"a: 1", "application/yaml"),
        ("a.eml", b"From: a@b\n\nhi", "message/rfc822"),
        ("a.pdf", b"%PDF-1.7 ...", "application/pdf"),
        ("a.pdf", b"\n\n%PDF-1.7 ...", "application/pdf"),
        ("a.txt", b"%PDF-1.7 ...", "application/pdf"),
        ("a.pdf", b"<!DOCTYPE html><p>Sign in", "text/html"),
        ("a.txt", b"<!-- x --><!-- y -->\n<HTML>", "text/html"),
        ("a.htm", b"<p>words", "text/html"),
        ("a.html", "<html>".encode("utf-16"), "text/html"),
        ("a.rtf", b"{\\rtf1 words}", "application/rtf"),
        ("a.pdf", DOCX, f"{OPENXML}.wordprocessingml.document"),
        ("a.docx", DOCX, f"{OPENXML}.wordprocessingml.document"),
        ("a", files.pptx([("a", "b", "")]), f"{OPENXML}.presentationml.presentation"),
        ("a.bin", files.xlsx({"A": [["a"]]}), f"{OPENXML}.spreadsheetml.sheet"),
        ("a.odt", files.odt("<text:p>a</text:p>"), "application/vnd.oasis.opendocument.text"),
        ("a.epub", files.epub("a", ["<p>a"]), "application/epub+zip"),
        ("a.doc", stream("WordDocument"), "application/msword"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("a.ppt", stream("PowerPoint Document"), "application/vnd.ms-powerpoint"),
        ("a.msg", stream("__properties_version1.0"), "application/vnd.ms-outlook"),
        ("a.zip", files.archive({"a.txt": "words"}), "application/zip"),
        ("a.tar.gz", b"\x1f\x8b\x08", "application/x-tar"),
        ("a.xml", b"<?xml version='1.0'?><a/>", "application/xml"),
        ("a.txt", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.xls", stream("Workbook"), "application/vnd.ms-excel"),
    ],
)
def test_a_kind_is_told_by_its_bytes_and_else_by_its_name(name: str, data: bytes, media_type: str) -> None:
    assert sniff(name, data) == media_type


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("a.txt", b"", EmptyFile),
        ("a.docx", b"words", Unreadable),
        ("a.pdf", b"words", Unreadable),
        ("a.docx", DOCX[: len(DOCX) // 2], Unreadable),
        ("a.xlsx", stream("EncryptedPackage"), Encrypted),
        ("a.pages", files.archive({"a.txt": "words"}), UnknownType),
        ("a.heic", b"\0\0\0\x18ftypheic", UnknownType),
        ("a.png", b"no picture", Unreadable),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'>", UnknownType),
        ("a.txt", b"<svg onload=alert(1)>", UnknownType),
        ("a.txt", b"<?xml version='1.0'?><svg/>", UnknownType),
        ("a.exe", b"MZ...", UnknownType),
        ("a.vsd", stream("VisioDocument"), UnknownType),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, data: bytes, error: type[ParseError]) -> None:
    with pytest.raises(error):
        sniff(name, data)


def test_a_refusal_names_what_can_be_read() -> None:
    with pytest.raises(UnknownType, match=r"plan\.dwg.*PDF, Word"):
        sniff("../plan.dwg", b"AC1032")


@settings(deadline=None)
@given(st.text(max_size=30), st.binary(max_size=300))
def test_any_bytes_are_known_or_refused(name: str, data: bytes) -> None:
    try:
        assert sniff(name, data) in PARSERS
    except ParseError as error:
        assert str(error)


def test_an_opening_of_comments_takes_no_time() -> None:
    assert sniff("a.txt", b"<!-->" * 800 + b"x") == "text/plain"
    assert sniff("a.txt", b"<!---->" * 600 + b"x") == "text/plain"
