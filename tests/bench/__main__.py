"""Measures the figures that are named, or all, and prints each with its goal as soon as it is known."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench import (
    access,
    answers,
    api,
    dimensions,
    engines,
    fairness,
    filings,
    histories,
    ingestion,
    machine,
    many_files,
    memory,
    pages,
    parsing,
    quantised,
    reindexing,
    scale,
    search,
    streams,
    throughput,
    upload,
)
from tests.bench.figures import Figure, header, row
from tests.bench.installations import Installations

FIGURES: dict[str, Callable[[Installations], Sequence[Figure]]] = {
    "upload": upload.measure,
    "answers": answers.measure,
    "engines": engines.measure,
    "ingestion": ingestion.measure,
    "memory": memory.measure,
    "api": api.measure,
    "streams": streams.measure,
    "pages": pages.measure,
    "search": search.measure,
    "throughput": throughput.measure,
    "access": access.measure,
    "parsing": parsing.measure,
    "filings": filings.measure,
    "dimensions": dimensions.measure,
    "quantised": quantised.measure,
    "scale": scale.measure,
    "histories": histories.measure,
    "reindexing": reindexing.measure,
    "fairness": fairness.measure,
    "many_files": many_files.measure,
}
"""In an order that starts each kind of installation once."""
BY_NAME = {
    "throughput", "access", "parsing", "filings", "dimensions", "quantised", "scale", "histories", "reindexing", "fairness", "many_files",
}  # fmt: skip
"""Measured only where they are named: they take minutes to hours, or install what North does not need."""


def main(arguments: Sequence[str]) -> int:
    """0: everything was measured, whether its goal was met or not; 1: something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Prints the figures that North should reach.")
    told = f"one or more of {', '.join(FIGURES)}; without: all but {', '.join(sorted(BY_NAME))}"
    parser.add_argument("figure", nargs="*", choices=[[], *FIGURES], help=told)
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    given = parser.parse_args(arguments)
    here = machine.facts()
    print(machine.told(here), f"\n\n{header()}", flush=True)
    began = time.monotonic()
    report: dict[str, Any] = {"machine": here, "figures": [], "loads": {}, "not_measured": {}}
    installations = Installations()
    try:
        with machine.Load() as load:
            for name in [name for name in FIGURES if name in (given.figure or FIGURES.keys() - BY_NAME)]:
                measure(name, installations, report)
            installations.close()
    finally:
        installations.close()
    conclude(report, load, time.monotonic() - began)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))
    return 1 if report["not_measured"] else 0


def measure(name: str, installations: Installations, report: dict[str, Any]) -> None:
    """`except Exception` here is the edge: one figure that cannot be measured does not keep the others from it."""
    with machine.Load() as load:
        try:
            found = FIGURES[name](installations)
        except Exception as error:
            report["not_measured"][name] = f"{type(error).__name__}: {error}"
            print(f"{'FAILED':7} {name}: {report['not_measured'][name]}", flush=True)
            return
        finally:
            sys.stdout.flush()
    report["figures"] += [figure.as_json() for figure in found]
    report["loads"][name] = load.as_json()
    print("\n".join(row(figure) for figure in found) + f"\n{'':10}{load.told()}", flush=True)


def conclude(report: dict[str, Any], load: machine.Load, seconds: float) -> None:
    report["machine"] |= {"load_average_after": os.getloadavg(), **load.as_json()}
    judged = [figure["met"] for figure in report["figures"] if figure["met"] is not None]
    failed = f"; not measured: {', '.join(report['not_measured'])}" if report["not_measured"] else ""
    print(f"\n{sum(judged)} of {len(judged)} goals met{failed}; {load.told()}; load average at the end {os.getloadavg()[0]:.1f}")
    if load.others > 0.3:
        print(f"Others kept {load.others:.1f} cores busy meanwhile: times from a machine that is not quiet are too long.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
