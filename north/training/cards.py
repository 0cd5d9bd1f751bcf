"""The card of a model: what it was made of, how, from what, under which licences, and what it is worth. README.md for people, and the same
facts in training.json. Pure but for writing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from north.training.bases import Base

CARD, FACTS = "README.md", "training.json"
WAYS = {
    "bm25": "BM25", "first": "first search", "before": "base", "after": "this model", "before alone": "base alone",
    "after alone": "this model alone",
}  # fmt: skip


def origin(base: Base) -> dict[str, str]:
    return {"name": base.name, "licence": base.licence, "languages": base.languages, "sha256": base.sha256}


def write(out: Path, title: str, facts: Mapping[str, Any]) -> None:
    (out / FACTS).write_text(json.dumps(_without_questions(facts), indent=1, ensure_ascii=False) + "\n")
    (out / CARD).write_text("\n".join([f"# {title}", "", *_lines(facts), ""]), encoding="utf-8")


def _lines(facts: Mapping[str, Any]) -> list[str]:
    lines = [facts["about"], ""]
    for heading, key in (("Made from", "origins"), ("Learnt from", "data"), ("Plan", "plan")):
        if key in facts:
            lines += [f"## {heading}", "", *_facts(facts[key]), ""]
    if "figures" in facts:
        lines += ["## Figures", "", facts["measured"], "", *table(facts["figures"]), ""]
    return [*lines, "## Use", "", "```", facts["use"], "```"]


def _facts(said: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[str]:
    if isinstance(said, Mapping):
        return [f"- {key.replace('_', ' ')}: {value}" for key, value in said.items()]
    return [f"- {'; '.join(f'{key}: {value}' for key, value in one.items())}" for one in said]


def table(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Markdown: a row a set, a column a way of ranking; nDCG@10 in percent, with the half-width of its 95 % interval."""
    ways = [way for way in WAYS if any(way in found for found in figures.values())]
    rows = [["nDCG@10, percent", "questions", *(WAYS[way] for way in ways)], ["---"] * (len(ways) + 2)]
    for name, found in figures.items():
        count = len(next(iter(found.values())).get("by_question", []))
        rows.append([name, str(count), *(_cell(found[way]) if way in found else "" for way in ways)])
    return [f"| {' | '.join(row)} |" for row in rows]


def _cell(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{100 * found['ndcg@10']:.1f} ± {50 * (high - low):.1f}"


def _without_questions(facts: Any) -> Any:
    """Each question's figure is a number too many for a file that goes with the model; how many there were stays."""
    if isinstance(facts, Mapping):
        return {
            "questions" if key == "by_question" else key: len(value) if key == "by_question" else _without_questions(value)
            for key, value in facts.items()
        }
    return facts
