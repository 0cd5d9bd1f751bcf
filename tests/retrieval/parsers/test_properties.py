from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import docx
import openpyxl
import pytest
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

from retrieval.parsers import parse
from retrieval.parsers.cleaning import Draft
from retrieval.parsers.languages import language_of
from retrieval.parsers.message import Malformed, pack, unpack
from retrieval.parsers.properties import describe, describe_by_archive, moment
from retrieval.types import Parsed
from tests.retrieval import files

MADE, CHANGED = datetime(2024, 3, 5, 9, 30, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)
META = (
    '<office:document-meta xmlns:office="o" xmlns:meta="m" xmlns:dc="d"><office:meta><meta:initial-creator>Anna Berg</meta:initial-creator>'
    "<dc:creator>Bo</dc:creator><meta:creation-date>2024-03-05T09:30:00</meta:creation-date><dc:date>2025-01-02T00:00:00.123</dc:date>"
    "</office:meta></office:document-meta>"
)


def saved(thing: object) -> bytes:
    out = BytesIO()
    thing.save(out)  # type: ignore[attr-defined]
    return out.getvalue()


def word() -> bytes:
    document = docx.Document()
    document.add_paragraph("Some words.")
    about = document.core_properties
    about.author, about.created, about.modified = "Anna Berg", MADE.replace(tzinfo=None), CHANGED.replace(tzinfo=None)
    return saved(document)


def slides() -> bytes:
    presentation = Presentation()
    presentation.slides.add_slide(presentation.slide_layouts[0]).shapes.title.text = "Some words"
    about = presentation.core_properties
    about.author, about.created, about.modified = "Anna Berg", MADE.replace(tzinfo=None), CHANGED.replace(tzinfo=None)
    return saved(presentation)


def sheet() -> bytes:
    workbook = openpyxl.Workbook()
    workbook.active.append(["Some words"])
    workbook.properties.creator, workbook.properties.created = "Anna Berg", MADE.replace(tzinfo=None)
    return files.replaced(saved(workbook), "docProps/core.xml", b"</cp:coreProperties>", b"</cp:coreProperties>")


def pdf() -> bytes:
    out = BytesIO()
    canvas = Canvas(out)
    canvas.setAuthor("Anna Berg")
    canvas.drawString(72, 700, "Some words")
    canvas.save()
    return out.getvalue()


def odt() -> bytes:
    data = BytesIO(files.odt("<text:p>Some words</text:p>"))
    with ZipFile(data, "a") as archive:
        archive.writestr("meta.xml", META)
    return data.getvalue()


MAIL = b"From: Anna Berg <anna@x.example>\nTo: b@x.example\nDate: Tue, 05 Mar 2024 10:30:00 +0100\nSubject: S\n\nSome words"
PAGE = (
    b'<html><head><meta name="author" content="Anna Berg"><meta property="article:published_time" content="2024-03-05T09:30:00Z">'
    b"<meta content='2025-01-02' property='article:modified_time'></head><body>Some words</body></html>"
)


@pytest.mark.parametrize(
    ("name", "data", "times"),
    [
        ("a.docx", word(), (MADE, CHANGED)),
        ("a.pptx", slides(), (MADE, CHANGED)),
        ("a.xlsx", sheet(), (MADE, None)),
        ("a.odt", odt(), (MADE, CHANGED)),
        ("a.eml", MAIL, (MADE, None)),
        ("a.html", PAGE, (MADE, CHANGED)),
        ("a.pdf", pdf(), None),
    ],
)
def test_a_file_says_who_wrote_it_and_when(name: str, data: bytes, times: tuple[datetime, datetime | None] | None) -> None:
    parsed = unpack(pack(parse(name, data)))
    assert parsed.author == "Anna Berg"
    if times is None:
        assert parsed.created_at and abs((datetime.now(UTC) - parsed.created_at).total_seconds()) < 86400
        return
    assert parsed.created_at == times[0]
    if times[1]:
        assert parsed.updated_at and parsed.updated_at.replace(microsecond=0) == times[1]


