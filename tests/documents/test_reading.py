"""The page that shows how a document was read, and the form that has it read another way."""

from __future__ import annotations

import io

import pytest
from django.test import Client

from north.documents import files as stored
from north.documents import tasks, ways
from north.documents.errors import Refused
from north.documents.models import Document, Status
from north.workspaces.models import AuditEvent, User, Workspace
from retrieval.types import Place
from tests.conftest import browser_of
from tests.documents.conftest import ready
from tests.retrieval import files

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vectors")]


@pytest.fixture
def editing(bob: User) -> Client:
    return browser_of(bob)


def rules(workspace: Workspace) -> Document:
    """Two pages, really read."""
    document = ready(workspace, "x", name="rules.pdf")
    from_file(document, files.pdf(["No smoking."], ["Bicycles may be leased."]))
    return Document.objects.get(pk=document.pk)


def from_file(document: Document, data: bytes) -> None:
    sha256, size = stored.store(io.BytesIO(data), document.folder)
    document.requeue(sha256=sha256, bytes=size, version=2)
    tasks.prepare()
    tasks.index()


def path(workspace: Workspace, document: Document, page: str = "reading") -> str:
    return f"/w/{workspace.slug}/documents/{document.pk}/{page}"


def test_each_page_stands_beside_its_text_and_its_pieces(workspace: Workspace, editing: Client) -> None:
    document = rules(workspace)
    shown = editing.get(path(workspace, document) + "?page=2").content.decode()
    assert "/pages/2.png" in shown and "Bicycles may be leased." in shown and "Leave page 2 out" in shown
    assert shown.count("Bicycles may be leased.") == 2  # the page, and the piece


def test_a_page_is_left_out_and_taken_in_again(workspace: Workspace, editing: Client) -> None:
    document = rules(workspace)
    assert editing.post(path(workspace, document, "reread"), {"leave_out": "2"}).status_code == 302
    tasks.prepare()
    tasks.index()
    document.refresh_from_db()
    assert (document.status, document.text.strip(), document.way) == (Status.READY, "No smoking.", {"without": [2]})
    assert "This page is left out." in editing.get(path(workspace, document) + "?page=2").content.decode()
    assert AuditEvent.objects.filter(action="document.reread").exists()
    editing.post(path(workspace, document, "reread"), {"take_in": "2"})
    tasks.prepare()
    tasks.index()
    document.refresh_from_db()
    assert "Bicycles" in document.text and document.way == {}


def test_the_form_answers_wrong_pages_in_words_and_loses_nothing(workspace: Workspace, editing: Client) -> None:
    document = rules(workspace)
    sent = {"recognise": "always", "language": "de", "without": "2-1"}
    answer = editing.post(path(workspace, document, "reread"), sent)
    shown = answer.content.decode()
    assert answer.status_code == 422 and "such as 3, 5-7" in shown and 'value="2-1"' in shown
    answer = editing.post(path(workspace, document, "reread"), {**sent, "without": "1-2"})
    assert answer.status_code == 422 and "Leave at least one page in" in answer.content.decode()
    assert Document.objects.get().status == Status.READY


def test_what_was_chosen_is_how_it_is_read(workspace: Workspace) -> None:
    document = ready(workspace, "Deutsche Worte.", language="de")
    assert ways.way_of(document).languages == ("en", "de")
    document.way = ways.chosen(recognise="never", language="fr", tables=False, without=[3, 1])
    way = ways.way_of(document)
    assert (way.recognise, way.languages, way.tables, way.without) == ("never", ("fr",), False, {1, 3})


@pytest.mark.parametrize(("words", "pages"), [("", []), ("3, 5-7", [3, 5, 6, 7]), ("2;2", [2])])
def test_pages_are_written_as_people_do(words: str, pages: list[int]) -> None:
    assert ways.pages_in(words) == pages
    assert ways.pages_in(ways.pages_told(pages)) == pages


@pytest.mark.parametrize("words", ["x", "0", "7-3", "1-9999", "3 4"])
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(Refused):
        ways.pages_in(words)


def test_a_text_is_shown_part_by_part(workspace: Workspace, editing: Client) -> None:
    document = ready(workspace, "Leave\nThirty days.", places=(Place(0, 18, "heading", "Leave", 1),))
    shown = editing.get(path(workspace, document)).content.decode()
    assert "Thirty days." in shown and "Stands under" in shown
