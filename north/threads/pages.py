"""What a thread's page shows of its runs, ready for the template: answers as HTML, sources and steps as links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet, prefetch_related_objects
from django.http import Http404
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from north.documents.rendering import Span
from north.documents.views.viewing import address
from north.evaluation.golden import marked
from north.exports.charts import Plot, plot, rows_of
from north.threads.approving import EDITABLE, effects_of, schema_of
from north.threads.fields import Field, arguments_of, field_of
from north.threads.models import Approval, ArtifactVersion, Run, Step
from north.threads.naming import is_page
from north.threads.papers import formats
from north.threads.planned import PlanLine, PlanRow, plan_lines, plan_rows, tool_names
from north.threads.reading import TELLING, OpenDocument, Shown, ShownCitation, ShownSource, ShownStep, Value, show_step, shown
from north.threads.rendering import Mark, render
from north.workspaces.models import Membership, Workspace

QUOTE_LENGTH = 240
UNSHOWN = {"citations", "labels", "series", "kind"}
"""Arguments that are shown otherwise than as text."""
WAITING = Approval.Standing.WAITING
ICONS = {
    "understand": "understand",
    "plan": "plan",
    "search": "search",
    "act": "settings",
    "weigh": "check",
    "read": "read",
    "note": "document",
    "answer": "pencil",
    "cite": "quote",
}


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
    plan: tuple[PlanLine, ...] = ()
    tokens: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class SourceCard:
    number: int
    name: str
    href: str
    quote: str
    changed: bool
    document: str = ""
    """Named once: by the first of a run's sources that is of this document."""
    marked: bool = False
    """Its reader said that this document answers the question."""
    as_of: datetime | None = None
    url: str = ""
    """Of a page of the web: where it was read,"""
    fetched_at: datetime | None = None
    """and when."""


@dataclass(frozen=True, slots=True)
class ApprovalCard:
    """A proposed action as whoever must decide sees it."""

    row: Approval
    slug: str
    title: str
    fields: tuple[Field, ...]
    waiting: bool
    plan: tuple[PlanRow, ...] = ()
    """Of a plan its steps, and an empty row for another."""
    tools: tuple[tuple[str, str], ...] = ()

    @property
    def picture(self) -> Picture | None:
        return picture(self.row.arguments) if self.row.tool == "create_chart" else None


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart, drawn, and as a table."""

    chart: Mapping[str, Any]
    plot: Plot
    rows: list[list[str]]


def picture(chart: Mapping[str, Any]) -> Picture:
    return Picture(chart, plot(chart), rows_of(chart))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sentence of the answer that its source does not carry whole."""

    text: str
    support: str
    label: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Support:
    """What the verifier said of an answer: a line, and the sentences of which it was not sure."""

    line: str
    level: str
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class RunPage:
    run: Run
    slug: str
    steps: tuple[StepLine, ...]
    summary: str
    answer: SafeString
    sources: tuple[SourceCard, ...]
    approvals: tuple[ApprovalCard, ...] = ()
    support: Support | None = None
    conflicts: tuple[tuple[tuple[Link, Value], ...], ...] = ()
    nearest: tuple[Link, ...] = ()
    """Of a refusal, with the owner's name in brackets."""
    written: tuple[Link, ...] = ()

    @property
    def downloads(self) -> tuple[Link, ...]:
        return downloads(reverse("threads:export_run", args=[self.slug, self.run.pk, "md"]), self.run.answer)


def runs_of(runs: QuerySet[Run], membership: Membership) -> list[RunPage]:
    """Five queries, however many runs; one more each where some are not over, and where some wrote documents."""
    slug = membership.workspace.slug
    versions = ArtifactVersion.objects.select_related("artifact").defer("text", "citations")
    wrote = Exists(ArtifactVersion.objects.filter(run=OuterRef("pk")))
    found = list(runs.annotate(wrote=wrote).prefetch_related("steps", "citations"))
    prefetch_related_objects([run for run in found if not run.over], "approvals")
    prefetch_related_objects([run for run in found if run.wrote], Prefetch("written", versions))
    answers = marked(membership, [run.question for run in found])
    return [page_of(one, slug, answers.get(one.run.question, set())) for one in shown(found, membership)]


