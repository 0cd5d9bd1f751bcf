"""The documents of whoever asked, as an agent's tools reach them: each call with the rights of that moment. Lives in the model worker."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Left, Length
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from agents.context import About, Sheets
from agents.errors import ToolFailed
from agents.events import Citation, Source
from agents.matching import words_of
from agents.planning import named_in
from north.documents import files
from north.documents.errors import DocumentError
from north.documents.models import Document
from north.documents.readers import scope_of
from north.threads.configuring import as_asked, known_to
from north.threads.models import Artifact, Run
from north.workspaces.models import Membership
from retrieval import reading
from retrieval.errors import RetrievalError
from retrieval.families import MEDIA_TYPES
from retrieval.types import Passage

LOOKED_AT = 200
"""Sheets of a workspace whose names and first rows are compared with the question, the newest first."""
FIRST_ROWS = 600
OFFERED = 3
WHOLE_CHARACTERS = 200_000
NAMES = 2000
"""Documents whose names are looked for in a question that compares, the newest first."""


class Bookcase:
    """An agent's `Shelf` for one run; `member` gives whoever asked as they are now, or raises."""

    def __init__(self, run: Run, member: Any) -> None:
        self.run, self.member = run, member
        self.home = threading.get_ident()

    def whole(self, name: str) -> Passage | None:
        with self._rows():
            found = list(self._readable().filter(name__iexact=name)[:2]) or list(self._readable().filter(name__icontains=name)[:2])
            if len(found) != 1:
                return None
            one = found[0]
            text = one.text[:WHOLE_CHARACTERS]
            return Passage(str(one.pk), one.name, 0, 0, len(text), text, 1.0, one.title, one.indexed_sha256)

    def named(self, question: str) -> Sequence[str]:
        with self._rows():
            names = list(self._readable().order_by("-changed_at", "pk").values_list("name", flat=True)[:NAMES])
        return named_in(question, names)

    def sheets(self, about: str) -> Sequence[Sheets]:
        with self._rows():
            documents = self._sheet_files()
            named = [one for one in documents if str(one.pk) == about]
            fitting = named or [one for one, shared in self._ranked(documents, about) if shared >= 2][:OFFERED]
            return [sheets for one in fitting if (sheets := sheets_of(one))]

    def select(self, document: str, sql: str) -> Mapping[str, Any]:
        with self._rows():
            one = next((one for one in self._sheet_files() if str(one.pk) == document), None)
            if one is None:
                raise ToolFailed(_("There is no table of this kind that you may read."))
            return asked(one, sql)

    def about(self, documents: Sequence[str]) -> Mapping[str, About]:
        with self._rows():
            rows = self._readable().filter(pk__in=documents).select_related("source", "uploaded_by").defer("text")
            return {str(one.pk): About(date_of(one), origin_of(one)) for one in rows}

    def write(self, title: str, text: str, citations: Sequence[Citation], chart: Mapping[str, Any] | None = None) -> str:
        """In the transaction of whoever keeps the approvals."""
        thread = self.run.thread
        artifact, _new = Artifact.objects.get_or_create(
            thread=thread, title=title, defaults={"workspace_id": thread.workspace_id, "user_id": thread.user_id}
        )
        version = artifact.add(self.run, text, [asdict(citation) for citation in citations], chart)
        return _("Kept as “%(title)s”, version %(number)d.") % {"title": title, "number": version.number}

    @contextmanager
    def _rows(self) -> Iterator[None]:
        """Tools work in short-lived threads: their database connections end with the call."""
        try:
            yield
        except (RetrievalError, DocumentError) as error:
            raise ToolFailed(str(error)) from error
        finally:
            if threading.get_ident() != self.home:
                connection.close()

    def _readable(self) -> QuerySet[Document]:
        member: Membership = self.member(self.run)
        return known_to(as_asked(self.run), Document.objects.in_scope(scope_of(member)).exclude(indexed_sha256=""))

    def _sheet_files(self) -> list[Document]:
        found = self._readable().filter(media_type__in=MEDIA_TYPES["sheet"]).defer("text").annotate(opening=Left("text", FIRST_ROWS))
        return list(found.annotate(length=Length("text")).order_by("-changed_at", "pk")[:LOOKED_AT])

    @staticmethod
    def _ranked(documents: Sequence[Document], about: str) -> list[tuple[Document, int]]:
        asked = words_of(about).words
        shared = [(one, len(asked & words_of(f"{one.name} {one.opening}".replace("_", " ")).words)) for one in documents]  # type: ignore[attr-defined]
        return sorted(shared, key=lambda pair: -pair[1])


def date_of(document: Document) -> str:
    at = document.changed_at or document.written_at or document.created_at
    return localtime(at).date().isoformat()


def origin_of(document: Document) -> str:
    """Its author, and the source that it is from or who uploaded it."""
    by = document.source.name if document.source else str(document.uploaded_by.name if document.uploaded_by else "")
    return ", ".join(dict.fromkeys(filter(None, (document.author, by))))


def sheets_of(document: Document) -> Sheets | None:
    """What tables it holds; None where it holds none that can be asked."""
    try:
        tables = described(document.name, str(document.file_of(document.indexed_sha256)))
    except (RetrievalError, DocumentError):
        return None
    line = document.opening.split("\n", 1)[0][:300]  # type: ignore[attr-defined]
    return Sheets(str(document.pk), document.name, tables, Source(str(document.pk), document.name, 0, len(line), line, 1.0))


@functools.lru_cache(maxsize=64)
def described(name: str, file: str) -> tuple[Mapping[str, Any], ...]:
    """By the file's sha256, which its path ends with: the same bytes hold the same tables."""
    return tuple(reading.query(name, files.path_of(file))["tables"])


def asked(document: Document, sql: str) -> Mapping[str, Any]:
    return reading.query(document.name, files.path_of(document.file_of(document.indexed_sha256)), sql)
