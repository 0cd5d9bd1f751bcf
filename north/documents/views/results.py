"""What a search found, as its page shows it: by document, with the words marked, and why each is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from north.documents import files, freshness, rendering
from north.documents.errors import FileLost
from north.documents.models import Document, DocumentQuerySet
from north.documents.readers import opened_by, sees_access
from north.documents.rendering import Span
from north.documents.views.viewing import MARKDOWN, address, place_words
from north.workspaces.models import Membership
from retrieval.reranking import VERIFIED
from retrieval.types import Passage, Place

EACH = 3
"""Passages shown of one document."""


@dataclass(frozen=True)
class Reason:
    """One line of the answer to "why is this here?"."""

    name: str
    words: str
    figure: str = ""


@dataclass(frozen=True)
class Given:
    """What gave way to a passage."""

    words: str
    url: str


@dataclass(frozen=True)
class Hit:
    html: SafeString
    place: str
    url: str
    reasons: list[Reason]
    cut: list[Given]


@dataclass(frozen=True)
class Result:
    document: Document
    url: str
    passages: list[Hit]
    access: list[str] = field(default_factory=list)
    """For who manages access: which of their own principals let the document through."""
    as_of: datetime | None = None


def results(passages: Sequence[Passage], query: str, membership: Membership, readable: DocumentQuerySet) -> list[Result]:
    """One result a document, in the order of its best passage; read once more from the rows, as some time went by."""
    named = {passage.document for passage in passages}
    rows = {str(row.pk): row for row in readable.defer("text").select_related("source").filter(pk__in=named)}
    access = opened_by(rows, membership) if sees_access(membership) else {}
    grouped: dict[str, list[tuple[int, Passage]]] = {}
    for number, passage in enumerate(passages, start=1):
        if passage.document in rows:
            grouped.setdefault(passage.document, []).append((number, passage))
    return [result(rows[pk], found[:EACH], query, membership, access.get(pk, [])) for pk, found in grouped.items()]


def result(row: Document, passages: Iterable[tuple[int, Passage]], query: str, membership: Membership, access: list[str]) -> Result:
    slug, places = membership.workspace.slug, places_of(row)
    hits = []
    for number, passage in passages:
        span, html = rendering.excerpt(passage.text, query, signs=row.media_type != MARKDOWN)
        words = passage.text[span.start : span.end]
        span = Span(passage.start + span.start, passage.start + span.end)
        url = address(slug, passage.document, span, words)
        place = place_words(rendering.place_at(places, span.start))
        hits.append(Hit(html, place, url, reasons(number, passage, query), given_way(passage, slug)))
    return Result(row, address(slug, str(row.pk)), hits, access, freshness.of(row))


def places_of(row: Document) -> tuple[Place, ...]:
    try:
        return files.read_layout(row.layout_of(row.indexed_sha256)).places
    except FileLost:
        return ()


def reasons(number: int, passage: Passage, query: str) -> list[Reason]:
    """Each part of the score that this search had, in the order in which it was counted in."""
    why = passage.why
    spans = rendering.matches(passage.text, query)
    words = list(dict.fromkeys(passage.text[span.start : span.end].casefold() for span in spans))[:8]
    found = [Reason(_("Score"), _("place %d of this search") % number, figure(passage.score))]
    if "sparse" in why or words:
        said = _("words in common: %s") % ", ".join(words) if words else _("no word in common")
        found.append(Reason(_("Words"), said, figure(why["sparse"], 1) if "sparse" in why else ""))
    if "dense" in why:
        found.append(Reason(_("Meaning"), _("likeness of question and passage (cosine)"), figure(why["dense"])))
    if "named" in why:
        found.append(Reason(_("Name"), _("the question says what the document is called (log-odds)"), figure(why["named"])))
    if "fused" in why:
        found.append(Reason(_("Together"), _("words, meaning and name added up by their weights (log-odds)"), figure(why["fused"])))
    if "rerank" in why:
        found.append(Reason(_("Judged"), _("by the model that reads question and passage together"), figure(why["rerank"])))
    if "linked" in why:
        found.append(Reason(_("Linked"), _("one of the best passages says what the document is called (log-odds)"), figure(why["linked"])))
    if "final" in why:
        found.append(Reason(_("Blended"), _("its verdict and all of the above (log-odds)"), figure(why["final"])))
    if "recency" in why:
        found.append(Reason(_("Age"), _("the score is multiplied by this, by the half-life of its source"), figure(why["recency"])))
    if why.get("verified"):
        said = _("somebody who manages the document vouches for it: raised by %(percent)d %% of what it lacked to 1")
        found.append(Reason(_("Verified"), said % {"percent": round(VERIFIED * 100)}))
    found.append(Reason(_("Passage"), _("part %(part)d of the document, characters %(start)d to %(end)d") % {
        "part": passage.ordinal + 1, "start": passage.start, "end": passage.end}))  # fmt: skip
    return found


def figure(value: float, digits: int = 3) -> str:
    return number_format(f"{value:.{digits}f}")


def given_way(passage: Passage, slug: str) -> list[Given]:
    found = []
    more = [cut for cut in passage.cut if cut.reason == "document"]
    for cut in passage.cut:
        if cut.reason == "duplicate":
            url = address(slug, cut.document, Span(cut.start, cut.end))
            found.append(Given(_("nearly the same words in %s") % cut.name, url))
    if more:
        said = ngettext("%d more passage of this document", "%d more passages of this document", len(more)) % len(more)
        found.append(Given(said, address(slug, passage.document, Span(more[0].start, more[0].end))))
    return found
