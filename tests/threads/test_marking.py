"""An answer's sources are marked where they stand: on the page, and in what the stream sends at the end."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client

from north.documents.models import Document
from north.evaluation import golden
from north.threads import pages
from north.threads.models import Run
from north.workspaces.models import Membership


def shown(client: Client, run: Run) -> str:
    return client.get(f"/w/acme/threads/{run.thread_id}").content.decode()


@pytest.mark.usefixtures("transactional_db")
def test_each_document_of_an_answer_has_one_button(as_rita: Client, answered: Run, notice: Document, reader: Membership) -> None:
    citation = answered.citations.get()
    citation.sources = [*citation.sources, {**citation.sources[0], "start": 0, "end": 10}]
    citation.save()
    assert shown(as_rita, answered).count("This answers it") == 1
    streamed = render_to_string("threads/thread.html#run", {"run": pages.run_page(answered.pk, reader), "out_of_band": True})
    assert streamed.count('hx-post="/w/acme/quality/mark"') == 1, "without a request, as the stream renders it"
    golden.mark(answered.question, notice.pk, actor=reader)
    assert shown(as_rita, answered).count("Marked as an answer") == 1


@pytest.mark.usefixtures("transactional_db")
def test_what_one_may_no_longer_open_cannot_be_marked(as_rita: Client, answered: Run, notice: Document) -> None:
    notice.restrict([])
    html = shown(as_rita, answered)
    assert "This answers it" not in html and str(notice.pk) not in html
