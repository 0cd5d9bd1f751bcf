"""200 people who watch 200 runs at once, 20 pieces a second each; in the middle all lose the network and come back at the same moment.

The journals are written by one producer process (inside/producing.py), read by one reader process (inside/watching.py); web and broker are
the installation's.
"""

from __future__ import annotations

import time
from typing import Any

from tests.bench.figures import Figure, percentile, spread, told
from tests.bench.installations import Installations
from tests.bench.processes import cpu_seconds, memory, used
from tests.bench.talking import Program, run
from tests.installation import Installation

COUNT, RATE, SECONDS = 200, 20.0, 28.0
CONNECT, ARRIVE, LOSE = 1.0, 10.0, 18.0
"""Seconds after the first piece: when readers connect, within how long, when they lose the network."""
GOAL = 350
SLUG, EMAIL = "acme", "alice@acme.example"


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("scripted")
    installation.api()
    prepared = run("preparing", installation.environment, slug=SLUG, email=EMAIL, count=COUNT)
    producer = Program("producing", installation.environment, runs=prepared["runs"], seconds=SECONDS, rate=RATE)
    reader = Program(
        "watching", installation.environment, runs=prepared["runs"], slug=SLUG, port=installation.port, key=installation.keys["alice"],
        cookies=prepared["cookies"], connect=CONNECT, over=ARRIVE, lose=LOSE, end=SECONDS + 60,
    )  # fmt: skip
    for program in (producer, reader):
        program.is_ready()
    begin = time.time() + 2
    for program in (producer, reader):
        program.begins(begin)
    costs = watched(installation, begin)
    wrote, read = producer.said(SECONDS + 90), reader.said(90)
    return judged(wrote, read, costs)


def watched(installation: Installation, begin: float) -> dict[str, Any]:
    """The web process before any reader, and in the middle of the flow."""
    time.sleep(max(0.0, begin - 1 - time.time()))
    empty = memory(installation, "Rss")["web"]
    time.sleep(max(0.0, begin + CONNECT + ARRIVE + 1 - time.time()))
    before = cpu_seconds(installation)
    time.sleep(4)
    parts = {name: value / 4 for name, value in used(cpu_seconds(installation), before).items()}
    return {"rss_a_stream": (memory(installation, "Rss")["web"] - empty) / COUNT, "web_rss": empty, "cores": parts}


def judged(wrote: dict[str, Any], read: dict[str, Any], costs: dict[str, Any]) -> list[Figure]:
    whole = sum(wrote["answers"].get(id) == digest for id, digest in read["answers"].items())
    first, again, late = spread(read["first"]), spread(read["again"]), spread(read["late"])
    gap, rate, lag = percentile(read["gaps"], 99) * 1000, wrote["beats"] / wrote["seconds"], percentile(wrote["lags"], 95) * 1000
    kept = whole == COUNT == read["over"] and not read["faults"] and not read["cut"]
    numbers = {
        "whole": whole, "over": read["over"], "cut": read["cut"], "faults": read["faults"], "first": first, "again": again, "late": late,
        "gap_p99": gap, "events": read["events"], "produced_rate": rate, "producer_lag_p95": lag, **costs,
    }  # fmt: skip
    named, goal = f"{COUNT} concurrent run streams at {RATE:g} events/s", f"none dropped, p95 <= {GOAL} ms"
    said = f"{whole} of {COUNT} whole, {read['cut']} cut off; first event {told(first)}"
    notes = [
        f"readers come within {ARRIVE:g} s, half to the page's stream, half to the API's; whole: the text read equals the stored answer, "
        "over a lost connection in the middle",
        f"a piece from the journal to its reader: {told(late)}; gap between two pieces p99 {gap:.0f} ms (written every {1000 / RATE:g} ms; "
        f"the producer kept {rate:.1f} a second, late by {lag:.0f} ms at p95); {read['events']:,} pieces",
        f"web: {costs['rss_a_stream'] / 1000:.0f} kB RSS a stream; busy cores: "
        + ", ".join(f"{name} {value:.2f}" for name, value in costs["cores"].items()),
        *(f"fault: {fault}" for fault in read["faults"][:5]),
    ]
    herd = "after they had lost the network together, each with its last id; how long it takes has no goal"
    return [
        Figure(named, goal, said, kept and first["p95"] <= GOAL, numbers, notes),
        Figure(f"... all {COUNT} come back at the same moment", "none missed or doubled", f"first event {told(again)}", kept, notes=[herd]),
    ]
