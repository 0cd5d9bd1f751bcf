"""Texts of word processors (docx, doc, rtf), old slides (ppt) and Outlook's mails (msg), by kreuzberg's document tree: headings become
places, table rows lines "a | b | c"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from io import BytesIO
from itertools import groupby
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile

from kreuzberg import ConcurrencyConfig, ExtractionConfig, extract_bytes_sync
from kreuzberg.exceptions import KreuzbergError
from lxml import etree

from retrieval.errors import Encrypted, Unreadable
from retrieval.parsers.archives import check_archive
from retrieval.parsers.cleaning import Draft
from retrieval.parsers.names import clean_name
from retrieval.parsers.properties import describe
from retrieval.types import Parsed

DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
CONFIG: Final = ExtractionConfig(
    use_cache=False,
    enable_quality_processing=False,
    output_format="plain",
    include_document_structure=True,
    concurrency=ConcurrencyConfig(max_threads=1),
)
# Kreuzberg leaves the marks of bold, italic, struck and underlined words in table cells, as Markdown.
MARKS: Final = re.compile(r"(\*{2,3}|~~)(?=\S)([^*~\n]+?)(?<=\S)\1|(?<!\S)\*(?=\S)([^*\n]+?)(?<=\S)\*(?!\S)|</?u>")
WORD: Final = {"w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main"}
JUNK_TITLE: Final = re.compile(r"(?i)microsoft word\b|untitled|document\d*$|.*\.(docx?|odt|rtf)$")

Node = Mapping[str, Any]


def parse_docx(data: bytes) -> Parsed:
    check_archive(data)
    draft = Draft(DOCX)
    return _parse(_as_seen(data, draft), draft)


def parse_doc(data: bytes) -> Parsed:
    return _parse(data, Draft("application/msword"))


def parse_ppt(data: bytes) -> Parsed:
    return _parse(data, Draft("application/vnd.ms-powerpoint"))


def parse_msg(data: bytes) -> Parsed:
    """Its lines From, To and Date stand above its words, and what is attached, as far as it is text, below them."""
    draft = Draft("application/vnd.ms-outlook")
    result = _extracted(data, draft)
    said = result.metadata
    draft.title = str(said.get("subject") or "")
    describe(draft, authors=said.get("authors") or [said.get("from_name")], created=said.get("created_at"))
    draft.write(result.content)
    for child in result.children or ():
        if child["result"].content.strip() not in result.content:
            draft.heading(f"Attachment: {clean_name(child['path'])}")
            draft.line(child["result"].content)
    return draft.parsed()


def parse_rtf(data: bytes) -> Parsed:
    return _parse(data, Draft("application/rtf"))


def _extracted(data: bytes, draft: Draft) -> Any:
    try:
        return extract_bytes_sync(data, draft.media_type, config=CONFIG)
    except KreuzbergError as error:
        if re.search(r"encrypt|password", str(error), re.IGNORECASE):
            raise Encrypted from error
        raise Unreadable("its text could not be found in it") from error


def _parse(data: bytes, draft: Draft) -> Parsed:
    result = _extracted(data, draft)
    for node in (result.document or {"nodes": []})["nodes"]:
        _write(draft, node["content"])
    if draft.blank:
        draft.write(result.content)
    said = result.metadata
    describe(
        draft, authors=said.get("authors") or [said.get("created_by")], created=said.get("created_at"), updated=said.get("modified_at")
    )
    title = str(said.get("title") or "")
    if title and not JUNK_TITLE.match(title):
        draft.title = title
    return draft.parsed()


def _write(draft: Draft, content: Node) -> None:
    kind = content["node_type"]
    if kind == "heading":
        draft.title = draft.title or content["text"]
        draft.heading(content["text"], min(int(content.get("level") or 0), 9))
    elif kind == "table":
        _write_table(draft, content["grid"]["cells"])
    elif kind == "list_item":
        draft.line(f"- {content['text'].strip()}")
    elif kind == "image":
        if description := (content.get("description") or "").strip():
            draft.paragraph(description)
    elif text := content.get("text", "").strip():
        draft.paragraph(text)


def _write_table(draft: Draft, cells: list[dict[str, Any]]) -> None:
    start = draft.paragraph()[0]
    by_row: Callable[[dict[str, Any]], int] = lambda cell: cell["row"]  # noqa: E731
    for _, row in groupby(sorted(cells, key=by_row), key=by_row):
        texts = [" ".join(MARKS.sub(_unmarked, cell["content"]).split()) for cell in sorted(row, key=lambda cell: cell["col"])]
        if any(texts):
            draft.line(" | ".join(texts))
    draft.table(start)


def _unmarked(mark: re.Match[str]) -> str:
    return mark[2] or mark[3] or ""


def _as_seen(data: bytes, draft: Draft) -> bytes:
    """The same file without the words that Word itself does not show (`w:vanish`), and with what only a frame holds, a table of one cell,
    in its place: a table in it would be read as one line."""
    with ZipFile(BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name.startswith("word/") and name.endswith(".xml")}
        cut = {name: changed for name, xml in parts.items() if (changed := _part_as_seen(xml, draft)) is not None}
        if not cut:
            return data
        copy = BytesIO()
        with ZipFile(copy, "w", ZIP_STORED) as target:
            for name in archive.namelist():
                target.writestr(name, cut[name] if name in cut else archive.read(name))
    return copy.getvalue()


def _part_as_seen(xml: bytes, draft: Draft) -> bytes | None:
    """None: as it is."""
    hides = b"<w:vanish" in xml
    if not hides and b"<w:tbl>" not in xml:
        return None
    try:
        root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        if hides:
            raise Unreadable("its XML is damaged") from error
        return None
    hidden, framed = _take_out_hidden(root), _take_out_of_frames(root)
    if hidden:
        draft.note("Hidden text of the document was left out.")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True) if hidden or framed else None


def _take_out_hidden(root: Any) -> bool:
    found = root.xpath("//*[local-name()='r'][./*[local-name()='rPr']/*[local-name()='vanish'][not(@*[.='0' or .='false' or .='off'])]]")
    hidden = [run for run in found if "".join(run.itertext()).strip()]
    for run in hidden:
        run.getparent().remove(run)
    return bool(hidden)


def _take_out_of_frames(root: Any) -> bool:
    frames = root.xpath("//w:tbl[count(w:tr) = 1 and count(w:tr/w:tc) = 1 and not(w:sdt) and not(w:tr/w:sdt)]", namespaces=WORD)
    for frame in frames:
        (cell,) = frame.xpath("w:tr/w:tc", namespaces=WORD)
        for one in cell.xpath("*[not(self::w:tcPr)]", namespaces=WORD):
            frame.addprevious(one)
        frame.getparent().remove(frame)
    return bool(frames)
