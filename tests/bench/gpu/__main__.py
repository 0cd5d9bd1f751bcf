"""Measures on one GPU and prints one table: each figure with its goal and with what the device could do at most."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.gpu import chats, door, encoders
from tests.bench.gpu.device import Roofs, Row, commit, facts, roofs

FIGURES = ("embed", "embed-large", "rerank", "rerank-large", "api", "llama", "command")
MODELS = Path(os.environ.get("NORTH_MODELS_DIR", "~/.cache/north/models")).expanduser()


def main(arguments: Sequence[str]) -> int:
    """0: everything was measured, whether its goal was met or not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description="Prints the figures that North should reach on a GPU.")
    parser.add_argument("--out", type=Path, help="write the table here, and with the ending .json all numbers")
    parser.add_argument("--only", default=",".join(FIGURES), help=f"only these of {', '.join(FIGURES)}, parted by commas")
    parser.add_argument("--commit", default="", help="where the files are no checkout: whose they are")
    parser.add_argument("--multilingual", type=Path, default=MODELS / "multilingual-e5-small-int8/tokenizer.json", help="XLM-R's tokenizer")
    parser.add_argument("--english", type=Path, default=MODELS / "all-minilm-l6-v2-int8/tokenizer.json", help="BERT's tokenizer")
    parser.add_argument("--texts", type=Path, help="real texts, a JSON object with a `text` in each line: e5-small embeds each once, too")
    given = parser.parse_args(arguments)
    only = given.only.split(",")
    if unknown := set(only) - set(FIGURES):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    began, here = time.monotonic(), facts(given.commit or commit()) | {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    reached = roofs()
    rows: list[Row] = []
    real = [json.loads(line)["text"] for line in given.texts.open()] if given.texts else []
    for name, figure in encoders.figures(given.multilingual, given.english, real).items():
        if name in only:
            rows.append(figure(reached))
            tell(rows[-1:])
    if "api" in only:
        rows.append(door.figure(given.english))
        tell(rows[-1:])
    rows += chats.measure(reached, tell, only)
    here["minutes"] = round((time.monotonic() - began) / 60, 1)
    text = table(here, reached, rows)
    print(text)
    if given.out:
        given.out.write_text(text)
        numbers = {"machine": here, "roofs": {"bytes": reached.bytes, "flops": reached.flops}, "rows": [row.as_json() for row in rows]}
        given.out.with_suffix(".json").write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


def tell(rows: Sequence[Row]) -> None:
    for row in rows:
        print(verdict(row), row.name, "|", row.goal, "|", row.measured, "|", row.bound, "|", *row.notes, flush=True)


def table(here: dict[str, Any], reached: Roofs, rows: Sequence[Row]) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in here["libraries"].items())
    lines = [
        f"# Figures on one {here['device']}",
        "",
        f"{here['date']}, commit {here['commit']}; {here['cores']} cores, Python {here['python']}; {libraries}.",
        "",
        "**All weights are random, in the real architectures**: how fast a model is, not what it says, is measured. Inputs are random too.",
        f"Measured on this device: a copy moves {reached.bytes / 1e12:.2f} TB/s (read and written; the datasheet says 3.35), a bf16 matrix "
        f"product runs at {reached.flops / 1e12:.0f} TFLOP/s. A bound is what these roofs allow.",
        "",
        "| | figure | goal | measured | bound | of the bound |",
        "|---|---|---|---|---|---|",
        *(f"| {verdict(row)} | {row.name} | {row.goal} | {row.measured} | {row.bound} | {share(row)} |" for row in rows),
        "",
        *(f"- **{row.name}**: {' '.join(row.notes)}" for row in rows if row.notes),
        "",
    ]
    return "\n".join(lines)


def share(row: Row) -> str:
    return "-" if row.share is None else f"{row.share:.0%}"


def verdict(row: Row) -> str:
    return {True: "met", False: "MISSED", None: "-"}[row.met]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
