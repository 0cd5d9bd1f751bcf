"""Search over documents: results by document, best first, with the words that were asked for marked and the reasons for each. No chat model
is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from north.documents import actions, saving
from north.documents.errors import Busy, DocumentError, Refused, status_of
from north.documents.facets import Facet, facets, label
from north.documents.filtering import LISTS, NAMES, TIMES, filters_of
from north.documents.inferring import Inferred, infer, names_in
from north.documents.models import DocumentQuerySet, SavedSearch
from north.documents.views.results import results
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role
from retrieval.errors import IndexFault
from retrieval.questions import cleaned as readable_part

PASSAGES, LONGEST = 30, 500
MAY_NAME_A_SOURCE = re.compile(r"\bfrom\s|\s(?:source|folder)\b", re.IGNORECASE)
IS_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Pairs = list[tuple[str, str]]


@inside(Role.READER)
@require_GET
def search(request: HttpRequest, membership: Membership) -> HttpResponse:
    """`q` and the filters by their names; `not` names filters that were read out of the question and taken back. The counts are asked for
    by the page itself, so that nothing found waits for them."""
    query = cleaned(request.GET.get("q", ""))
    context: dict[str, Any] = {"query": query, "nav": "search", "address": request.GET.urlencode()}
    status, retry_after = 200, 0
    readable = actions.readable(membership)
    said = inferred(query, given(request), request.GET.getlist("not"), readable)
    try:
        filters = filters_of({**said.given, **given(request)}, readable)
        if request.htmx and request.htmx.target == "facets":  # type: ignore[attr-defined]
            return render(
                request,
                "documents/search.html#facets",
                {"query": query, "facets": choices(request, facets(readable, filters, found_of(request)))},
            )
        if query:
            found = actions.search(said.rest, top_k=PASSAGES, filters=filters, actor=membership)
            context["found"] = ",".join(dict.fromkeys(one.document for one in found.passages))
            context |= {"results": results(found.passages, said.rest, membership, readable), "notice": found.notice, "asked": said.rest}
    except Busy as error:
        context["error"], status, retry_after = str(error), status_of(error), error.retry_after
    except (DocumentError, IndexFault) as error:
        context["error"], status = str(error), status_of(error)
    if len(request.GET.get("q", "").strip()) > LONGEST:
        said_of_length = _("Only the first %d characters of the question are read.") % LONGEST
        context["notice"] = f"{said_of_length} {context.get('notice', '')}".strip()
    context |= {
        "chips": chips(request, said),
        "unfiltered": urlencode([("q", query), *(("not", name) for name in said.given)]),
        "dates": [(name, words, request.GET.get(name, "")) for name, words in dates().items()],
        "dated": any(request.GET.get(name) for name in TIMES),
        "folder": request.GET.get("folder", ""),
        "kept": [(name, value) for name, value in pairs(request) if name not in {"q", "not", *TIMES, "folder"}],
        "saved": SavedSearch.objects.filter(workspace=membership.workspace, user=membership.user),
    }
    response = render(request, "documents/search.html", context, status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    return response


def cleaned(query: str) -> str:
    """The question as it can be shown and searched: no lone surrogates and no control characters, LONGEST characters at most."""
    return readable_part(query)[:LONGEST]


def given(request: HttpRequest) -> dict[str, object]:
    """The filters of the address; an empty field of the form is none."""
    lists = {name: [value for value in request.GET.getlist(name) if value] for name in LISTS}
    others = {name: request.GET.get(name, "") for name in (*TIMES, "folder")}
    return {name: value for name, value in {**lists, **others}.items() if value}


def found_of(request: HttpRequest) -> list[UUID] | None:
    """What the page found that asks for its counts; what is no id is left out. None where nothing was asked."""
    if not request.GET.get("q"):
        return None
    given = request.GET.get("found", "")[: 40 * PASSAGES].split(",")
    return [UUID(one) for one in given if IS_ID.fullmatch(one)]


def inferred(query: str, chosen: dict[str, object], ignored: list[str], readable: DocumentQuerySet) -> Inferred:
    """What the question itself says of filters; what was chosen by hand is not read out of it again. One query, where it may name a source
    or an author."""
    rows = (
        readable.order_by().values_list("source__name", "author").distinct() if names_in(query) or MAY_NAME_A_SOURCE.search(query) else ()
    )
    known = {" ".join(name.casefold().split()) for _source, author in rows for name in author.split(";")} - {""}
    known |= {word for name in known for word in name.split()}
    return infer(
        query,
        today=timezone.localdate(),
        sources={source for source, _author in rows if source},
        is_author=lambda name: " ".join(name.casefold().split()) in known,
        ignored={*ignored, *chosen},
    )


# --- what narrows the search, as the page shows it ------------------------------------------------------------------------------------
def pairs(request: HttpRequest) -> Pairs:
    """What the page understands of its own address."""
    return [(name, value) for name in ("q", *NAMES, "not") for value in request.GET.getlist(name) if value]


def dates() -> dict[str, str]:
    return {
        "updated_from": _("Changed from"),
        "updated_to": _("Changed until"),
        "created_from": _("Written from"),
        "created_to": _("Written until"),
    }


def words_of(name: str, value: str) -> str:
    prefix = {**dates(), "author": _("By"), "folder": _("In folder")}.get(name, "")
    return f"{prefix} {value}" if prefix else label(name, value)


def chips(request: HttpRequest, said: Inferred) -> list[dict[str, Any]]:
    """Each filter that holds, with the address of the same search without it."""
    here = pairs(request)
    found = []
    for name, value in here:
        if name in NAMES:
            without = [pair for pair in here if pair != (name, value)]
            found.append({"words": words_of(name, value), "without": urlencode(without), "inferred": False})
    for name, values in said.given.items():
        for value in values if isinstance(values, list) else [str(values)]:
            without = [*here, ("not", name)]
            found.append({"words": words_of(name, value), "without": urlencode(without), "inferred": True})
    return found


def choices(request: HttpRequest, counted: Mapping[str, list[Facet]]) -> list[dict[str, Any]]:
    """The facets, each value with the address that chooses it, or takes it back."""
    titles = {"source": _("Source"), "type": _("Kind"), "language": _("Language"), "year": _("Year of change")}
    here = pairs(request)
    return [
        {"title": titles[name], "name": name, "values": [choice(here, name, one.value) | {"facet": one} for one in values]}
        for name, values in counted.items()
        if values
    ]


def choice(here: Pairs, name: str, value: str) -> dict[str, Any]:
    said = [("updated_from", f"{value}-01-01"), ("updated_to", f"{value}-12-31")] if name == "year" else [(name, value)]
    chosen = all(pair in here for pair in said)
    others = [pair for pair in here if pair[0] not in {"updated_from", "updated_to"}] if name == "year" else here
    return {"chosen": chosen, "query": urlencode([pair for pair in here if pair not in said] if chosen else [*others, *said])}


# --- saved searches -------------------------------------------------------------------------------------------------------------------
@inside(Role.READER)
@require_POST
def save(request: HttpRequest, membership: Membership) -> HttpResponse:
    query = request.POST.get("query", "")
    try:
        kept = saving.save(request.POST.get("name", ""), query, actor=membership)
        messages.success(request, _("The search is saved as “%s”.") % kept.name)
        query = kept.query
    except Refused as refusal:
        messages.error(request, str(refusal))
        query = ""
    return back(membership, query)


@inside(Role.READER)
@require_POST
def rename_saved(request: HttpRequest, membership: Membership, search: UUID) -> HttpResponse:
    try:
        saving.rename(search, request.POST.get("name", ""), actor=membership)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return back(membership)


@inside(Role.READER)
@require_POST
def delete_saved(request: HttpRequest, membership: Membership, search: UUID) -> HttpResponse:
    saving.delete(search, actor=membership)
    return back(membership)


def back(membership: Membership, query: str = "") -> HttpResponse:
    return redirect(reverse("documents:search", args=[membership.workspace.slug]) + (f"?{query}" if query else ""))
