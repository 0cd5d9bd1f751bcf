"""PowerPoint: each slide is a place; its title is a heading, table rows are lines "a | b | c", the speaker's notes come last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, Final

from lxml.etree import LxmlError
from pptx import Presentation
from pptx.exc import PythonPptxError
from pptx.shapes.base import BaseShape
from pptx.slide import Slide

from retrieval.errors import Unreadable
from retrieval.parsers.archives import check_archive
from retrieval.parsers.cleaning import Draft
from retrieval.parsers.properties import describe
from retrieval.types import Parsed

PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
MAX_DEPTH: Final = 20


def parse(data: bytes) -> Parsed:
    check_archive(data)
    draft = Draft(PPTX)
    try:
        presentation = Presentation(BytesIO(data))
        for number, slide in enumerate(presentation.slides, start=1):
            _write_slide(draft, number, slide)
    except (PythonPptxError, LxmlError, AttributeError, KeyError, ValueError) as error:
        raise Unreadable("its slides could not be found in it") from error
    about = presentation.core_properties
    describe(draft, authors=[about.author], created=about.created, updated=about.modified)
    if about.title not in ("", "PowerPoint Presentation"):
        draft.title = about.title
    return draft.parsed(nothing="its slides hold pictures only, or nothing")


def _write_slide(draft: Draft, number: int, slide: Slide) -> None:
    draft.paragraph()
    draft.close_section()
    start = draft.length
    title = slide.shapes.title
    if title is not None and title.has_text_frame and title.text_frame.text.strip():
        draft.heading(title.text_frame.text, 1)
        draft.title = draft.title or title.text_frame.text
    for shape in _flat(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            _write_shape(draft, shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        if notes:
            draft.paragraph(f"Notes: {notes}")
    draft.place("slide", str(number), start, draft.length)


def _flat(shapes: Iterable[BaseShape], depth: int = 0) -> Iterator[BaseShape]:
    for shape in shapes:
        inner = getattr(shape, "shapes", None)
        if inner is not None and depth < MAX_DEPTH:
            yield from _flat(inner, depth + 1)
        else:
            yield shape


def _write_shape(draft: Draft, shape: Any) -> None:
    if shape.has_text_frame:
        if shape.text_frame.text.strip():
            draft.paragraph(shape.text_frame.text.strip())
    elif getattr(shape, "has_table", False):
        start = draft.paragraph()[0]
        for row in shape.table.rows:
            texts = [" ".join(cell.text.split()) for cell in row.cells if not cell.is_spanned]
            if any(texts):
                draft.line(" | ".join(texts))
        draft.table(start)
    elif getattr(shape, "has_chart", False):
        _write_chart(draft, shape.chart)
    elif description := _description(shape):
        draft.paragraph(description)


def _write_chart(draft: Draft, chart: Any) -> None:
    """Each series with its values, from the chart's own copy of them."""
    space = chart._chartSpace
    draft.paragraph(" ".join(str(text) for text in space.xpath("./c:chart/c:title//a:t/text()")))
    for series in space.xpath(".//c:ser"):
        name = " ".join(str(text) for text in series.xpath("./c:tx//c:v/text()"))
        labels = series.xpath("./c:cat//c:pt/c:v/text() | ./c:xVal//c:pt/c:v/text()")
        values = series.xpath("./c:val//c:pt/c:v/text() | ./c:yVal//c:pt/c:v/text()")
        pairs = (": ".join(pair) for pair in zip(labels, values, strict=True)) if len(labels) == len(values) else values
        draft.line(f"{name}: {'; '.join(pairs)}")


def _description(shape: Any) -> str:
    """What the author wrote about a picture."""
    found = shape._element.xpath(".//p:cNvPr/@descr")
    return str(found[0]).strip() if found else ""