def run_page(run_id: UUID, membership: Membership) -> RunPage:
    """Raises `Http404`."""
    found = runs_of(Run.objects.of(membership).filter(pk=run_id), membership)
    if not found:
        raise Http404
    return found[0]


def page_of(one: Shown, slug: str, answers: Collection[str]) -> RunPage:
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
        sources=cards(one.sources, slug, answers),
        approvals=() if run.over else tuple(approval_card(row, slug) for row in run.approvals.all() if row.standing == WAITING),
        support=support_of(run) if run.claims else None,
        conflicts=tuple(
            tuple((Link(value.name, place_of(slug, value.document, value.start, value.end)), value) for value in values)
            for values in one.conflicts
        ),
        nearest=tuple(Link(near.label, place_of(slug, near.document)) for near in one.nearest),
        written=tuple(Link(f"{version.artifact.title} ({version.number})", written_at(version, slug)) for version in run.written.all())
        if run.wrote  # type: ignore[attr-defined]
        else (),
    )


def downloads(address: str, text: str, chart: Mapping[str, Any] | None = None) -> tuple[Link, ...]:
    """The files that a text can be had as; `address` is that of its Markdown."""
    names = {"docx": "Word", "pdf": "PDF", "md": "Markdown", "xlsx": "Excel", "svg": _("Picture (SVG)")}
    place, _dot, query = address.partition("file.md")
    return tuple(Link(names[kind], f"{place}file.{kind}{query}") for kind in formats(text, chart))


def written_at(version: ArtifactVersion, slug: str) -> str:
    return reverse("threads:artifact", args=[slug, version.artifact_id]) + f"?version={version.number}"


def waiting_cards(run_id: UUID, membership: Membership) -> list[ApprovalCard]:
    """What this run of theirs waits for now."""
    rows = Approval.objects.of(membership).waiting().filter(run=run_id)
    return [approval_card(row, membership.workspace.slug) for row in rows]


def approval_card(row: Approval, slug: str) -> ApprovalCard:
    if row.tool == "plan":
        return plan_card(row, slug)
    titles = {"write_document": _("North wants to keep a document"), "ask_user": _("North has a question"),
              "create_chart": _("North wants to keep a chart"),
        "fetch_page": _("North wants to read a page of the web")}  # fmt: skip
    title = titles.get(row.tool) or _("North wants to use %(tool)s") % {"tool": row.tool}
    if row.standing == WAITING and row.tool not in EDITABLE and (schema := schema_of(row)):
        return ApprovalCard(row, slug, title, arguments_of(row, schema), True)
    allowed, shown = EDITABLE.get(row.tool, {}), {name: value for name, value in row.arguments.items() if name not in UNSHOWN}
    fields = tuple(field_of(name, value, name in allowed, name in row.derived) for name, value in shown.items())
    return ApprovalCard(row, slug, title, fields, row.standing == WAITING)


def plan_card(row: Approval, slug: str) -> ApprovalCard:
    rows, tools = plan_rows(row.arguments["steps"]), tuple((tool, tool_names().get(tool, tool)) for tool in row.arguments["tools"])
    return ApprovalCard(row, slug, _("North’s plan"), (), row.standing == WAITING, rows, tools)


def support_of(run: Run) -> Support:
    labels = {
        "supported": _("supported"), "partly": _("partly supported"), "unsupported": _("not supported"),
        "contradicted": _("contradicted"), "not verified": _("not verified"),
    }  # fmt: skip
    found = Counter(str(claim["support"]) for claim in run.claims)
    doubts = tuple(
        Doubt(claim["text"], claim["support"], labels.get(claim["support"], ""), tuple(claim["reasons"]))
        for claim in run.claims if claim["support"] != "supported"
    )  # fmt: skip
    line = ", ".join(f"{found[support]} {label}" for support, label in labels.items() if found[support])
    level = "error" if found["contradicted"] else "warning" if found["unsupported"] or found["partly"] else "info" if doubts else "success"
    return Support(_("Sentences: %(line)s") % {"line": line}, level, doubts)


