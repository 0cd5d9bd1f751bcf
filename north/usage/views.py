"""How much of the models was used: for the installation's administrators by names alone, for owners of a workspace within it."""

from __future__ import annotations

import csv
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from north.usage.models import Kind
from north.usage.plotting import chart, share
from north.usage.summing import FIGURES, MEASURES, Sums, names, ranked, since, spent
from north.workspaces.access import admins_only, inside
from north.workspaces.models import Membership, Role

SPANS = {7: _("7 days"), 30: _("30 days"), 90: _("90 days"), 365: _("a year")}
WHATS = {"tokens": _("tokens"), "seconds": _("seconds of the models"), "count": _("questions, searches, documents")}
HEADINGS = {"model": _("Models"), "workspace": _("Workspaces"), "user": _("People"), "key": _("API keys")}
CSV_ROWS = 200_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Wanted(forms.Form):
    """What to look at; what makes no sense is as if nothing were said."""

    days = forms.TypedChoiceField(label=_("Time"), choices=list(SPANS.items()), coerce=int, required=False)
    of = forms.ChoiceField(label=_("Measured in"), choices=list(WHATS.items()), required=False)

    @classmethod
    def of_request(cls, request: HttpRequest) -> tuple[Wanted, int, str]:
        said = cls(request.GET)
        said.is_valid()
        days, of = said.cleaned_data.get("days") or 30, said.cleaned_data.get("of") or "tokens"
        return cls({"days": days, "of": of}), days, of


@require_safe
@never_cache
@admins_only
def installation(request: HttpRequest) -> HttpResponse:
    frame = {"frame": "administration/page.html", "nav": "admin", "tab": "usage", "csv": reverse("usage:installation_csv")}
    return page(request, frame, None)


@require_safe
@never_cache
@inside(Role.OWNER)
def workspace(request: HttpRequest, membership: Membership) -> HttpResponse:
    address = reverse("usage:workspace_csv", args=[membership.workspace.slug])
    return page(request, {"frame": "usage/workspace.html", "nav": "settings", "csv": address}, membership.workspace_id)


@require_safe
@never_cache
@admins_only
def installation_csv(request: HttpRequest) -> HttpResponse:
    return table(request, None)


@require_safe
@never_cache
@inside(Role.OWNER)
def workspace_csv(request: HttpRequest, membership: Membership) -> HttpResponse:
    return table(request, membership.workspace_id)


def page(request: HttpRequest, frame: dict[str, Any], within: UUID | None) -> HttpResponse:
    form, days, of = Wanted.of_request(request)
    found = spent(since(days, within), days)
    shown = [kind for kind in HEADINGS if not (within and kind == "workspace")]
    context = {
        **frame,
        "form": form,
        "days": days,
        "of": of,
        "what": WHATS[of],
        "total": found.total,
        "kinds": [(Kind(kind).label, sums) for kind, sums in sorted(found.kinds.items())],
        "cached": round(100 * found.total.tokens_cached / found.total.tokens_in) if found.total.tokens_in else 0,
        "chart": chart(found, of),
        "parts": [part(kind, getattr(found, kind), of) for kind in shown],
    }
    return render(request, "usage/usage.html", context)


def part(kind: str, sums: dict[Any, Sums], of: str) -> dict[str, Any]:
    """A table of those that used most, with a bar for each, and how many there are beside them."""
    best = ranked(sums, of)
    called = names(kind, (id for id, _sums in best))
    most = max((MEASURES[of](one) for _id, one in best), default=0)
    rows = [(called[id], one, share(MEASURES[of](one), most)) for id, one in best]
    return {"kind": kind, "heading": HEADINGS[kind], "rows": rows, "others": len(sums) - len(best)}


def table(request: HttpRequest, within: UUID | None) -> HttpResponse:
    """Every row of the span, newest first, as CSV with names; a name that a spreadsheet would take for a formula begins with '."""
    _form, days, _of = Wanted.of_request(request)
    rows: list[Any] = list(since(days, within).order_by("-day", "kind", "workspace", "user", "model").values()[:CSV_ROWS])
    called = {kind: names(kind, {row[kind] for row in rows}) for kind in HEADINGS}
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="north-usage-{days}-days.csv"'
    writer = csv.writer(response)
    writer.writerow(["day", "kind", *HEADINGS, "agent", *FIGURES])
    for row in rows:
        cells = [called[kind][row[kind]] for kind in HEADINGS]
        safe = [f"'{cell}" if cell.startswith(FORMULA) else cell for cell in [*cells, row["agent"] or ""]]
        writer.writerow([row["day"], row["kind"], *safe, *(row[figure] for figure in FIGURES)])
    return response
