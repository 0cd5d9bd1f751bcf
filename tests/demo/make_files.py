"""Makes the demo company's pdf, docx, pptx and xlsx files from the texts below: `python -m tests.demo.make_files`.

The files are committed; this is how to change them. The other kinds are written by hand, in north/demo/files.
"""

from __future__ import annotations

from pathlib import Path

from docx import Document
from openpyxl import Workbook
from openpyxl.styles import Font
from pptx import Presentation
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

FILES = Path(__file__).resolve().parents[2] / "north" / "demo" / "files"
Block = str | list[list[str]]

PDFS: dict[str, list[Block]] = {
    "products/ax200-user-manual.pdf": [
        "# AX-200 analytical balance: user manual",
        "Edition 5, March 2026, for firmware 4.2 and later. Lindenhof Instruments GmbH, Talstrasse 12, 79102 Freiburg.",
        "## 1 Setting up",
        "Place the balance on a stable, level table, away from windows, radiators and doors. Remove the yellow transport lock below the pan. "
        "Turn the two front feet until the bubble stands inside the ring.",
        "Connect the power supply and let the balance warm up for 60 minutes before the first measurement; after a move of less than an hour "
        "15 minutes are enough.",
        "## 2 Weighing",
        "Press TARE with the empty container on the pan. Open the draft shield by waving your hand over the sensor on the right side. Place the "
        "sample, close the shield and wait until the star disappears from the display. This takes about 2.5 seconds.",
        "The balance takes at most 220 g. At a higher load the display shows E04; remove the load at once.",
        "---",
        "## 3 Calibration",
        "The balance calibrates itself with its internal weight whenever the temperature has changed by more than 1.5 degrees Celsius, and at "
        "the latest every four hours. To start it by hand choose Settings > Calibration > Internal.",
        "For an external calibration use a weight of 200 g, class E2 or better. Hold it with gloves or tweezers. The procedure takes three "
        "minutes. The result is stored with date, temperature and user name; the last 500 calibrations can be exported.",
        "## 4 Cleaning",
        "Switch the balance off and disconnect it. Take off pan and draft shield. Wipe the housing with a soft cloth and CleanFluid or "
        "isopropanol of at most 70 percent. Never spray liquid directly on the balance. Acetone and solvents with chlorine destroy the shield.",
        "---",
        "## 5 Error messages",
        [
            ["Code", "Meaning", "What to do"],
            ["E04", "Overload", "Remove the load at once"],
            ["E09", "Internal temperature too high", "Switch off and let it cool for 30 minutes"],
            ["E17", "Self-calibration interrupted", "Update to firmware 4.2.1, then calibrate by hand"],
            ["E23", "Memory for calibrations is full", "Export the records and delete them"],
        ],
        "## 6 Disposal",
        "Do not put the balance into household waste. Lindenhof takes it back free of charge; call +49 761 555 0120.",
    ],
    "products/cleanfluid-safety-data-sheet.pdf": [
        "# Safety data sheet: CleanFluid 500 ml",
        "Revision 3 of 8 January 2026, according to Regulation (EC) No 1907/2006.",
        "## 2 Hazards",
        "Highly flammable liquid and vapour (H225). Causes serious eye irritation (H319). May cause drowsiness or dizziness (H336). "
        "Signal word: Danger.",
        "## 4 First aid",
        "Eyes: rinse carefully with water for at least 15 minutes, remove contact lenses, see an eye doctor. Skin: wash with water and soap. "
        "Swallowed: do not induce vomiting, call the poison centre in Freiburg, +49 761 19240.",
        "## 7 Handling and storage",
        "Keep away from heat, sparks and open flames. Store in the tightly closed bottle between 5 and 30 degrees Celsius, at most 20 litres in "
        "a room. Shelf life: 36 months.",
        "## 9 Properties",
        "Isopropanol content 62 percent. Flash point 17 degrees Celsius. Density 0.88 g/ml.",
    ],
    "products/warranty-terms.pdf": [
        "# Warranty terms",
        "Valid for instruments sold from 1 January 2026 on.",
        "Lindenhof Instruments warrants the AX series for three years and Mira for two years from the date of the invoice. The warranty covers "
        "parts and labour in our service centres. Return transport is paid by Lindenhof.",
        "Instruments of the AX series that are registered at register.lindenhof.example within 60 days after the invoice have a warranty of five "
        "years.",
        "Excluded are wearing parts (halogen lamps, pans, seals), damage from acetone or other unsuitable agents, and instruments opened by "
        "somebody else. Continuous operation of Mira of more than 4,000 hours a year shortens its warranty to one year.",
        "Claims are made within 30 days after the fault has become known, with serial number and invoice.",
    ],
    "finance/annual-report-2025.pdf": [
        "# Annual report 2025 (short version)",
        "Lindenhof Instruments closed 2025 with revenue of 45.2 million euros, 6.4 percent more than in 2024.",
        [
            ["", "2023", "2024", "2025"],
            ["Revenue (million euros)", "40.1", "42.5", "45.2"],
            ["Operating result (million euros)", "4.4", "5.0", "5.9"],
            ["Employees at year's end", "281", "296", "310"],
            ["Research and development (million euros)", "3.9", "4.3", "4.8"],
        ],
        "The service centre in Lyon opened on 16 September 2025. The dividend is 1.20 euros a share. The auditors, Reuter and Partner, gave an "
        "unqualified opinion on 19 March 2026.",
        "---",
        "## Outlook",
        "For 2026 the management expects revenue of 47 to 49 million euros. The largest risk is the supply of halogen lamps, which come from a "
        "single supplier, Lumatek AB. A second supplier is to be qualified by the end of the third quarter of 2026.",
        "Electricity comes from renewable sources only since 1 July 2025. Emissions fell by 18 percent to 1,140 tonnes of CO2.",
    ],
}

