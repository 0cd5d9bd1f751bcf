"""Pages that look back at a run: what was behind it, and how it compares with the one that it repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from north.documents.rendering import part_of, plain
from north.documents.views.viewing import leaves, number, span_of
from north.threads import replaying
from north.threads.differing import Comparison, comparison
from north.threads.models import Run, WebPage
from north.threads.pages import label, place_of
from north.threads.tracing import TracedRun, TracedStep, trace_of
from north.threads.views import own_run, taken
from north.workspaces.access import inside
from north.workspaces.models import Membership


def looked_at(membership: Membership, run_id: UUID) -> Run:
    rows = Run.objects.of(membership).select_related("thread", "agent", "version", "repeats")
    return get_object_or_404(rows.prefetch_related("steps", "traces", "approvals"), pk=run_id)


@require_safe
@inside()
def trace(request: HttpRequest, membership: Membership, run_id: UUID) -> HttpResponse:
    run = looked_at(membership, run_id)
    found = trace_of(run, membership)
    values = {
        "nav": "threads", "run": run, "trace": found, "slug": membership.workspace.slug, "lines": lines(found, membership.workspace.slug),
        "opened": "open" in request.GET,
        "missing": replaying.missing(run, membership).words if run.over else [],
    }  # fmt: skip
    return render(request, "threads/trace.html", values)


@require_safe
@inside()
def web_page(request: HttpRequest, membership: Membership, page_id: UUID) -> HttpResponse:
    """A page of the web as a run has read it; `start`, `end`, `of` and `part` as a document's."""
    row = get_object_or_404(WebPage.objects.of(membership).select_related("run", "artifact"), pk=page_id)
    pane = bool(request.htmx) and request.htmx.target == "aside"  # type: ignore[attr-defined]
    span, moved = span_of(request, row.text)
    part = part_of(row.text, number=number(request.GET.get("part")), around=span.start if span else 0)
    values = {
        "nav": "threads", "web_page": row, "pane": pane, "moved": moved, "html": plain(row.text, part.start, part.end, span),
        "leaves": leaves(span, "part", part.number, part.count),
    }  # fmt: skip
    return render(request, "threads/web_page.html#viewer" if pane else "threads/web_page.html", values)


def lines(found: TracedRun, slug: str) -> list[tuple[str, TracedStep]]:
    """Each step, and what it did in words; its passages with where they are read."""
    return [(named(one), replace(one, passages=[opened(passage, slug) for passage in one.passages])) for one in found.steps]


def named(one: TracedStep) -> str:
    return str(one.detail.get("name") or label(one.step.kind, one.step.ended_at is not None))


def opened(passage: Mapping[str, Any], slug: str) -> dict[str, Any]:
    return {**passage, "href": place_of(slug, passage["document"], passage["start"], passage["end"]) if passage["document"] else ""}


@require_POST
@inside()
@taken
def replay(request: HttpRequest, membership: Membership, run_id: UUID) -> HttpResponse:
    run = replaying.replay(own_run(membership, run_id), actor=membership, anyway="anyway" in request.POST)
    return redirect("threads:comparison", membership.workspace.slug, run.pk)


@require_safe
@inside()
def compared(request: HttpRequest, membership: Membership, run_id: UUID) -> HttpResponse:
    """Beside the run that it repeats; while it works the page looks again by itself."""
    found = comparison_of(membership, run_id)
    values = {"nav": "threads", "found": found, "run": found.now, "slug": membership.workspace.slug}
    return render(request, "threads/comparison.html", values)


def comparison_of(membership: Membership, run_id: UUID) -> Comparison:
    """A 404 where it repeats none, or none that is there any more."""
    now = looked_at(membership, run_id)
    if now.repeats_id is None:
        raise Http404
    return comparison(looked_at(membership, now.repeats_id), now, membership)