def rules_of(workspace: Workspace) -> list[dict[str, Any]]:
    """Each tool, what it does, and what the workspace says of it."""
    said = dict(workspace.tool_rules.values_list("tool", "rule"))
    names = tool_names()
    free = {
        "reads": _("Default: allowed, it only reads"),
        "writes": _("Default: asks first"),
        "asks": _("Default: asks, that is what it does"),
        "leaves": _("Default: asks first, it leaves the house"),
    }
    return [
        {"tool": tool, "name": names.get(tool, tool), "default": free[effect], "rule": said.get(tool, "")}
        for tool, effect in effects_of(workspace).items()
    ]


def place_of(slug: str, source: str, start: int | None = None, end: int | None = None, words: str = "") -> str:
    """Where a document, or a page of the web as a run has read it, is read at these words."""
    span = Span(start, end) if start is not None and end is not None else None
    return address(slug, source, span, words, view="threads:web_page" if is_page(source) else "documents:document")


def mark_of(citation: ShownCitation, slug: str) -> Mark:
    first = next((source for source in citation.sources if not source.closed), None)
    numbers = tuple(dict.fromkeys(source.number for source in citation.sources))
    if first is None:
        return Mark(citation.start, citation.end, numbers, title=_("A source you may no longer open"))
    title = f"{first.name}: “{shortened(first.text)}”"
    return Mark(citation.start, citation.end, numbers, place_of(slug, first.document, first.start, first.end, first.text), title)


def cards(sources: Sequence[ShownSource], slug: str, answers: Collection[str]) -> tuple[SourceCard, ...]:
    """`answers`: the documents that their reader marked as the question's."""
    found: list[SourceCard] = []
    seen: set[str] = set()
    for source in sources:
        if source.closed:
            found.append(SourceCard(source.number, "", "", "", False))
            continue
        href = place_of(slug, source.document, source.start, source.end, source.text)
        first = source.document not in seen
        seen.add(source.document)
        document = source.document if first and not is_page(source.document) else ""
        found.append(SourceCard(source.number, source.name, href, shortened(source.text), source.changed, document, document in answers,
                                source.as_of, source.url, source.fetched_at))  # fmt: skip
    return tuple(found)


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
    found = tuple(Link(document.name, place_of(slug, document.document, document.start, document.end)) for document in one.found)
    seconds = (step.ended_at - step.started_at).total_seconds() if step.ended_at else None
    return StepLine(
        ordinal=step.ordinal, status=status_of(step.error, step.ended_at is not None), icon=ICONS.get(step.kind, "read"),
        label=label(step.kind, step.ended_at is not None), query=str(step.detail.get("query") or step.detail.get("name") or ""),
        notes=notes_of(step.detail), found=found, hidden=one.hidden, error=step.error, seconds=seconds,
        plan=plan_lines(step.detail), tokens=step.tokens_in + step.tokens_out, key=step.key,
    )  # fmt: skip


def told_line(told: Mapping[str, Any], slug: str) -> StepLine:
    """The same from a journal, which was stripped of what its reader may not open."""
    ended = told["ended_at"]
    step = Step(
        ordinal=told["ordinal"], kind=told["kind"], detail=told["detail"], error=told["error"],
        tokens_in=told["tokens_in"], tokens_out=told["tokens_out"],
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
        _("Searching for: %(queries)s") % {"queries": "; ".join(queries)} if len(queries) > 1 and not detail.get("steps") else "",
        _("As a question of its own: %(question)s") % {"question": detail["standalone"]} if is_reworded(detail) else "",
        _("Not there yet, searching once more.") if detail.get("next") else "",
        str(detail.get("result", "")),
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
        "act": (_("Using a tool"), _("Used a tool")),
        "weigh": (_("Comparing the results with the plan"), _("Compared the results with the plan")),
        "note": (_("Noting what the documents say"), _("Noted what the documents say")),
        "answer": (_("Writing the answer"), _("Wrote the answer")),
        "cite": (_("Checking each sentence against its source"), _("Checked each sentence against its source")),
    }.get(kind, (_("Working"), _("Done")))
    return doing[over]
