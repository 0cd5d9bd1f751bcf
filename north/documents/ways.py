"""How a document is read: as its people chose, else as the installation and the workspace's other documents suggest.

`Document.way` holds what they chose, and nothing else: {"recognise": "always", "language": "de", "tables": false, "without": [3, 5]}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, cast

from django.conf import settings
from django.db.models import Count
from django.utils.translation import gettext as _

from north.documents.errors import Refused
from north.documents.models import Document
from retrieval.types import Way

COMMONEST = 2
"""So many of a workspace's languages are tried on pictures of text."""
MOST_PAGES = 5000
RECOGNISE = ("auto", "always", "never")
RANGE = re.compile(r"(\d{1,4})(?:\s*[-–]\s*(\d{1,4}))?")


def way_of(document: Document) -> Way:
    chosen = document.way
    recognise = chosen.get("recognise", "auto") if settings.OCR_SECONDS else "never"
    languages = (chosen["language"],) if chosen.get("language") else languages_of(document)
    return Way(
        cast("Literal['auto', 'always', 'never']", recognise),
        languages,
        settings.OCR_SECONDS,
        chosen.get("tables", True),
        frozenset(chosen.get("without", ())),
    )


def languages_of(document: Document) -> tuple[str, ...]:
    """The installation's, then those that most of the workspace's documents are in."""
    known = Document.objects.alive().filter(workspace=document.workspace_id).exclude(language="")
    common = known.order_by().values_list("language").annotate(count=Count("pk")).order_by("-count")[:COMMONEST]
    return tuple(dict.fromkeys([*settings.OCR_LANGUAGES, *(language for language, _count in common)]))


def chosen(*, recognise: str = "auto", language: str = "", tables: bool = True, without: Iterable[int] = ()) -> dict[str, Any]:
    """As a row keeps it: without what is as usual."""
    pages = sorted(set(without))
    said = {"recognise": recognise, "language": language, "tables": tables, "without": pages}
    usual = {"recognise": "auto", "language": "", "tables": True, "without": []}
    return {name: value for name, value in said.items() if value != usual[name]}


def pages_in(words: str) -> list[int]:
    """Pages as people write them: "3, 5-7". Raises Refused."""
    found: set[int] = set()
    for part in filter(None, (part.strip() for part in re.split(r"[,;]", words))):
        told = RANGE.fullmatch(part)
        first, last = (int(told[1]), int(told[2] or told[1])) if told else (0, 0)
        if not 1 <= first <= last <= MOST_PAGES:
            raise Refused(_("Write pages as numbers and ranges, such as 3, 5-7."), field="without")
        found.update(range(first, last + 1))
    return sorted(found)


def pages_told(pages: Iterable[int]) -> str:
    """The other way round."""
    runs: list[list[int]] = []
    for page in sorted(pages):
        if runs and runs[-1][1] == page - 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
