from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from zipfile import ZipFile

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from retrieval.errors import NoText, Unreadable
from retrieval.parsers.slides import parse
from tests.retrieval import files


def test_each_slide_is_a_place_with_its_title_and_notes() -> None:
    parsed = parse(files.pptx([("Plan", "Grow\nfaster", "Say it slowly."), ("Costs", "Two millions", "")]))
    assert parsed.text == "Plan\n\nGrow\nfaster\n\nNotes: Say it slowly.\n\nCosts\n\nTwo millions\n"
    slides = [(place.label, parsed.text[place.start : place.end]) for place in parsed.places if place.kind == "slide"]
    assert slides == [("1", "Plan\n\nGrow\nfaster\n\nNotes: Say it slowly.\n"), ("2", "Costs\n\nTwo millions\n")]
    assert [place.label for place in parsed.places if place.kind == "heading"] == ["Plan", "Costs"]
    assert parsed.title == "Plan"


def test_tables_and_charts_become_lines() -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for row, cells in enumerate([["City", "Staff"], ["Bonn", "12"]]):
        for column, cell in enumerate(cells):
            table.cell(row, column).text = cell
    data = CategoryChartData()
    data.categories = ["2025", "2026"]
    data.add_series("Sales", (1.5, 2))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), data)
    out = BytesIO()
    presentation.save(out)
    drawn = out.getvalue()
    chart = next(name for name in ZipFile(BytesIO(drawn)).namelist() if name.startswith("ppt/charts/"))
    text = parse(files.replaced(drawn, chart, b"barChart", b"bar3DChart")).text
    assert text == parse(drawn).text
    assert "City | Staff\nBonn | 12\n" in text
    assert "Sales: 2025: 1.5; 2026: 2\n" in text


def test_slides_without_words_have_no_text() -> None:
    with pytest.raises(NoText, match="pictures"):
        parse(files.pptx([("", "", "")]))


def test_a_damaged_presentation_is_unreadable() -> None:
    data = files.pptx([("Plan", "Grow", "")])
    with pytest.raises(Unreadable):
        parse(files.replaced(data, "ppt/slides/slide1.xml", b"<p:cSld>", b"<p:cSld"))
    with pytest.raises(Unreadable):
        parse(files.replaced(data, "ppt/_rels/presentation.xml.rels", b"slides/slide1.xml", b"slides/gone.xml"))


def test_entities_of_a_presentation_are_not_expanded() -> None:
    doctype = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><p:sld '
    data = files.replaced(files.pptx([("Plan", "Grow", "")]), "ppt/slides/slide1.xml", b"<p:sld ", doctype)
    data = files.replaced(data, "ppt/slides/slide1.xml", b"Grow", b"Grow&f;")
    with suppress(Unreadable):
        assert "root:" not in parse(data).text
