"""How well a workspace's search finds, for its owners: over time, before and after a change, question by question; and its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north import wiring
from north.documents import passages
from north.documents.models import SearchWeights
from north.evaluation import actions, golden
from north.evaluation.comparing import MEASURES, Pair, changes, last, paired
from north.evaluation.errors import Refused
from north.evaluation.fitting import FEWEST
from north.evaluation.models import WAYS, Measurement, Outcome
from north.evaluation.plotting import drawing
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role

A_PAGE = 50
"""Questions of a page."""
SHOWN = 40
"""Measurements of the plot and the table, the latest."""
NAMES = {
    "bm25": gettext_lazy("by words"),
    "dense": gettext_lazy("by meaning"),
    "fused": gettext_lazy("by both"),
    "reranked": gettext_lazy("judged"),
}
LABELS = {"ndcg@10": "nDCG@10", "recall@50": "recall@50", "mrr@10": "MRR@10"}
Kind = Measurement.Kind


@dataclass(frozen=True, slots=True)
class Hit:
    """`name` empty: the owner who looks may not read it."""

    name: str
    document: UUID | None
    answers: bool


class Wanted(forms.Form):
    """What is drawn; what makes no sense is as if nothing were said."""

    of = forms.ChoiceField(label=gettext_lazy("Measure"), choices=list(LABELS.items()), required=False)


@require_safe
@never_cache
@inside(Role.OWNER)
def quality(request: HttpRequest, membership: Membership) -> HttpResponse:
    rows = Measurement.objects.filter(workspace=membership.workspace_id).select_related("asked_by")
    latest = list(rows[: 2 * SHOWN])
    job = next((one for one in latest if not one.over), latest[0] if latest else None)
    context: dict[str, Any] = {"nav": "settings", "job": job}
    if job and not job.over:
        context["done"] = job.outcomes.count()
    if request.htmx and request.htmx.target == "status" and job and not job.over:  # type: ignore[attr-defined]
        return render(request, "evaluation/quality.html#status", context)
    form = Wanted(request.GET)
    of = (form.cleaned_data.get("of") if form.is_valid() else "") or MEASURES[0]
    measured = [one for one in latest if one.kind == Kind.MEASURE and one.status == Measurement.Status.DONE][:SHOWN]
    context |= {
        "form": Wanted({"of": of}),
        "of": LABELS[of],
        "count": golden.questions_of(membership).count(),
        "figures": figures_of(measured[0]) if measured else [],
        "drawing": drawing(measured[::-1], of) if measured else None,
        "names": NAMES,
        "rows": [{"one": one, "figures": figures_of(one), "weights": weights_words(one.weights, one.score_model)} for one in measured],
        **weights_context(membership, latest),
    }
    return render(request, "evaluation/quality.html", context)


def figures_of(one: Measurement) -> list[dict[str, Any]]:
    """The measures of the last way, as numbers and as words."""
    told = one.figures[last(one.figures)]
    return [
        {"label": LABELS[name], "value": told[name], "low": told["interval"][name][0], "high": told["interval"][name][1]}
        for name in MEASURES
    ]


def weights_context(membership: Membership, latest: Sequence[Measurement]) -> dict[str, Any]:
    """The weights of today, and what the last fit found."""
    own = SearchWeights.objects.filter(workspace=membership.workspace_id).first()
    used = bool(own and passages.weights_of(str(membership.workspace_id)))
    fit = next((one for one in latest if one.kind == Kind.FIT and one.status == Measurement.Status.DONE), None)
    default = passages.default_weights()
    judge = wiring.model_name("score") if settings.MODELS.get("score") else ""
    current = vars(own) if own and used else {**asdict(default), "blend": 1.0}
    return {"own": own, "used": used, "current": weights_words(current, judge), "fit": fit, "fewest": FEWEST,
            "fit_words": weights_words(fit.weights, fit.score_model) if fit else ""}  # fmt: skip


def weights_words(weights: Mapping[str, Any], judge: str) -> str:
    """As one line: what a cosine counts, what BM25's score does, and what both do where there is a `judge`."""
    said = _("cosine %(cosine).3g, words %(words).3g, offset %(offset).3g")
    words = said % {name: weights[name] for name in ("cosine", "words", "offset")}
    return words + (_(", first search beside the judge %.2g times") % weights["blend"] if judge else "")


