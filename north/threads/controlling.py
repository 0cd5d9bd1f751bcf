"""Forms of run control: go on, do it again from a step, and the questions that wait behind one that works."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from north.threads import control, pages
from north.threads.models import Queued, Run
from north.threads.reading import is_id
from north.threads.views import own, own_run, taken
from north.workspaces.access import inside
from north.workspaces.models import Membership


@require_POST
@inside()
@taken
def resume(request: HttpRequest, membership: Membership, run_id: UUID) -> HttpResponse:
    return reopened(request, membership, control.resume(own_run(membership, run_id), actor=membership))


@require_POST
@inside()
@taken
def retry(request: HttpRequest, membership: Membership, run_id: UUID) -> HttpResponse:
    return reopened(request, membership, control.retry(own_run(membership, run_id), request.POST.get("step", ""), actor=membership))


def reopened(request: HttpRequest, membership: Membership, run: Run) -> HttpResponse:
    """The run in its place; it opens its stream by itself."""
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "threads/thread.html#run", {"run": pages.run_page(run.pk, membership)})
    return redirect(reverse("threads:thread", args=[membership.workspace.slug, run.thread_id]) + f"?run={run.pk}#run-{run.pk}")


@require_safe
@inside()
def waiting(request: HttpRequest, membership: Membership, thread_id: UUID) -> HttpResponse:
    """What waits in this thread now, and the runs that came of what waited before (`ids`)."""
    thread = own(membership, thread_id)
    ids = {one for one in request.GET.get("ids", "").split(",")[: control.QUEUED] if is_id(one)}
    asked = pages.runs_of(Run.objects.of(membership).filter(thread=thread, pk__in=ids), membership)
    values = {"queued": list(thread.queued.all()), "thread": thread, "slug": membership.workspace.slug, "asked": asked}
    return render(request, "threads/thread.html#queue", values)


@require_POST
@inside()
def unqueue(request: HttpRequest, membership: Membership, thread_id: UUID, queued_id: UUID) -> HttpResponse:
    thread = own(membership, thread_id)
    row = get_object_or_404(Queued.objects.select_related("thread"), thread=thread, pk=queued_id)
    control.unqueue(row, actor=membership)
    if request.htmx:  # type: ignore[attr-defined]
        return waiting_part(request, membership, row)
    return redirect("threads:thread", membership.workspace.slug, thread_id)


def waiting_part(request: HttpRequest, membership: Membership, row: Queued) -> HttpResponse:
    values = {"queued": list(row.thread.queued.all()), "thread": row.thread, "slug": membership.workspace.slug, "out_of_band": True}
    return render(request, "threads/thread.html#queue", values)