DOCXS: dict[str, list[Block]] = {
    "finance/supplier-contract-lumatek.docx": [
        "# Supply contract between Lindenhof Instruments GmbH and Lumatek AB",
        "Signed in Freiburg on 3 November 2024. Contract number LC-2024-118.",
        "## 1 Subject",
        "Lumatek supplies halogen lamps 400 W for the moisture analyser Mira according to specification S-400 revision C.",
        "## 2 Quantities and prices",
        "At least 800 lamps a year. The price is 64 euros a lamp, fixed until 31 December 2026.",
        "## 3 Delivery",
        "Delivery within six weeks after the order. For each full week of delay Lumatek pays 1 percent of the order value, at most "
        "8 percent in all. Fire, flood and strikes suspend this duty for at most four weeks.",
        "## 4 Warranty",
        "Lamps that fail before 10,000 hours of operation are replaced free of charge.",
        "## 5 Term and termination",
        "The contract runs until 31 December 2027 and is extended by one year unless one side gives notice in writing six months before.",
        "## 6 Confidentiality",
        "Both sides keep prices confidential for three years after the end of the contract.",
    ],
    "handbook/quality-policy.docx": [
        "# Quality policy",
        "Approved by Dr. Anke Linden, managing director, on 20 January 2026.",
        "## Our promise",
        "No instrument leaves the house without a test weighing and a signed protocol.",
        "## Complaints",
        "Every complaint gets a first answer within one working day and a named person. Complaints about safety go to the "
        "managing director on the same day. The cause is found with an 8D report within 15 working days.",
        "## Suppliers",
        "Critical suppliers are audited every two years. A supplier with fewer than 95 percent faultless parts in a quarter gets a "
        "plan of measures.",
        "## Audits",
        "Internal audits take place each May and November. The ISO 9001 certificate is valid until 30 September 2027.",
    ],
    "international/reisekostenrichtlinie.docx": [
        "# Reisekostenrichtlinie (Kurzfassung)",
        "Verantwortlich: Jonas Brandt, Finanzen. Gültig ab 1. März 2026.",
        "## Bahn und Flug",
        "Fahrten bis sechs Stunden erfolgen mit der Bahn in der zweiten Klasse; ab vier Stunden ist die erste Klasse erlaubt. "
        "Flüge werden in der Economy-Klasse gebucht.",
        "## Übernachtung",
        "Hotels kosten höchstens 140 Euro je Nacht, in London, Paris, Zürich und Tokio höchstens 210 Euro.",
        "## Privatwagen",
        "Für Fahrten mit dem eigenen Wagen werden 30 Cent je Kilometer erstattet, höchstens 150 Euro je Reise. Schäden am eigenen "
        "Wagen trägt der Mitarbeiter.",
        "## Abrechnung",
        "Belege werden innerhalb von 30 Tagen nach Reiseende im Reiseportal eingereicht.",
    ],
    "hr/performance-review-guide.docx": [
        "# Performance reviews: guide for the HR group",
        "Confidential. Cycle 2026.",
        "## Calendar",
        "Self-assessment until 15 September, talks from 1 October to 15 November, calibration on 25 November, results by 5 December.",
        "## Ratings",
        "There are four ratings. At most 15 percent of a department get the highest one. The lowest rating needs two written "
        "examples and a plan of improvement of 90 days.",
        "## Effect on pay",
        "The highest rating brings 4.5 percent, the second 3 percent, the third 1.5 percent, the lowest none.",
    ],
}

