"""A Paper as a Word file with real footnotes. python-docx has none: their part is written here, as ECMA-376 (17.11) says."""

from __future__ import annotations

from io import BytesIO
from xml.sax.saxutils import escape

import docx
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Pt
from docx.text.paragraph import Paragraph

from north.exports.charts import rows_of
from north.exports.paper import Block, Cell, Paper, Piece, footnote

FOOTNOTES = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"


def written(paper: Paper) -> bytes:
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = (paper.title), "North"
    writer = Writer(document)
    document.add_heading(paper.title, 0)
    if paper.lead:
        document.add_paragraph().add_run(paper.lead).italic = True
    for block in paper.blocks:
        writer.block(block)
    if paper.notes:
        document.add_heading(paper.word("sources"), 1)
        for note in paper.notes:
            document.add_paragraph(f"{note.number}. {footnote(note, paper)}")
    writer.keep_footnotes({note.number: footnote(note, paper) for note in paper.notes})
    file = BytesIO()
    document.save(file)
    return file.getvalue()


class Writer:
    """One document; every place that names a source gets a footnote of its own, as Word numbers them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.footnotes: list[int] = []
        """The source of each footnote, in order."""

    def block(self, block: Block) -> None:
        match block.kind:
            case "heading":
                self.cell(self.document.add_heading("", min(block.level, 9)), block.pieces)
            case "item":
                style = "List Bullet" if block.marker == "•" else "List Number"
                deep = f" {block.level}" if 1 < block.level <= 3 else ""
                self.cell(self.document.add_paragraph(style=style + deep), block.pieces)
            case "rule":
                self.document.add_paragraph("⁂").alignment = WD_ALIGN_PARAGRAPH.CENTER
            case "table":
                self.table([list(row) for row in block.rows])
            case "chart":
                self.document.add_paragraph().add_run(str(block.chart.get("title", ""))).bold = True
                self.table([[(Piece(str(cell)),) for cell in row] for row in rows_of(block.chart)])
            case _:
                looks = {"quote": "Intense Quote", "code": "No Spacing"}.get(block.kind)
                self.cell(self.document.add_paragraph(style=looks), block.pieces)

    def table(self, rows: list[list[Cell]]) -> None:
        table = self.document.add_table(len(rows), len(rows[0]), style="Light Grid Accent 1")
        for number, row in enumerate(rows):
            for place, cell in zip(table.rows[number].cells, row, strict=True):
                self.cell(place.paragraphs[0], cell)
        self.document.add_paragraph()

    def cell(self, paragraph: Paragraph, cell: Cell) -> None:
        for piece in cell:
            run = paragraph.add_run(piece.text)
            run.bold, run.italic = piece.bold or None, piece.italic or None
            if piece.code:
                run.font.name, run.font.size = "Consolas", Pt(9.5)
            for number in piece.notes:
                self.refer(paragraph, number)

    def refer(self, paragraph: Paragraph, number: int) -> None:
        self.footnotes.append(number)
        raised = paragraph.add_run()
        raised.font.superscript = True
        raised._r.append(parse_xml(f'<w:footnoteReference {nsdecls("w")} w:id="{len(self.footnotes)}"/>'))

    def keep_footnotes(self, said: dict[int, str]) -> None:
        if not self.footnotes:
            return
        raised = '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
        notes = "".join(
            f'<w:footnote w:id="{place}"><w:p><w:r>{raised}<w:footnoteRef/></w:r><w:r><w:t xml:space="preserve"> '
            f"{escape(said.get(number, ''))}</w:t></w:r></w:p></w:footnote>"
            for place, number in enumerate(self.footnotes, 1)
        )
        lines = "".join(
            f'<w:footnote w:type="{kind}" w:id="{place}"><w:p><w:r><w:{kind}/></w:r></w:p></w:footnote>'
            for place, kind in ((-1, "separator"), (0, "continuationSeparator"))
        )
        xml = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:footnotes {nsdecls("w")}>{lines}{notes}</w:footnotes>'
        part = Part(PackURI("/word/footnotes.xml"), FOOTNOTES, xml.encode(), self.document.part.package)
        self.document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
