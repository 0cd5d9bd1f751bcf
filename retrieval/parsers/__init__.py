"""Which parser reads which kind of file, and how a kind is told. A parser is a function `parse(data: bytes) -> Parsed` of one file here.

Those of BY_WAY are `parse(data: bytes, way: Way)`.
The functions are named, not imported: the child process that reads a file (`child.py`) pays for the one library that it needs.
Every parser raises the leaves of ParseError for what a person can mend; whatever else it raises ends the child, and only the child.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from retrieval.parsers.sniffing import KNOWN, PICTURES, sniff
from retrieval.types import AS_USUAL, Parsed, Way

__all__ = ["BY_WAY", "KNOWN", "PARSERS", "load", "parse", "sniff"]

OPENXML: Final = "application/vnd.openxmlformats-officedocument"

PARSERS: Final[dict[str, str]] = {
    "text/plain": "retrieval.parsers.text.parse_plain",
    "text/markdown": "retrieval.parsers.text.parse_markdown",
    "application/json": "retrieval.parsers.text.parse_json",
    "application/yaml": "retrieval.parsers.text.parse_yaml",
    "text/html": "retrieval.parsers.html.parse",
    "text/csv": "retrieval.parsers.sheets.parse_csv",
    f"{OPENXML}.spreadsheetml.sheet": "retrieval.parsers.sheets.parse_xlsx",
    "application/vnd.ms-excel": "retrieval.parsers.sheets.parse_xls",
    "application/vnd.oasis.opendocument.spreadsheet": "retrieval.parsers.sheets.parse_ods",
    f"{OPENXML}.presentationml.presentation": "retrieval.parsers.slides.parse",
    f"{OPENXML}.wordprocessingml.document": "retrieval.parsers.office.parse_docx",
    "application/msword": "retrieval.parsers.office.parse_doc",
    "application/vnd.oasis.opendocument.text": "retrieval.parsers.opendocument.parse",
    "application/epub+zip": "retrieval.parsers.epub.parse",
    "application/rtf": "retrieval.parsers.office.parse_rtf",
    "application/pdf": "retrieval.parsers.pdf.parse",
    "application/vnd.oasis.opendocument.presentation": "retrieval.parsers.opendocument.parse_slides",
    "application/vnd.ms-powerpoint": "retrieval.parsers.office.parse_ppt",
    "application/vnd.ms-outlook": "retrieval.parsers.office.parse_msg",
    "application/zip": "retrieval.parsers.packed.parse_zip",
    "application/x-tar": "retrieval.parsers.packed.parse_tar",
    "application/xml": "retrieval.parsers.xml.parse",
    "message/rfc822": "retrieval.parsers.mail.parse",
    **dict.fromkeys(PICTURES, "retrieval.parsers.pictures.parse"),
}
BY_WAY: Final = {"application/pdf", *PICTURES}
"""Kinds that can be read in several ways, and drawn."""


def load(dotted: str) -> Callable[..., Any]:
    """The function of this name; its module is imported now."""
    module, _, name = dotted.rpartition(".")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def parse(name: str, data: bytes, way: Way = AS_USUAL) -> Parsed:
    """Reads the bytes by what they are. Only for the child process, and for what lies inside other files: it has no limits of its own."""
    return reader(sniff(name, data))(data, way)


def reader(media_type: str) -> Callable[[bytes, Way], Parsed]:
    """The parser of this kind, with its library loaded."""
    read = load(PARSERS[media_type])
    return read if media_type in BY_WAY else lambda data, way: read(data)
