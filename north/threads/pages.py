"""What a thread's page shows of its runs, ready for the template: answers as HTML, sources and steps as links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from north.threads.models import Run, Step
from north.threads.reading import TELLING, OpenDocument, Shown, ShownCitation, ShownSource, ShownStep, show_step, shown
from north.threads.rendering import Mark, render
from north.workspaces.models import Membership

QUOTE_LENGTH = 240
ICONS = {"understand": "understand", "plan": "plan", "search": "search", "read": "read", "answer": "pencil", "cite": "quote"}


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    href: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step as the page shows it."""

    ordinal: int
    status: str
    icon: str
    label: str
    query: str
    notes: tuple[str, ...]
    found: tuple[Link, ...]
    hidden: int
    error: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class SourceCard:
    number: int
    name: str
    href: str
    quote: str
    changed: bool


@dataclass(frozen=True, slots=True)
class RunPage:
    run: Run
    slug: str
    steps: tuple[StepLine, ...]
    summary: str
    answer: SafeString
    sources: tuple[SourceCard, ...]


def runs_of(runs: QuerySet[Run], membership: Membership) -> list[RunPage]:
    """Four queries, however many runs."""
    slug = membership.workspace.slug
    return [page_of(one, slug) for one in shown(list(runs.prefetch_related("steps", "citations")), membership)]


def run_page(run_id: UUID, membership: Membership) -> RunPage:
    """Raises `Http404`."""
    found = runs_of(Run.objects.of(membership).filter(pk=run_id), membership)
    if not found:
        raise Http404
    return found[0]


def page_of(one: Shown, slug: str) -> RunPage:
    run = one.run
    marks = [mark_of(citation, slug) for citation in one.citations]
    if run.status == Run.Status.DONE and not run.refused:
        marks += [Mark(span["start"], span["end"]) for span in run.unsupported]
    return RunPage(
        run=run,
        slug=slug,
        steps=tuple(step_line(step, slug) for step in one.steps),
        summary=summary_of(one),
        answer=render(run.answer, marks),
        sources=tuple(card(source, slug) for source in one.sources),
    )


def href_of(slug: str, document: str, start: int | None = None, end: int | None = None) -> str:
    """Where a document is read, at these words."""
    place = "?" + urlencode({"start": start, "end": end}) if start is not None else ""
    return reverse("documents:document", args=[slug, document]) + place


def mark_of(citation: ShownCitation, slug: str) -> Mark:
    first = next((source for source in citation.sources if not source.closed), None)
    numbers = tuple(dict.fromkeys(source.number for source in citation.sources))
    if first is None:
        return Mark(citation.start, citation.end, numbers, title=_("A source you may no longer open"))
    title = f"{first.name}: “{shortened(first.text)}”"
    return Mark(citation.start, citation.end, numbers, href_of(slug, first.document, first.start, first.end), title)


def card(source: ShownSource, slug: str) -> SourceCard:
    if source.closed:
        return SourceCard(source.number, "", "", "", False)
    href = href_of(slug, source.document, source.start, source.end)
    return SourceCard(source.number, source.name, href, shortened(source.text), source.changed)


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_LENGTH else line[: QUOTE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def summary_of(one: Shown) -> str:
    """What was done, in a line."""
    searches = sum(line.step.kind == "search" for line in one.steps)
    if not searches:
        return ngettext("%(count)d step", "%(count)d steps", len(one.steps)) % {"count": len(one.steps)}
    found = {document.document for line in one.steps for document in line.found}
    return ", ".join([
        ngettext("%(count)d search", "%(count)d searches", searches) % {"count": searches},
        ngettext("%(count)d document found", "%(count)d documents found", len(found)) % {"count": len(found)},
    ])  # fmt: skip


def step_line(one: ShownStep, slug: str) -> StepLine:
    step = one.step
    found = tuple(Link(document.name, href_of(slug, document.document, document.start, document.end)) for document in one.found)
    seconds = (step.ended_at - step.started_at).total_seconds() if step.ended_at else None
    return StepLine(
        ordinal=step.ordinal, status=status_of(step.error, step.ended_at is not None), icon=ICONS.get(step.kind, "read"),
        label=label(step.kind, step.ended_at is not None), query=str(step.detail.get("query", "")), notes=notes_of(step.detail),
        found=found, hidden=one.hidden, error=step.error, seconds=seconds,
    )  # fmt: skip


def told_line(told: Mapping[str, Any], slug: str) -> StepLine:
    """The same from a journal, which was stripped of what its reader may not open."""
    ended = told["ended_at"]
    step = Step(
        ordinal=told["ordinal"], kind=told["kind"], detail=told["detail"], error=told["error"],
        started_at=datetime.fromisoformat(told["started_at"]), ended_at=datetime.fromisoformat(ended) if ended else None,
    )  # fmt: skip
    named = {one["document"]: OpenDocument(one["name"], None) for name in TELLING for one in step.detail.get(name, [])}
    return step_line(show_step(step, named), slug)


def status_of(error: str, over: bool) -> str:
    return "failed" if error else "done" if over else "running"


def notes_of(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """What else a step has to say."""
    queries = [str(query) for query in detail.get("queries", [])]
    said = [
        _("Searching for: %(queries)s") % {"queries": "; ".join(queries)} if len(queries) > 1 else "",
        _("As a question of its own: %(question)s") % {"question": detail["standalone"]} if is_reworded(detail) else "",
        _("Not there yet, searching once more.") if detail.get("next") else "",
        str(detail.get("note", "")),
    ]
    return tuple(filter(None, said))


def is_reworded(detail: Mapping[str, Any]) -> bool:
    return bool(detail.get("standalone")) and detail["standalone"] != detail.get("question")


def label(kind: str, over: bool) -> str:
    """What a step does, or did, in words."""
    doing = {
        "understand": (_("Understanding the question"), _("Understood the question")),
        "plan": (_("Planning"), _("Planned")),
        "search": (_("Searching"), _("Searched")),
        "read": (_("Reading what was found"), _("Read what was found")),
        "answer": (_("Writing the answer"), _("Wrote the answer")),
        "cite": (_("Checking each sentence against its source"), _("Checked each sentence against its source")),
    }.get(kind, (_("Working"), _("Done")))
    return doing[over]
