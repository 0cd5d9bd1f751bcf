"""Pages that look back at a run: what was behind it, and how it compares with the one that it repeats."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from north.threads import replaying
from north.threads.differing import Comparison, comparison
from north.threads.models import Run
from north.threads.pages import label
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
        "nav": "threads", "run": run, "trace": found, "slug": membership.workspace.slug, "lines": lines(found),
        "opened": "open" in request.GET,
        "missing": replaying.missing(run, membership).words if run.over else [],
    }  # fmt: skip
    return render(request, "threads/trace.html", values)


def lines(found: TracedRun) -> list[tuple[str, TracedStep]]:
    """Each step, and what it did in words."""
    return [(str(one.detail.get("name") or label(one.step.kind, one.step.ended_at is not None)), one) for one in found.steps]


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