def test_a_file_that_says_nothing_leaves_it_open() -> None:
    for name, data in (("a.txt", b"words"), ("a.html", b"<p>words"), ("a.docx", files.docx([("Normal", "words")]))):
        parsed = parse(name, data)
        assert parsed.author == "", name
    assert parse("a.txt", b"words").created_at is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("D:20240305093000Z", MADE),
        ("D:20240305103000+01'00'", MADE),
        ("D:20240305043000-05'00", MADE),
        ("20240305093000", MADE),
        ("D:2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-03-05T09:30:00Z", MADE),
        ("2024-03-05 09:30", MADE),
        ("2024-03-05", datetime(2024, 3, 5, tzinfo=UTC)),
        ("Tue, 5 Mar 2024 04:30:00 -0500", MADE),
        (MADE.replace(tzinfo=None), MADE),
    ],
)
def test_times_are_read_as_files_say_them(said: object, expected: datetime) -> None:
    assert moment(said) == expected


@pytest.mark.parametrize(
    "said",
    [
        "",
        None,
        "D:20000101000000+00'00'",
        "1980-01-01",
        "2013-12-23T23:15:00Z",
        "soon",
        "D:20241399000000",
        "0001-01-01",
        "1601-01-01T00:00:00Z",
        "9999-12-31",
        "D:99999999999999",
        "1" * 5000,
        "\0",
        "D:",
    ],
)
def test_what_is_no_time_or_makes_no_sense_is_left_out(said: object) -> None:
    assert moment(said) is None


def test_names_are_cleaned_and_programs_are_no_authors() -> None:
    draft = Draft("text/plain")
    describe(draft, authors=[" Anna\u202e \n Berg", "python-docx", None, "Anna Berg", "Bo"], created="2025-01-01", updated="2024-01-01")
    assert draft.author == "Anna Berg; Bo"
    assert draft.updated_at == draft.created_at, "nothing is changed before it is made"
    describe(draft, authors=["x" * 5000])
    assert len(draft.author) == 200


def test_damaged_properties_say_nothing() -> None:
    draft = Draft("text/plain")
    entity = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x><creator>&a;</creator></x>'
    for content in ("<broken", entity, "<x>" + "<creator>a</creator>" * 200_000 + "</x>"):
        with ZipFile(BytesIO(files.archive({"docProps/core.xml": content}))) as archive:
            describe_by_archive(draft, archive)
        assert draft.author == "" and draft.created_at is None


def test_a_child_cannot_say_an_author_or_a_time_that_is_none() -> None:
    for author, created in (("a\nb", ""), ("x" * 2000, ""), ("a", "soon"), ("a", "2024-01-01T00:00:00")):
        packed = pack(Parsed("words", "text/plain", author=author))
        packed = packed.replace(b'"created_at": ""', f'"created_at": {created!r}'.replace("'", '"').encode())
        head = packed.index(b"{")
        size = packed.index(b"words", head) - head
        with pytest.raises(Malformed):
            unpack(size.to_bytes(4, "little") + packed[4:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The notice period is three months, and notice must be given in writing to the head of the department.", "en"),
        ("Die Kündigungsfrist beträgt drei Monate; die Kündigung muss schriftlich beim Vorgesetzten eingereicht werden.", "de"),
        ("Le préavis est de trois mois et la démission doit être remise par écrit au responsable du service.", "fr"),
        ("解約は書面で行います。期間は三ヶ月です。上長に提出してください。", "ja"),
        ("这是一个中文句子，关于合同的通知期。请以书面形式提交给部门负责人。", "zh"),
        ("यह हिन्दी में लिखा हुआ एक लम्बा वाक्य है जो नियमों के बारे में है।", "hi"),
        ("12 34 56; 78", ""),
        ("", ""),
        ("👩‍🚀🚀", ""),
        ("a" * 100_000, ""),
    ],
)
def test_the_language_of_a_text(text: str, expected: str) -> None:
    assert language_of(text) == expected
