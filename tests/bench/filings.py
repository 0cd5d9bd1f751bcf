"""How often a page that answers is among the first ten, in quarterly reports as PDF, before and after pieces follow their structure.

NORTH_BENCH_SETS says where sec10q lies; NORTH_FILINGS_MEANING=1 asks the default embedding model, too, which takes minutes. Its answers
name reports, not pages: a page answers if it holds an amount of the reference answer.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.installations import Installations
from tests.bench.talking import run
from tests.installation import ROOT

FOLDER = Path(os.environ.get("NORTH_BENCH_SETS", str(ROOT.parent / "shared" / "data" / "open")), "sec10q")
MEANING = os.environ.get("NORTH_FILINGS_MEANING", "") == "1"


def measure(_: Installations | None = None) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="north-bench-") as folder:
        environment = {"DJANGO_SETTINGS_MODULE": "north.settings", "NORTH_DATA_DIR": folder}
        said = run("filings", environment, seconds=3600, folder=str(FOLDER), meaning=MEANING)
    before, after = said["before"], said["after"]
    measured = f"{after['recall']:.3f} after, {before['recall']:.3f} before ({after['recall'] - before['recall']:+.3f})"
    notes = [
        f"{said['questions']} questions whose answer has amounts, {said['pages']:,} pages, by words alone; "
        f"{after['pieces']:g} pieces after, {before['pieces']:g} before; {said['places']}"
    ]
    if by := said.get("meaning"):
        both = by["after"]["recall"], by["before"]["recall"]
        notes.append(f"by words and meaning, unjudged: {both[0]:.3f} after, {both[1]:.3f} before ({both[0] - both[1]:+.3f})")
    return [Figure("sec10q: pages that answer, recall@10", "more than before", measured, after["recall"] >= before["recall"], said, notes)]
