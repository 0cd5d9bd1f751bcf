"""Real files for tests, made by the libraries that people's programs use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from docx import Document
from openpyxl import Workbook
from PIL import Image, ImageDraw, ImageFont
from pptx import Presentation
from pypdfium2 import PdfDocument
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import SimpleDocTemplate, Table, TableStyle

ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
)


def pdf(*pages: Sequence[str], rotation: int = 0, crop: tuple[float, float, float, float] | None = None, password: str = "") -> bytes:
    """A4 pages with these lines of text, from the top."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, encrypt=StandardEncryption(password) if password else None)
    canvas.setTitle("A sample")
    for lines in pages:
        canvas.setFont("Helvetica", 12)
        for row, line in enumerate(lines):
            canvas.drawString(72, 760 - 20 * row, line)
        canvas.showPage()
    canvas.save()
    return _turned(out.getvalue(), rotation, crop) if rotation or crop else out.getvalue()


def _turned(data: bytes, rotation: int, crop: tuple[float, float, float, float] | None) -> bytes:
    document = PdfDocument(data)
    for page in document:
        page.set_rotation(rotation)
        if crop:
            page.set_cropbox(*crop)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def pdf_with_table(rows: Sequence[Sequence[str]]) -> bytes:
    out = BytesIO()
    table = Table([list(row) for row in rows], style=TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    SimpleDocTemplate(out, pagesize=A4).build([table])
    return out.getvalue()


def picture(*lines: str, turned: int = 0, kind: str = "PNG") -> bytes:
    """These lines, black on white, as a scanner that was fed askew by so many degrees gives them."""
    sheet = Image.new("L", (1200, 120 + 80 * len(lines)), "white")
    for row, line in enumerate(lines):
        ImageDraw.Draw(sheet).text((60, 60 + 80 * row), line, fill="black", font=ImageFont.load_default(44))
    out = BytesIO()
    sheet.rotate(turned, expand=True).save(out, kind)
    return out.getvalue()


def joined(*parts: bytes) -> bytes:
    """The pages of these PDFs in one."""
    whole = PdfDocument.new()
    for part in parts:
        whole.import_pages(PdfDocument(part))
    out = BytesIO()
    whole.save(out)
    return out.getvalue()


def pdf_of_scans(*scans: bytes) -> bytes:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for scan in scans:
        shown = Image.open(BytesIO(scan))
        scale = 500 / max(shown.size)
        canvas.drawImage(ImageReader(shown), 40, 300, shown.width * scale, shown.height * scale)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def pdf_of_pictures(pages: int = 1) -> bytes:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for _ in range(pages):
        canvas.drawImage(ImageReader(Image.new("RGB", (200, 100), "grey")), 72, 600)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def pdf_with_form(value: str) -> bytes:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    canvas.drawString(72, 760, "Name:")
    canvas.acroForm.textfield(name="name", x=120, y=750, width=200, height=24, value=value, fontSize=12)
    canvas.save()
    return out.getvalue()


def docx(parts: Iterable[tuple[str, object]]) -> bytes:
    """Parts: ("Heading 1", "words"), ("Normal", "words"), ("table", rows), ("hidden", "words")."""
    document = Document()
    for style, content in parts:
        if style == "table":
            rows = [list(row) for row in content]  # type: ignore[attr-defined]
            table = document.add_table(len(rows), len(rows[0]))
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    table.cell(row, column).text = cell
        elif style == "hidden":
            document.add_paragraph().add_run(str(content)).font.hidden = True
        else:
            document.add_paragraph(str(content), style=style)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def pptx(slides: Iterable[tuple[str, str, str]]) -> bytes:
    """Slides: title, body, speaker's notes."""
    presentation = Presentation()
    for title, body, notes in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    out = BytesIO()
    presentation.save(out)
    return out.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], hidden: str = "") -> bytes:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    if hidden:
        workbook[hidden].sheet_state = "hidden"
    out = BytesIO()
    workbook.save(out)
    return out.getvalue()


def archive(members: Mapping[str, bytes | str]) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return out.getvalue()


def replaced(data: bytes, member: str, old: bytes, new: bytes) -> bytes:
    """The same zip file with other bytes in one member."""
    with ZipFile(BytesIO(data)) as source:
        contents = {name: source.read(name) for name in source.namelist()}
    assert old in contents[member]
    return archive(contents | {member: contents[member].replace(old, new)})


def odt(body: str) -> bytes:
    content = f"<office:document-content {ODF}><office:body><office:text>{body}</office:text></office:body></office:document-content>"
    return archive({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def epub(title: str, pages: Sequence[str]) -> bytes:
    items = "".join(f'<item id="p{number}" href="page%20{number}.xhtml"/>' for number in range(len(pages)))
    spine = "".join(f'<itemref idref="p{number}"/>' for number in range(len(pages)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{title}</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container xmlns="urn:x"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    members = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/book.opf": package}
    return archive(members | {f"OEBPS/page {number}.xhtml": page for number, page in enumerate(pages)})
