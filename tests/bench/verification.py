"""How well the verifier tells an edited summary from a true one (SummEdits, Laban et al. 2023: balanced accuracy over domains), beside a
trivial baseline: `python -m tests.bench.verification PATH/summedits.jsonl [--sample 800] [--judge MODEL]`; `--time`: only what it costs.

A summary counts as consistent if nothing speaks against any of its sentences. The trivial baseline looks at numbers
only. Always the same answer gets 50 %. Also prints what the second look at an answer of five sentences costs, which shall be at most a
second (95th percentile, one thread), and beside it what aligning it with its sources takes; on a busy machine only the processor's time
tells.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.citations import cite
from agents.context import Judge
from agents.matching import digits_of, holds, words_of
from agents.verification import NOTHING_SAYS, verify
from north.inference.embedding import load, load_scorer
from retrieval.types import Embed, Passage

MODELS = Path("~/.cache/north/models").expanduser()
GOAL = 1.0
"""Seconds that the second look may add to an answer of five sentences."""
Case = dict[str, Any]


def numbers_only(case: Case) -> bool:
    known = words_of(case["doc"]).numbers
    return all(holds(known, number) for number in digits_of(case["claim"]))


def verifier(embed: Embed, judge: Judge | None, *, strict: bool) -> Callable[[Case], bool]:
    """What speaks against a summary: a contradiction, or a number or name that its source does not hold. `strict`: also a sentence that
    is not surely supported."""

    def consistent(case: Case) -> bool:
        passages = [Passage("doc", "doc", 0, 0, len(case["doc"]), case["doc"], 1.0)]
        citations, _ = cite(case["claim"], passages, embed)
        checked = verify(case["claim"], citations, passages, [], judge)
        if strict:
            return all(claim.support == "supported" for claim in checked)
        return not any(claim.support != "not verified" and claim.reasons and claim.reasons != (NOTHING_SAYS,) for claim in checked)

    return consistent


def balanced(cases: Sequence[Case], says: Callable[[Case], bool]) -> dict[str, float]:
    """By domain, and their mean as "all": the mean of how many true and how many edited ones were told rightly."""
    right: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for case in cases:
        right[case["domain"], case["label"]].append(says(case) == bool(case["label"]))
    rates = {key: sum(found) / len(found) for key, found in right.items()}
    domains = sorted({domain for domain, _ in rates})
    table = {domain: (rates.get((domain, 0), 0.0) + rates.get((domain, 1), 0.0)) / 2 for domain in domains}
    return {**table, "all": sum(table.values()) / len(table)}


def seconds_for_five(cases: Sequence[Case], embed: Embed, judge: Judge | None, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Of answers of five sentences, from a source of eight passages: the second look, and the alignment before it."""
    took: dict[str, list[float]] = {"verified": [], "aligned": []}
    for number in range(0, min(len(cases), 200) - 8, 4):
        some = cases[number : number + 8]
        passages = [Passage(str(i), "doc", 0, 0, len(one["doc"]), one["doc"][:900], 1.0) for i, one in enumerate(some)]
        answer = " ".join(one["claim"].split(". ")[0].rstrip(".") + "." for one in some[:5])
        begun = clock()
        citations, _ = cite(answer, passages, embed)
        took["aligned"].append((aligned := clock()) - begun)
        verify(answer, citations, passages, [], judge)
        took["verified"].append(clock() - aligned)
    return took


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("cases", type=Path)
    options.add_argument("--sample", type=int, default=800)
    options.add_argument("--time", action="store_true", help="only the time")
    options.add_argument("--embed", default="all-minilm-l6-v2-int8")
    options.add_argument("--judge", help="the folder's name of a model of role score")
    given = options.parse_args()
    cases = [json.loads(line) for line in given.cases.read_text(encoding="utf-8").splitlines()]
    random.Random(7).shuffle(cases)
    cases = cases[: given.sample]
    embed = load(given.embed, MODELS).embed_queries
    judge: Judge | None = load_scorer(given.judge, MODELS) if given.judge else None
    print(f"{len(cases)} summaries, embedding {given.embed}, judge {given.judge or 'none'}")
    for name, says in (
        ("always consistent", lambda case: True), ("numbers only", numbers_only),
        ("verifier", verifier(embed, judge, strict=False)), ("verifier, only supported counts", verifier(embed, judge, strict=True)),
    ) if not given.time else ():  # fmt: skip
        print(f"{name:34}", "  ".join(f"{domain} {value:.3f}" for domain, value in balanced(cases, says).items()), flush=True)
    for name, clock in (("by the clock", time.perf_counter), ("of the processor", time.process_time)):
        for what, took in seconds_for_five(cases, embed, judge, clock).items():
            p50, p95 = np.percentile(took, [50, 95])
            goal = f": {'met' if p95 <= GOAL else 'MISSED'}" if what == "verified" else ""
            print(f"five sentences {what}, {name}: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms over {len(took)} answers{goal}")


if __name__ == "__main__":
    main()