@require_POST
@inside(Role.OWNER)
def begin(request: HttpRequest, membership: Membership) -> HttpResponse:
    """`kind`: measure or fit."""
    kind = request.POST.get("kind", "")
    if kind not in Kind.values:
        raise Http404
    try:
        actions.begin(Kind(kind), actor=membership)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("evaluation:quality", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def stop(request: HttpRequest, membership: Membership, measurement: UUID) -> HttpResponse:
    actions.stop(one_of(membership, measurement), actor=membership)
    return redirect("evaluation:quality", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def use(request: HttpRequest, membership: Membership, measurement: UUID) -> HttpResponse:
    try:
        actions.use(one_of(membership, measurement), actor=membership)
        messages.success(request, _("Searches of this workspace weigh by the fitted weights now. Measure again to see what that changes."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("evaluation:quality", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def reset(request: HttpRequest, membership: Membership) -> HttpResponse:
    actions.reset(actor=membership)
    messages.success(request, _("Searches of this workspace weigh by the defaults now."))
    return redirect("evaluation:quality", membership.workspace.slug)


def one_of(membership: Membership, measurement: UUID) -> Measurement:
    return get_object_or_404(Measurement, workspace=membership.workspace_id, pk=measurement)


# --- one measurement, beside another --------------------------------------------------------------------------------------------------
@require_safe
@never_cache
@inside(Role.OWNER)
def measurement(request: HttpRequest, membership: Membership, measurement: UUID) -> HttpResponse:
    """`before`: the measurement it is compared with; without one, that before it."""
    rows = Measurement.objects.filter(workspace=membership.workspace_id, kind=Kind.MEASURE, status=Measurement.Status.DONE)
    one = get_object_or_404(rows, pk=measurement)
    others = list(rows.exclude(pk=one.pk)[:SHOWN])
    wanted = request.GET.get("before", "")
    before = next((other for other in others if str(other.pk) == wanted), None)
    before = before or next((other for other in others if other.created_at < one.created_at), None)
    pairs = paired(outcomes_of(one), outcomes_of(before) if before else [])
    page = Paginator(pairs, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "nav": "settings", "one": one, "before": before, "others": others, "changes": changes(pairs), "labels": LABELS,
        "weights": weights_words(one.weights, one.score_model), "ways": ways_of(one), "page": page,
        "pairs": shown(list(page.object_list), membership),
        "better": sum(pair.by > 0 for pair in pairs), "worse": sum(pair.by < 0 for pair in pairs),
    }  # fmt: skip
    return render(request, "evaluation/measurement.html", context)


def outcomes_of(one: Measurement) -> list[Outcome]:
    return list(one.outcomes.select_related("question", "question__asker"))


def ways_of(one: Measurement) -> list[dict[str, Any]]:
    return [
        {"name": NAMES[way], "values": [(LABELS[name], one.figures[way][name], *one.figures[way]["interval"][name]) for name in MEASURES]}
        for way in WAYS
        if way in one.figures
    ]


def shown(pairs: Sequence[Pair], membership: Membership) -> list[dict[str, Any]]:
    """With the hits of both, where the owner may read them; one query for all."""
    named = {UUID(id) for pair in pairs for one in (pair.after, pair.before) if one for id in (*one.hits, *one.judged)}
    names = golden.names_of(named, membership)

    def hits(one: Outcome | None) -> list[Hit]:
        ids = [(UUID(id), id in one.judged) for id in one.hits] if one else []
        return [Hit(names.get(pk, ""), pk if pk in names else None, answers) for pk, answers in ids]

    return [{"pair": pair, "after": hits(pair.after), "before": hits(pair.before)} for pair in pairs]
