"""Real files of other projects' test suites: what becomes of each, and how much of what stands in them is found, beside kreuzberg alone and
markitdown, which gets an environment of its own.

NORTH_BENCH_SETS says where the sets lie (torture-open among them). Nothing of a file is kept.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from tests.bench.figures import Figure, percentile
from tests.bench.installations import Installations
from tests.bench.rivals import markdown
from tests.bench.talking import run
from tests.installation import ROOT

FOLDER = Path(os.environ.get("NORTH_BENCH_SETS", str(ROOT.parent / "shared" / "data" / "open")), "torture-open")
VENV = Path("~/.cache/north/bench/markitdown").expanduser()
MARKITDOWN = "markitdown[pdf,docx,pptx,xlsx,xls,outlook]==0.1.9"
SECONDS, RECOGNITION_SECONDS, RECALL_GOAL = 60, 300, 0.95
READ = frozenset(
    re.split(
        r"\s+",
        "pdf docx docm "
        "pptx pptm xlsx xlsm xlsb doc xls ppt msg odt ods odp epub rtf html htm eml csv tsv json jsonl ndjson yaml xml nxml md txt rst "
        "org tex vtt asciidoc png jpg jpeg tif tiff bmp webp zip gz",
    )
)
"""What North says that it reads; another kind is to be refused as one."""
ALLOWED = {"broken": {"parsed", "Unreadable", "NoText"}, "encrypted": {"Encrypted", "parsed"}}
"""By what the set says of a file; one that is sealed and opens without its password may be read."""
BLANK = {
    "unstructured__fake-text-all-whitespace.txt",
    "unstructured__test-image-jpg-mime.pptx",
    "docling__latex__sources__arXiv-2501.01300v2__cas-email.jpeg",  # an icon, three colours, and a flower
    "unstructured__img__bmp_24.bmp",
    "unstructured__img__example.jpg",
    *(  # XBRL's links between things: they have attributes and no text
        f"docling__xbrl__sources__{name}-taxonomy__{name}-20251231_{part}.xml"
        for name in ("grve", "mlac")
        for part in ("cal", "def", "pre")
    ),
}
SEALED = {"docling__pdf_password__sources__2206.01062_pg3.pdf"}
"""What the set does not say of its files."""

Row = Mapping[str, Any]


def measure(_: Installations | None = None) -> list[Figure]:
    rival = str(python())
    rows = [json.loads(line) for line in (FOLDER / "manifest.jsonl").read_text().splitlines()]
    names = [row["file"] for row in rows]
    with tempfile.TemporaryDirectory(prefix="north-bench-") as folder:
        environment = {"DJANGO_SETTINGS_MODULE": "north.settings", "NORTH_DATA_DIR": folder}
        said = run(
            "parsing",
            environment,
            seconds=7200,
            folder=str(FOLDER / "files"),
            names=names,
            seconds_each=SECONDS,
            recognition=RECOGNITION_SECONDS,
        )
    ours = dict(zip(names, said["files"], strict=True))
    expected = {row["file"]: FOLDER / row["expected_md"] for row in rows if "expected_md" in row}
    rivals = {
        "kreuzberg alone": converted(sys.executable, "kreuzberg", list(expected)),
        "markitdown": converted(rival, "markitdown", list(expected)),
    }
    return [outcomes(rows, ours), slowness(ours, said["megabytes"]), *found(expected, ours, rivals)]


def python() -> Path:
    """The interpreter of markitdown's virtual environment, which is made when it is first needed."""
    installed = VENV / "installed"
    if not installed.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, MARKITDOWN], check=True)
        installed.touch()
    return VENV / "bin" / "python"


def converted(interpreter: str, library: str, names: Sequence[str]) -> dict[str, Row]:
    command = [interpreter, str(ROOT / "tests" / "bench" / "rivals" / "converting.py"), library, str(SECONDS)]
    paths = "".join(f"{FOLDER / 'files' / name}\n" for name in names)
    done = subprocess.run(command, input=paths, text=True, capture_output=True, check=True, timeout=7200, cwd="/")
    return dict(zip(names, map(json.loads, done.stdout.splitlines()), strict=True))


