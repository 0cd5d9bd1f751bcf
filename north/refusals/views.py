"""The page on which people say which passages answer a question, and owners see and take over the threshold that comes of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north.evaluation import calibrating, thresholds
from north.evaluation.errors import Refused
from north.evaluation.models import EvidenceMark
from north.refusals import proposing
from north.refusals.plotting import drawing
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role

LATEST = 5
"""Marks that are shown, to be taken back."""


class Wanted(forms.Form):
    """What makes no sense is as if nothing were said."""

    risk = forms.TypedChoiceField(
        label=gettext_lazy("Wrong answers at most"), coerce=float,
        choices=[(risk, f"{risk:.0%}") for risk in thresholds.RISKS],
    )  # fmt: skip


@require_safe
@never_cache
@inside(Role.EDITOR)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    return render(request, "refusals/page.html", context(membership, risk_of(request.GET)))


def risk_of(given: Any) -> float:
    form = Wanted(given)
    return float(form.cleaned_data["risk"]) if form.is_valid() else thresholds.RISK


def context(membership: Membership, risk: float) -> dict[str, Any]:
    own, marks = thresholds.own(membership.workspace_id), thresholds.marks_of(membership.workspace_id)
    lacking, now = calibrating.lacking(marks), thresholds.refuses_below(membership.workspace_id)
    fit = None if any(lacking) else calibrating.fit(marks, risk)
    mine = EvidenceMark.objects.filter(workspace=membership.workspace_id, marked_by=membership.user_id)
    return {
        "nav": "settings", "form": Wanted({"risk": risk}), "risk": risk, "percent": round(risk * 100), "own": own, "now": now,
        "judge": thresholds.judge_name(), "count": len(marks), "lacking": lacking, "fewest": calibrating.FEWEST, "fit": fit,
        "few_of_a_kind": calibrating.FEWEST_OF_A_KIND, "before": calibrating.point(marks, now),
        "drawing": drawing(marks, now, fit.chosen if fit else None, risk) if marks and not any(lacking) else None,
        "proposal": next(iter(proposing.proposals(membership, 1)), None), "latest": mine[:LATEST],
    }  # fmt: skip


@require_POST
@inside(Role.EDITOR)
def mark(request: HttpRequest, membership: Membership) -> HttpResponse:
    """`id` of what was proposed, and `answers`: yes or no. The next one to htmx."""
    found, answers = proposing.one_of(membership, id_of(request.POST.get("id", ""))), request.POST.get("answers", "")
    if found is None or answers not in {"yes", "no"}:
        raise Http404
    try:
        thresholds.mark(found.question, found.evidence, answers=answers == "yes", actor=membership)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("refusals:index", membership.workspace.slug)


@require_POST
@inside(Role.EDITOR)
def take_back(request: HttpRequest, membership: Membership, mark: UUID) -> HttpResponse:
    rows = EvidenceMark.objects.filter(workspace=membership.workspace_id, marked_by=membership.user_id)
    thresholds.take_back(get_object_or_404(rows, pk=mark), actor=membership)
    return redirect("refusals:index", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def use(request: HttpRequest, membership: Membership) -> HttpResponse:
    try:
        row = thresholds.use(risk_of(request.POST), actor=membership)
        messages.success(request, _("Questions are refused below an evidence of %(value).2f now.") % {"value": row.value})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("refusals:index", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def reset(request: HttpRequest, membership: Membership) -> HttpResponse:
    thresholds.reset(actor=membership)
    messages.success(request, _("The chat model alone decides again whether passages hold an answer."))
    return redirect("refusals:index", membership.workspace.slug)


def id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