PPTXS: dict[str, list[tuple[str, list[str], str]]] = {
    "products/roadmap-2026.pptx": [
        ("Product roadmap 2026", ["Lena Hofer, Product Management", "As of 15 April 2026"], "Internal. Do not send to customers."),
        (
            "AX-200 firmware 4.3",
            ["Planned for 30 September 2026", "Gesture sensor with daylight filter", "Weighing records to any S3 store"],
            "The daylight filter closes tickets such as T-4131.",
        ),
        (
            "Mira 2",
            ["Presentation at the fair in Munich on 10 November 2026", "Lamp for 20,000 hours as standard", "Target price 3,950 euros"],
            "Mira stays in the price list until the end of 2027.",
        ),
        ("AX-500", ["Readability 0.01 mg", "Start of development: July 2026", "Market launch not before the second half of 2027"], ""),
    ],
    "finance/sales-kickoff-2026.pptx": [
        ("Sales kick-off 2026", ["Freiburg, 22 January 2026", "Paul Nguyen, Sales"], ""),
        (
            "Targets",
            ["Revenue 48 million euros", "Japan: +20 percent", "Service contracts Plus: from 410 to 600"],
            "Each region has its own sheet.",
        ),
        (
            "Discounts",
            ["Up to 8 percent: sales representative", "Up to 15 percent: head of sales", "Above: managing director"],
            "Universities get 10 percent without approval.",
        ),
    ],
}

XLSXS: dict[str, dict[str, list[list[object]]]] = {
    "finance/price-list-2026.xlsx": {
        "Instruments": [
            ["Article", "Name", "Price in euros", "Delivery time in weeks"],
            ["AX-200", "Analytical balance 220 g / 0.1 mg", 4480, 3],
            ["AX-120", "Analytical balance 120 g / 0.1 mg", 3690, 3],
            ["MI-100", "Moisture analyser Mira", 3350, 5],
        ],
        "Service": [
            ["Article", "Name", "Price in euros"],
            ["SV-01", "Recalibration AX series with certificate", 285],
            ["SV-02", "Recalibration Mira with certificate", 240],
            ["SV-10", "Service contract Basic, a year", 390],
            ["SV-11", "Service contract Plus, a year", 890],
            ["SP-2001", "Halogen lamp 400 W including installation", 210],
        ],
    },
    "support/calibration-log-lab.xlsx": {
        "2026": [
            ["Date", "Serial number", "Product", "Customer", "Deviation in mg", "Result"],
            ["2026-03-02", "AX-11873", "AX-200", "Biovert SA", 0.06, "passed"],
            ["2026-03-05", "AX-10214", "AX-200", "Universität Basel", 0.21, "adjusted, then passed"],
            ["2026-03-17", "AX-12090", "AX-200", "Nordkap Pharma AS", 0.04, "passed"],
            ["2026-04-08", "MR-20931", "Mira", "Sakura Foods KK", 0.9, "lamp worn, replaced"],
        ],
    },
    "hr/headcount-budget-2026.xlsx": {
        "Headcount": [
            ["Department", "Employees", "Open positions", "Budget in euros"],
            ["Assembly", 104, 6, 4980000],
            ["Development", 58, 9, 5120000],
            ["Service", 61, 7, 3890000],
            ["Sales and marketing", 47, 2, 3640000],
            ["Administration", 40, 1, 2610000],
        ],
    },
}


def make_pdf(path: Path, blocks: list[Block]) -> None:
    styles = getSampleStyleSheet()
    story: list[object] = []
    for block in blocks:
        if isinstance(block, list):
            grid = Table(block, hAlign="LEFT")
            grid.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold")]))
            story += [grid, Spacer(1, 12)]
        elif block == "---":
            story.append(PageBreak())
        else:
            level = len(block) - len(block.lstrip("#"))
            story.append(Paragraph(block.lstrip("# "), styles[f"Heading{level}" if level else "BodyText"]))
            story.append(Spacer(1, 6))
    SimpleDocTemplate(str(path), pagesize=A4, title=str(blocks[0]).lstrip("# "), author="Lindenhof Instruments", invariant=1).build(story)


def make_docx(path: Path, blocks: list[Block]) -> None:
    document = Document()
    for block in map(str, blocks):
        level = len(block) - len(block.lstrip("#"))
        document.add_heading(block.lstrip("# "), level) if level else document.add_paragraph(block)
    document.save(str(path))


def make_pptx(path: Path, slides: list[tuple[str, list[str], str]]) -> None:
    deck = Presentation()
    for title, bullets, notes in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(bullets)
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    deck.save(str(path))


def make_xlsx(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
    book.save(str(path))


def main() -> None:
    for files, make in ((PDFS, make_pdf), (DOCXS, make_docx), (PPTXS, make_pptx), (XLSXS, make_xlsx)):
        for name, content in files.items():
            path = FILES / name
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path, content)  # type: ignore[operator]


if __name__ == "__main__":
    main()
