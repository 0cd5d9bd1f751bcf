"""OpenDocument texts and slides (odt, odp): headings become places, table rows lines "a | b | c".

Not by kreuzberg, which loses what stands in spans and in the lists of table cells.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final
from zipfile import ZipFile

from lxml import etree

from retrieval.errors import Unreadable
from retrieval.parsers.archives import check_archive
from retrieval.parsers.cleaning import SPACES, Draft
from retrieval.parsers.properties import describe_by_archive
from retrieval.types import Parsed

ODT: Final = "application/vnd.oasis.opendocument.text"
ODP: Final = "application/vnd.oasis.opendocument.presentation"
TEXT: Final = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE: Final = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
DRAW: Final = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
SPACE_MARKS: Final = frozenset((f"{TEXT}s", f"{TEXT}tab", f"{TEXT}line-break"))
LEFT_OUT: Final = frozenset((f"{TEXT}tracked-changes", f"{OFFICE}annotation", f"{TEXT}hidden-text", f"{TEXT}note-citation"))


def parse(data: bytes) -> Parsed:
    return _parse(data, Draft(ODT))


def parse_slides(data: bytes) -> Parsed:
    return _parse(data, Draft(ODP))


def _parse(data: bytes, draft: Draft) -> Parsed:
    check_archive(data)
    with ZipFile(BytesIO(data)) as archive:
        try:
            root = etree.fromstring(archive.read("content.xml"), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        except (KeyError, etree.XMLSyntaxError) as error:
            raise Unreadable("its content is damaged") from error
        describe_by_archive(draft, archive)
    _write(draft, root)
    return draft.parsed()


def _write(draft: Draft, root: etree._Element) -> None:
    """One walk; paragraphs inside a table are written with their row, those inside a note or a frame where their anchor stands."""
    walk = etree.iterwalk(root, events=("start", "end"))
    table = 0
    for event, element in walk:
        if event == "end":
            if element.tag == f"{TABLE}table":
                draft.table(table)
        elif element.tag in LEFT_OUT:
            walk.skip_subtree()
        elif element.tag == f"{TEXT}h":
            draft.title = draft.title or _words(element)
            draft.heading(_words(element), _level(element))
            walk.skip_subtree()
        elif element.tag == f"{TEXT}p":
            draft.paragraph(_words(element))
            walk.skip_subtree()
        elif element.tag == f"{TABLE}table-row":
            cells = [_words(cell) for cell in element.iterchildren(f"{TABLE}table-cell")]
            draft.line(" | ".join(cells) if any(cells) else "")
            walk.skip_subtree()
        elif element.tag in (f"{TABLE}table", f"{TEXT}list", f"{DRAW}page"):
            table = draft.paragraph()[0]


def _level(heading: etree._Element) -> int:
    said = heading.get(f"{TEXT}outline-level", "")
    return min(int(said), 9) if said.isdecimal() else 0


def _words(element: etree._Element) -> str:
    """All words in an element, on one line."""
    pieces: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walk:
        if event == "start" and inner.tag in LEFT_OUT:
            walk.skip_subtree()
        elif event == "start":
            block = inner.tag in SPACE_MARKS or inner.tag in (f"{TEXT}p", f"{TEXT}h", f"{TABLE}table-cell")
            pieces.append((" " if block else "") + (inner.text or "" if isinstance(inner.tag, str) else ""))
        elif inner is not element:
            pieces.append(inner.tail or "")
    return SPACES.sub(" ", "".join(pieces)).strip()
