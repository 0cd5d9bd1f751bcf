"""How many documents are of each source, kind, language and year: of those that a search found, and of those that a person may read. One
query."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.db.models.functions import ExtractYear
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from north.documents.filtering import UPLOADS
from north.documents.models import DocumentQuerySet, language_name
from retrieval.families import family_of
from retrieval.types import Filters

SHOWN = 12
KINDS = {
    "pdf": gettext_lazy("PDF"),
    "word": gettext_lazy("Word and other texts"),
    "slides": gettext_lazy("Slides"),
    "sheet": gettext_lazy("Spreadsheets"),
    "text": gettext_lazy("Plain text and Markdown"),
    "page": gettext_lazy("Web pages"),
    "mail": gettext_lazy("E-mail"),
    "book": gettext_lazy("E-books"),
    "archive": gettext_lazy("Archives"),
    "picture": gettext_lazy("Pictures"),
    "data": gettext_lazy("Data"),
}


@dataclass(frozen=True)
class Facet:
    """One value of a facet. `value`: as filters name it; `words`: as people do; `count`: documents that one may read; `found`: of them,
    those that the search found, None where nothing was asked."""

    value: str
    words: str
    count: int
    found: int | None = None


def facets(readable: DocumentQuerySet, filters: Filters, found: Collection[UUID] | None = None) -> dict[str, list[Facet]]:
    """By source, type, language and year; the most frequent first, years the latest first. The counts of a facet are within all other
    filters, so that a choice shows what else could be chosen. `found`: the documents of a search; a facet by which it was not narrowed then
    has their values only. Some 10 microseconds a document: for a page, beside the search."""
    rows = readable.exclude(indexed_sha256="").order_by()
    grouped = rows.values("source", "source__name", "media_type", "language", year=ExtractYear("changed_at"))
    counts, among = ({name: Counter[str]() for name in ("source", "type", "language", "year")} for _both in range(2))
    chosen = {"source": filters.sources, "type": filters.types, "language": filters.languages, "year": _years(filters)}
    sums = {"count": Count("pk"), "found": Count("pk", filter=Q(pk__in=found or ()))}
    for row in grouped.filter(_others(filters)).annotate(**sums):
        value = {"source": str(row["source"] or ""), "type": family_of(row["media_type"]), "language": row["language"]}
        value["year"] = str(row["year"] or "")
        missed = {name for name, wanted in chosen.items() if wanted and value[name] not in wanted}
        value["source"] = row["source__name"] or UPLOADS
        for name, counter in counts.items():
            if missed <= {name}:
                counter[value[name]] += row["count"]
                among[name][value[name]] += row["found"]
    if found is None:
        return {name: _shown(name, counter) for name, counter in counts.items()}
    return {name: _found(name, counts[name], among[name], narrowed=bool(chosen[name])) for name in counts}


def _others(filters: Filters) -> Q:
    """What is not a facet, as a condition on rows; years are."""
    where = Q()
    if filters.folder:
        where &= Q(kept_in=filters.folder) | Q(kept_in__startswith=f"{filters.folder}/")
    if filters.authors:
        names = "|".join(re.sub(r"\\?\s+", " ", re.escape(" ".join(name.split()))) for name in filters.authors)
        where &= Q(author__iregex=rf"(^|[;, ])({names})($|[;, ])")
    limits: dict[str, Any] = {"written_at__gte": filters.created_from, "written_at__lt": filters.created_before}
    if _years(filters) is None:
        limits |= {"changed_at__gte": filters.updated_from, "changed_at__lt": filters.updated_before}
    return where & Q(**{name: value for name, value in limits.items() if value})


def _years(filters: Filters) -> set[str] | None:
    """The years that the range of changes is made of; None where it is not made of whole years."""
    start, before = filters.updated_from, filters.updated_before
    if not (start and before) or any((at.month, at.day, at.hour, at.minute, at.second) != (1, 1, 0, 0, 0) for at in (start, before)):
        return None
    return {str(year) for year in range(start.year, before.year)}


def _shown(name: str, counter: Counter[str]) -> list[Facet]:
    values = [(value, count) for value, count in counter.most_common() if value][:SHOWN]
    return [Facet(value, label(name, value), count) for value, count in (sorted(values, reverse=True) if name == "year" else values)]


def _found(name: str, counter: Counter[str], among: Counter[str], *, narrowed: bool) -> list[Facet]:
    """The values of what was found, and, where the search was `narrowed` by this facet, those that it could be narrowed by instead."""
    kept = Counter({value: count for value, count in counter.items() if narrowed or among[value]})
    return [replace(one, found=among[one.value]) for one in _shown(name, kept)]


def label(name: str, value: str) -> str:
    """A filter's value as people say it."""
    if name == "source":
        return _("Uploads") if value == UPLOADS else value
    if name == "type":
        return str(KINDS.get(value, value))
    return language_name(value) if name == "language" else value
