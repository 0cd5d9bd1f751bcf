"""What all questions that were asked so far come to, by set: means over questions with 95 % intervals by bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from retrieval.metrics import interval
from tests.bench.correctness.scoring import Scores, citing, correctness
from tests.bench.correctness.sets import Question

TITLES = {
    "right": "right", "f1": "token F1", "exact": "exact match", "refused": "refused, though answerable",
    "precise": "citations that support", "holds": "citations whose words hold the answer", "claims": "claims with a citation that supports",
    "gold": "gold documents cited", "resolves": "citations that open at their words",
}  # fmt: skip


def scores(line: Mapping[str, Any], question: Question) -> Scores:
    said = correctness(line["answer"], question.answers, question.reference, refused=line["refused"])
    return said | citing(line, question.answers, question.amounts, question.gold)


def table(lines: Sequence[Mapping[str, Any]], questions: Mapping[tuple[str, str], Question]) -> str:
    sets = list(dict.fromkeys(line["set"] for line in lines))
    judged = {name: [scores(one, questions[name, one["id"]]) for one in lines if one["set"] == name] for name in sets}
    rows = [f"| {title} | " + " | ".join(told(judged[name], measure) for name in sets) + " |" for measure, title in TITLES.items()]
    seconds = [f"{median(one['seconds'] for one in lines if one['set'] == name):.0f} s" for name in sets]
    head = ["| | " + " | ".join(f"{name} ({len(judged[name])})" for name in sets) + " |", "|---" * (len(sets) + 1) + "|"]
    ends = [f"{name}: {ended(lines, name)}" for name in sets]
    return "\n".join([*head, *rows, "| median time of an answer | " + " | ".join(seconds) + " |", "", *ends])


def told(judged: Sequence[Scores], measure: str) -> str:
    values = [value for one in judged if (value := one.get(measure)) is not None]
    if not values:
        return "-"
    low, high = interval(values)
    return f"{fmean(values):.2f} ({low:.2f} to {high:.2f}, n={len(values)})"


def ended(lines: Sequence[Mapping[str, Any]], name: str) -> str:
    """How the runs of a set ended, where that was otherwise than by an answer in time."""
    some = [one for one in lines if one["set"] == name]
    odd = {
        "failed": [one for one in some if one["status"] != "done"],
        "cut short": [one for one in some if one["cut_short"]],
        "answered without any citation": [one for one in some if one["answer"] and not one["refused"] and not one["citations"]],
    }
    return ", ".join(f"{len(each)} {what}" for what, each in odd.items())
