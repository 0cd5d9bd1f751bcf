"""What a search is narrowed by, from people's words to `Filters`, and through the broker. What is wrong with it is said in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils.translation import gettext as _

from north.documents.errors import Refused
from north.documents.models import DocumentQuerySet
from retrieval.families import MEDIA_TYPES
from retrieval.types import Filters

UPLOADS = "uploads"
"""Names, among sources, what came from none."""
LISTS = ("source", "type", "author", "language")
TIMES = ("created_from", "created_to", "updated_from", "updated_to")
NAMES = (*LISTS, "folder", *TIMES)
MOST, LONGEST = 20, 1000
LANGUAGE = re.compile(r"[a-z]{2,3}")
YEARS = range(1900, 2200)


def filters_of(given: object, readable: DocumentQuerySet) -> Filters:
    """`source` (names or ids), `type`, `author`, `language`: lists of texts; `folder`: a path; `created_from`, `created_to`,
    `updated_from`, `updated_to`: dates, or times with their zone, the last ones
    included. `readable`: the documents that the person may read; one query where sources are named.

    Raises Refused for anything else."""
    if not isinstance(given, Mapping):
        raise Refused(_('Filters are an object, such as {"type": ["pdf"]}. Leave them out to search everything.'))
    if unknown := sorted(str(name)[:40] for name in given if name not in NAMES):
        said = _("There is no filter %(unknown)s. These exist: %(known)s.")
        raise Refused(said % {"unknown": words(unknown), "known": ", ".join(NAMES)})
    listed = {name: texts(name, given[name]) for name in LISTS if name in given}
    times = {name: moment(name, given[name]) for name in TIMES if name in given}
    for kind in ("created", "updated"):
        start, before = times.get(f"{kind}_from"), times.get(f"{kind}_to")
        if start and before and start >= before:
            raise Refused(_("%(kind)s_from lies after %(kind)s_to. Exchange the two.") % {"kind": kind})
    return Filters(
        sources=sources_of(listed["source"], readable) if "source" in listed else frozenset(),
        types=known("type", listed.get("type", []), MEDIA_TYPES),
        authors=frozenset(listed.get("author", [])),
        languages=languages(listed.get("language", [])),
        folder=folder(given["folder"]) if "folder" in given else "",
        created_from=times.get("created_from"),
        created_before=times.get("created_to"),
        updated_from=times.get("updated_from"),
        updated_before=times.get("updated_to"),
    )


def words(values: Iterable[str]) -> str:
    return ", ".join(f"\u201c{value}\u201d" for value in values)


def text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST or not plain(value):
        raise Refused(
            _("%(name)s takes text of 1 to %(most)d characters. Leave it out to filter by none.") % {"name": name, "most": LONGEST}
        )
    return value.strip()


def plain(value: str) -> bool:
    """Without NUL, other control characters and lone surrogates."""
    return not any(letter < " " or "\ud800" <= letter <= "\udfff" or letter == "\x7f" for letter in value)


def texts(name: str, value: object) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST:
        raise Refused(_("%(name)s takes a list of 1 to %(most)d texts. Leave it out to filter by none.") % {"name": name, "most": MOST})
    return [text(name, one) for one in value]


def known(name: str, values: Iterable[str], possible: Iterable[str]) -> frozenset[str]:
    if unknown := sorted(set(values) - set(possible)):
        raise Refused(_("%(name)s does not know %(unknown)s; it knows %(known)s.")
                      % {"name": name, "unknown": words(unknown), "known": ", ".join(possible)})  # fmt: skip
    return frozenset(values)


def languages(values: Iterable[str]) -> frozenset[str]:
    if unknown := [value for value in values if not LANGUAGE.fullmatch(value.lower())]:
        raise Refused(_("language takes codes of two or three letters, such as en or de, not %s.") % words(unknown))
    return frozenset(value.lower() for value in values)


def folder(value: object) -> str:
    path = text("folder", value).strip("/")
    if not path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise Refused(_("folder takes a path such as handbook/policies, without . and .. in it."))
    return path


def moment(name: str, value: object) -> datetime:
    """Where the range begins, or the first moment after it."""
    given = text(name, value)
    last = name.endswith("_to")
    try:
        if len(given) == 10:
            day = date.fromisoformat(given)
            at = datetime.combine(day, time.min, UTC)
            after = timedelta(days=1)
        else:
            at = datetime.fromisoformat(given)
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
            after = timedelta(microseconds=1)
    except (ValueError, OverflowError):
        at, after = datetime.min.replace(tzinfo=UTC), timedelta()
    if at.year not in YEARS:
        raise Refused(_("%s takes a date such as 2024-12-31, or a time such as 2024-12-31T18:00:00+01:00.") % name)
    return at + after if last else at


def sources_of(values: Iterable[str], readable: DocumentQuerySet) -> frozenset[str]:
    """The ids of the sources with these names or ids, among those that hold something this person may read: others are not told of."""
    by_name = {value for value in values if value != UPLOADS}
    found = {"": UPLOADS} if by_name != set(values) else {}
    if by_name:
        rows = readable.filter(source__isnull=False).order_by().values_list("source", "source__name").distinct()
        found |= {str(pk): name for pk, name in rows if name in by_name or str(pk) in by_name}
    if missing := sorted(by_name - found.keys() - set(found.values())):
        raise Refused(_("No source %s holds anything that you may read.") % words(missing))
    return frozenset(found)


# --- through the broker ---------------------------------------------------------------------------------------------------------------
def packed(filters: Filters) -> dict[str, Any]:
    """As JSON can hold it; what narrows nothing is left out."""
    plain = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(filters).items() if value}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()}


def unpacked(given: Mapping[str, Any]) -> Filters:
    def part(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return frozenset(value)
        return value if name == "folder" else datetime.fromisoformat(value)

    return Filters(**{name: part(name, value) for name, value in given.items()})
