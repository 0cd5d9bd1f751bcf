"""A card in words: for the page of the administrators, for people who ask, and for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.card import limits_for
from north.cards.models import Card, outcome_of
from north.inference.outcomes import LANGUAGE, LANGUAGES, PROBES, Outcome

TITLES = {
    "speed": gettext_lazy("Speed"),
    "context": gettext_lazy("Length of prompts"),
    "json": gettext_lazy("Keeps a JSON schema"),
    "tools_native": gettext_lazy("Calls tools of the server's own kind"),
    "tools": gettext_lazy("Chooses tools by constrained JSON"),
    "grounded": gettext_lazy("Answers with the right fact"),
    "cited": gettext_lazy("Names the right passage"),
    "refusal": gettext_lazy("Tells what the passages do not hold"),
    "follow_up": gettext_lazy("Rewords follow-up questions"),
}
VERDICTS = {
    "well": gettext_lazy("well"),
    "partly": gettext_lazy("partly"),
    "failed": gettext_lazy("failed"),
    "untested": gettext_lazy("not tested"),
}
STATUS = {"well": "ready", "partly": "warning", "failed": "failed", "untested": ""}
"""How a pill shows a verdict."""
NAMES = {
    "en": gettext_lazy("English"), "de": gettext_lazy("German"), "fr": gettext_lazy("French"), "es": gettext_lazy("Spanish"),
    "it": gettext_lazy("Italian"), "pt": gettext_lazy("Portuguese"), "nl": gettext_lazy("Dutch"), "ja": gettext_lazy("Japanese"),
    "zh": gettext_lazy("Chinese"), "ar": gettext_lazy("Arabic"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One probe as it is shown."""

    title: str
    verdict: str
    status: str
    score: str
    detail: str
    faults: tuple[str, ...]
    seconds: float


def title(probe: str) -> str:
    code = probe.removeprefix(LANGUAGE)
    return _("Answers in %(language)s") % {"language": NAMES[code]} if code in NAMES else str(TITLES.get(probe, probe))


def line(outcome: Outcome) -> Line:
    counted = outcome.tried and outcome.probe not in {"speed", "context"}
    score = _("%(passed)d of %(tried)d") % {"passed": outcome.passed, "tried": outcome.tried} if counted else ""
    verdict = outcome.verdict
    return Line(
        title=title(outcome.probe), verdict=str(VERDICTS[verdict]), status=STATUS[verdict], score=score, detail=detail(outcome),
        faults=outcome.faults, seconds=outcome.seconds,
    )  # fmt: skip


def lines(outcomes: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [line(outcome_of(plain)) for plain in outcomes]


def detail(outcome: Outcome) -> str:
    figures = outcome.figures
    if outcome.probe == "speed" and outcome.tried:
        said = _("Reads %(reading)s tokens a second, writes %(writing)s. First word of an answer to %(prompt)s tokens: after %(first)s s.")
        return said % {
            "reading": rate(figures["prompt_tokens_per_second"]), "writing": rate(figures["tokens_per_second"]),
            "prompt": round(figures["prompt_tokens"]), "first": f"{figures['first_word_seconds']:.2g}",
        }  # fmt: skip
    if outcome.probe == "context" and figures.get("tokens"):
        return _("Reads and remembers prompts of %(tokens)s tokens.") % {"tokens": f"{figures['tokens']:,.0f}"}
    if outcome.probe == "context" and outcome.tried:
        return _("Takes prompts of %(tokens)s tokens, and forgets how they begin.") % {"tokens": f"{figures['accepted']:,.0f}"}
    return ""


def rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def progress(card: Card) -> dict[str, Any]:
    """How far the test is that was asked for last."""
    return {"done": len(card.told), "of": len(PROBES), "doing": title(card.doing) if card.doing else "", "lines": lines(card.told)}


def uses(card: Card) -> list[str]:
    """What North makes of it, each a sentence."""
    facts = card.facts()
    limits = limits_for(facts)
    ways = {
        "schema": _("Its JSON is constrained by a schema."),
        "tools": _("It replies with JSON by calling a tool: it does not keep a schema."),
        "words": _("It is only asked for JSON in words: it keeps no schema and calls no tool. More of its plans will be unusable."),
    }
    said = _("It reads up to %(tokens)s tokens of passages for an answer (%(passages)d passages at most).")
    sentences = [said % {"tokens": f"{limits.reading_tokens:,}", "passages": limits.passages}, ways[facts.replies]]
    if not facts.rewrites:
        sentences.append(_("It does not reword follow-up questions: they are searched for as they were asked."))
    if not facts.judges:
        sentences.append(_("It cannot tell when documents do not hold an answer: people are told to compare with the sources."))
    return sentences


def short(card: Card | None) -> list[str]:
    """For people who ask: what the model is good and bad at, each a sentence."""
    if card is None or not card.outcomes:
        return [_("What this model can do was not tested yet. An administrator can do that.")]
    found = {outcome.probe: outcome for outcome in map(outcome_of, card.outcomes)}
    spoken: dict[str, list[str]] = {"well": [], "partly": [], "failed": [], "untested": []}
    for code in LANGUAGES:
        spoken[found.get(LANGUAGE + code, Outcome("")).verdict].append(str(NAMES[code]))
    failed = {probe for probe, outcome in found.items() if outcome.verdict == "failed"}
    said = {
        "well": _("It answered well in %s."), "partly": _("It answered partly well in %s."), "failed": _("It failed its test in %s."),
        "untested": _("It was not tested in %s."),
    }  # fmt: skip
    sentences = [said[verdict] % ", ".join(names) for verdict, names in spoken.items() if names]
    warnings = {
        "grounded": _("It failed its test in answering with the right fact: compare each answer with its sources."),
        "refusal": _("It cannot tell when the documents do not hold an answer: compare each answer with its sources."),
        "follow_up": _("It does not understand follow-up questions well: ask whole questions."),
    }
    return [*sentences, *(words for probe, words in warnings.items() if probe in failed)]


def table(outcomes: Sequence[Outcome]) -> str:
    """For a terminal."""
    rows = [line(outcome) for outcome in outcomes]
    wide = max(len(row.title) for row in rows)
    told = []
    for row in rows:
        told.append(f"{row.title:{wide}}  {row.verdict:10}  {row.score:8}  {row.seconds:6.1f} s  {row.detail}".rstrip())
        told += [f"{'':{wide}}  - {fault}" for fault in row.faults]
    return "\n".join(told)
