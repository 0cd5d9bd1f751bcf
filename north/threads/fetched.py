"""Pages of the web as a run's tools reach them: each is kept with the run as it was read, since the answer may cite it. Lives in the model
worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone

from agents.context import Page
from north.outside.web import Web
from north.threads.models import Run, WebPage
from north.threads.naming import page_id

CHARACTERS = 200_000
"""Of a page that are kept."""


class Pages:
    """An agent's `Web` for one run."""

    def __init__(self, run: Run) -> None:
        self.run, self.web = run, Web(run.thread.workspace_id)
        self.home = threading.get_ident()

    def page(self, url: str) -> Page:
        found = self.web.page(url)
        values = {"url": found.url, "title": found.title[:200], "text": found.text[:CHARACTERS], "fetched_at": timezone.now()}
        with self._rows():
            row, _new = WebPage.objects.update_or_create(pk=page_id(self.run.pk, url), run=self.run, defaults=values)
        return page_of(row)

    def kept(self, url: str) -> Page | None:
        with self._rows():
            row = WebPage.objects.filter(pk=page_id(self.run.pk, url), run=self.run).first()
        return page_of(row) if row else None

    @contextmanager
    def _rows(self) -> Iterator[None]:
        """Tools work in short-lived threads: their database connections end with the call."""
        try:
            yield
        finally:
            if threading.get_ident() != self.home:
                connection.close()


def page_of(row: WebPage) -> Page:
    return Page(row.url, row.text, row.title, str(row.pk))