def outcomes(rows: Sequence[Row], ours: Mapping[str, Row]) -> Figure:
    """Every file is read, or refused for what is wrong with it."""
    wrong = [f"{row['file']}: {ours[row['file']]['outcome']}" for row in rows if not is_right(row, ours[row["file"]])]
    counted = Counter(one["outcome"] for one in ours.values())
    said = ", ".join(f"{count} {outcome}" for outcome, count in counted.most_common())
    named = {name: one.get("said", "") for name, one in ours.items() if one["outcome"] != "parsed"}
    measured = f"{len(wrong)} of {len(rows)} wrong: {said}"
    return Figure("torture-open: parsed, or refused for the right reason", "all", measured, not wrong, {"refused": named}, wrong[:40])


def is_right(row: Row, one: Row) -> bool:
    outcome = one["outcome"]
    if row["bytes"] == 0 or row["file"] in BLANK | SEALED:
        return outcome == ("EmptyFile" if row["bytes"] == 0 else "NoText" if row["file"] in BLANK else "Encrypted")
    if outcome == "UnknownType":
        return row["ext"] not in READ
    if allowed := next((ALLOWED[flag] for flag in row["flags"] if flag in ALLOWED), None):
        return outcome in allowed
    return outcome == "parsed"


def slowness(ours: Mapping[str, Row], megabytes: float) -> Figure:
    seconds = [one["seconds"] for one in ours.values()]
    drawn = [one for one in ours.values() if one.get("pages")]
    pages, spent = sum(one["pages"] for one in drawn), sum(one["seconds"] for one in drawn)
    said = f"{pages / spent:.1f} pages/s ({pages} pages); longest file {max(seconds):.1f} s; peak {megabytes:.0f} MB"
    slowest = sorted(ours, key=lambda name: -ours[name]["seconds"])[:5]
    notes = [f"p50 {median(seconds):.2f} s, p95 {percentile(seconds, 95):.2f} s a file; slowest: {', '.join(slowest)}"]
    return Figure(
        "torture-open: one worker's speed and memory",
        f"< {SECONDS + RECOGNITION_SECONDS} s a file",
        said,
        max(seconds) < SECONDS + RECOGNITION_SECONDS,
        {},
        notes,
    )


def found(expected: Mapping[str, Path], ours: Mapping[str, Row], rivals: Mapping[str, Mapping[str, Row]]) -> list[Figure]:
    """Word recall and cells' F1 of each reader, over the same files; what it did not read counts as nothing found."""
    texts = {name: path.read_text() for name, path in expected.items()}
    wanted = {name: markdown.words(markdown.plain(text)) for name, text in texts.items()}
    tables = {name: cells for name, text in texts.items() if (cells := markdown.cells(text))}
    words = {"North": {name: Counter(ours[name].get("words", {})) for name in texts}}
    cells = {"North": {name: Counter(ours[name].get("cells", {})) for name in tables}}
    for rival, files in rivals.items():
        words[rival] = {name: markdown.words(markdown.plain(files[name]["text"])) for name in texts}
        cells[rival] = {name: markdown.cells(files[name]["text"]) for name in tables}
    figures = []
    for reader in words:
        recalls = {name: markdown.recall(wanted[name], words[reader][name]) for name in texts if wanted[name]}
        figures.append(in_words(reader, recalls))
    for reader in cells:
        figures.append(in_cells(reader, {name: markdown.f1(tables[name], cells[reader][name]) for name in tables}))
    return figures


def in_words(reader: str, recalls: Mapping[str, float]) -> Figure:
    middle = median(recalls.values())
    worst = [f"{name} {value:.2f}" for name, value in sorted(recalls.items(), key=lambda pair: pair[1]) if value < RECALL_GOAL]
    said = f"median {middle:.3f}, mean {mean(recalls.values()):.3f}, {len(worst)} of {len(recalls)} below {RECALL_GOAL}"
    ours = reader == "North"
    met = middle >= RECALL_GOAL if ours else None
    return Figure(f"word recall, {reader}", f">= {RECALL_GOAL}" if ours else "-", said, met, dict(recalls), worst[:40] if ours else ())


def in_cells(reader: str, values: Mapping[str, float]) -> Figure:
    said = f"mean {mean(values.values()):.3f}, median {median(values.values()):.3f} of {len(values)} files with tables"
    worst = [f"{name} {value:.2f}" for name, value in sorted(values.items(), key=lambda pair: pair[1]) if value < 0.9]
    return Figure(f"table cells, F1, {reader}", "-", said, None, dict(values), worst[:30] if reader == "North" else ())
