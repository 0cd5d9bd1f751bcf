"""How a document is read: as its people chose, else as the installation and the workspace's other documents suggest."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Count

from north.documents.models import Document
from retrieval.types import Way

COMMONEST = 2
"""So many of a workspace's languages are tried on pictures of text."""


def way_of(document: Document) -> Way:
    return Way("auto" if settings.OCR_SECONDS else "never", languages_of(document), settings.OCR_SECONDS)


def languages_of(document: Document) -> tuple[str, ...]:
    """The installation's, then those that most of the workspace's documents are in."""
    known = Document.objects.alive().filter(workspace=document.workspace_id).exclude(language="")
    common = known.order_by().values_list("language").annotate(count=Count("pk")).order_by("-count")[:COMMONEST]
    return tuple(dict.fromkeys([*settings.OCR_LANGUAGES, *(language for language, _count in common)]))
