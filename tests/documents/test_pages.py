"""The pages of documents: the list, the viewer, who sees what of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pypdfium2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from north.documents import files
from north.documents.models import Document, Status
from north.documents.quoting import digest
from north.workspaces.audit import AuditEvent
from north.workspaces.models import Group, User, Workspace
from retrieval.types import Place, Word
from tests.conftest import browser_of
from tests.documents.conftest import make, ready

pytestmark = pytest.mark.django_db
LIST = "/w/acme/documents"
HTMX = {"HX-Request": "true"}


def page_of(document: Document, query: str = "") -> str:
    return reverse("documents:document", args=["acme", document.pk]) + query


def sent(name: str, data: bytes, **fields: Any) -> dict[str, Any]:
    return {"file": SimpleUploadedFile(name, data), **fields}


# --- the list ----------------------------------------------------------------------------------------------------------------------
def test_the_empty_list_says_what_to_do(as_bob: Client, as_rita: Client) -> None:
    assert "Drop files here" in as_bob.get(LIST).content.decode()
    told = as_rita.get(LIST).content.decode()
    assert "Drop files here" not in told
    assert "No documents yet" in told


def test_the_list_says_where_each_document_is_and_why_it_failed(as_bob: Client, workspace: Workspace) -> None:
    make(workspace, "x", name="waiting.txt")
    make(workspace, "x", name="broken.pdf", status=Status.FAILED, error="The file is broken. Upload it again.")
    html = as_bob.get(LIST).content.decode()
    assert 'data-status="queued"' in html
    assert "The file is broken. Upload it again." in html
    assert "every 2s" in html
    assert "everyone in the workspace" in html


def test_the_list_polls_only_while_something_works(as_bob: Client, workspace: Workspace) -> None:
    make(workspace, "x", status=Status.READY)
    assert "every 2s" not in as_bob.get(LIST).content.decode()


def test_the_list_filters_by_name_and_status(as_bob: Client, workspace: Workspace) -> None:
    make(workspace, "x", name="apple.txt")
    make(workspace, "x", name="pear.txt", status=Status.FAILED)
    names = as_bob.get(LIST, {"q": "app"}).content.decode()
    assert "apple.txt" in names
    assert "pear.txt" not in names
    failed = as_bob.get(LIST, {"status": "failed"}).content.decode()
    assert "pear.txt" in failed
    assert "apple.txt" not in failed


def test_readers_see_only_what_they_may_read(as_rita: Client, as_bob: Client, as_alice: Client, workspace: Workspace, hr: Group) -> None:
    secret = make(workspace, "x", name="salaries.xlsx", principals=[hr.principal])
    nobody = make(workspace, "x", name="nobody.txt", principals=[])
    assert "salaries.xlsx" in as_rita.get(LIST).content.decode()
    assert "salaries.xlsx" not in as_bob.get(LIST).content.decode()
    owners = as_alice.get(LIST).content.decode()
    assert "salaries.xlsx" in owners
    assert "nobody.txt" in owners
    assert page_of(secret) + '"' not in owners
    assert as_alice.get(page_of(secret)).status_code == 404
    assert as_alice.get(page_of(nobody)).status_code == 404


def test_an_editor_sees_own_uploads_without_reading_them(as_bob: Client, bob: User, workspace: Workspace, hr: Group) -> None:
    own = make(workspace, "x", name="for-hr.txt", principals=[hr.principal], uploaded_by=bob)
    assert "for-hr.txt" in as_bob.get(LIST).content.decode()
    assert as_bob.get(page_of(own)).status_code == 404
    assert as_bob.post(page_of(own) + "/retry").status_code == 302


@pytest.mark.parametrize("address", [LIST, f"{LIST}?status=failed&q=a", "/w/acme/sources"])
def test_a_page_needs_few_queries(as_alice: Client, workspace: Workspace, address: str, django_assert_max_num_queries: Callable) -> None:
    for number in range(60):
        make(workspace, "x", name=f"a{number}.txt")
    with django_assert_max_num_queries(12):
        assert as_alice.get(address).status_code == 200


# --- upload ------------------------------------------------------------------------------------------------------------------------
def test_an_upload_is_answered_when_it_is_durable(as_bob: Client, workspace: Workspace) -> None:
    answer = as_bob.post(LIST + "/upload", sent("../../notes\u202etxt.md", b"# Notes"), headers=HTMX)
    assert answer.status_code == 201
    document = Document.objects.get(pk=answer.json()["documents"][0]["id"])
    assert document.name == "notestxt.md"
    assert [principal.value for principal in document.principals.all()] == [workspace.everyone]
    event = AuditEvent.objects.get(action="document.upload")
    assert event.detail["readers"] == "everyone in the workspace"


def test_an_upload_for_groups_is_for_them_only(as_bob: Client, workspace: Workspace, hr: Group) -> None:
    answer = as_bob.post(LIST + "/upload", sent("a.txt", b"x", readers="groups", groups=[str(hr.pk)]), headers=HTMX)
    document = Document.objects.get(pk=answer.json()["documents"][0]["id"])
    assert [principal.value for principal in document.principals.all()] == [hr.principal]


def test_an_upload_must_name_groups_where_the_workspace_says_so(as_bob: Client, workspace: Workspace, hr: Group) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(uploads_for_all=False)
    answer = as_bob.post(LIST + "/upload", sent("a.txt", b"x", readers="everyone"), headers=HTMX)
    assert answer.status_code == 422
    assert "Choose the groups" in answer.json()["detail"]
    assert not Document.objects.exists()


def test_a_group_of_another_workspace_opens_nothing(as_bob: Client, workspace: Workspace, other_workspace: Workspace) -> None:
    foreign = Group.objects.create(workspace=other_workspace, name="Theirs")
    answer = as_bob.post(LIST + "/upload", sent("a.txt", b"x", readers="groups", groups=[str(foreign.pk)]), headers=HTMX)
    assert answer.status_code == 422
    assert not Document.objects.exists()


@pytest.mark.parametrize(
    ("name", "data", "status", "words"),
    [
        ("empty.txt", b"", 422, "empty"),
        ("program.exe", b"MZ\x90\x00", 415, "cannot be read"),
        ("letter.pages", b"PK\x03\x04rest", 415, "cannot be read"),
        ("picture.svg", b"<svg onload=alert(1)>", 415, "cannot be read"),
        ("large.txt", b"x" * 1_100_000, 413, "at most 1 MB"),
    ],
)
def test_what_cannot_be_taken_is_refused_at_once_in_words(
    as_bob: Client, workspace: Workspace, settings: Any, name: str, data: bytes, status: int, words: str
) -> None:
    settings.UPLOAD_MEGABYTES = 1
    answer = as_bob.post(LIST + "/upload", sent(name, data), headers=HTMX)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.json()
    assert not Document.objects.exists()
    assert not list(settings.FILES_DIR.rglob("*.*"))


def test_a_form_without_a_script_takes_many_files_and_says_what_was_wrong(as_bob: Client, workspace: Workspace) -> None:
    files = [SimpleUploadedFile("good.txt", b"words"), SimpleUploadedFile("empty.txt", b"")]
    html = as_bob.post(LIST + "/upload", {"file": files}, follow=True).content.decode()
    assert "1 file received." in html
    assert "empty.txt: The file is empty" in html
    assert as_bob.post(LIST + "/upload", {}, headers=HTMX).status_code == 422


def test_readers_and_strangers_upload_nothing(as_rita: Client, as_charlie: Client, workspace: Workspace) -> None:
    assert as_rita.post(LIST + "/upload", sent("a.txt", b"x")).status_code == 404
    assert as_charlie.post(LIST + "/upload", sent("a.txt", b"x")).status_code == 404


# --- verbs -------------------------------------------------------------------------------------------------------------------------
def test_a_document_is_retried_restricted_and_deleted(as_bob: Client, workspace: Workspace, hr: Group) -> None:
    document = make(workspace, "x", status=Status.FAILED, error="broken")
    answer = as_bob.post(page_of(document) + "/retry", headers=HTMX)
    assert (answer.status_code, answer["HX-Trigger"]) == (204, "uploaded")
    document.refresh_from_db()
    assert (document.status, document.error) == (Status.QUEUED, "")
    assert "HR" in as_bob.get(page_of(document) + "/access", headers=HTMX).content.decode()
    assert as_bob.post(page_of(document) + "/access", {"readers": "groups"}, headers=HTMX).status_code == 422
    assert as_bob.post(page_of(document) + "/delete", headers=HTMX).status_code == 204
    assert as_bob.get(page_of(document)).status_code == 404
    assert as_bob.post(page_of(document) + "/delete", headers=HTMX).status_code == 404
    events = AuditEvent.objects.filter(action__startswith="document.").order_by("number")
    assert list(events.values_list("action", flat=True)) == ["document.retry", "document.delete"]


def test_restricting_takes_a_document_from_its_readers_at_once(as_bob: Client, as_rita: Client, workspace: Workspace, hr: Group) -> None:
    document = make(workspace, "x")
    as_bob.post(page_of(document) + "/access", {"readers": "nobody"})
    assert as_rita.get(page_of(document)).status_code == 404
    assert as_bob.post(page_of(document) + "/access", {"readers": "everyone"}).status_code == 404


def test_readers_and_strangers_change_nothing(as_rita: Client, as_charlie: Client, workspace: Workspace) -> None:
    document = make(workspace, "x")
    for client in (as_rita, as_charlie):
        for verb in ("retry", "delete", "access"):
            assert client.post(f"{page_of(document)}/{verb}", {"readers": "everyone"}).status_code == 404
    document.refresh_from_db()
    assert (document.deleted_at, document.status) == (None, Status.QUEUED)


def test_a_document_under_another_workspace_is_not_there(charlie: User, as_charlie: Client, workspace: Workspace) -> None:
    document = make(workspace, "x")
    for tail in ("", "/file", "/pages/1.png"):
        assert as_charlie.get(f"/w/elsewhere/documents/{document.pk}{tail}").status_code == 404


# --- the viewer --------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def _index(vectors: str) -> None:
    """Needs the vector daemon."""


@pytest.mark.usefixtures("_index")
class TestViewer:
    def test_it_marks_the_words_of_the_span(self, as_rita: Client, workspace: Workspace) -> None:
        document = ready(workspace, "Before <b>words</b> after.", name="a.txt")
        html = as_rita.get(page_of(document, "?start=7&end=19")).content.decode()
        assert "Before <mark>&lt;b&gt;words&lt;/b&gt;</mark> after." in html

    def test_it_is_a_fragment_in_the_pane(self, as_rita: Client, workspace: Workspace) -> None:
        document = ready(workspace, "words", name="a.txt")
        html = as_rita.get(page_of(document, "?start=0&end=5"), headers={**HTMX, "HX-Target": "aside"}).content.decode()
        assert "<html" not in html
        assert "<mark>words</mark>" in html
        assert "data-pane-close" in html

    def test_it_says_that_the_document_has_changed_since(self, as_rita: Client, workspace: Workspace) -> None:
        document = ready(workspace, "words", name="a.txt")
        html = as_rita.get(page_of(document, "?start=0&end=5&of=0123456789abcdef")).content.decode()
        assert "<mark>" not in html
        assert "has changed since" in html
        cited = page_of(document, f"?start=0&end=5&of={digest('words')}")
        assert "<mark>words</mark>" in as_rita.get(cited).content.decode()
        Document.objects.filter(pk=document.pk).update(text="Some new words")
        assert "Some new <mark>words</mark>" in as_rita.get(cited).content.decode(), "found again"

    def test_markdown_is_rendered_and_nothing_in_it_runs(self, as_rita: Client, workspace: Workspace) -> None:
        text = "# Leave\n\n**Sixteen** weeks.\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![i](http://evil.example/p.png)"
        document = ready(workspace, text, name="leave.md", media_type="text/markdown")
        start = text.index("Sixteen")
        html = as_rita.get(page_of(document, f"?start={start - 2}&end={start + 16}")).content.decode()
        assert "<h1>Leave</h1>" in html
        assert "<strong><mark>Sixteen</mark></strong><mark> weeks" in html
        assert "<script>alert" not in html
        assert 'href="javascript' not in html
        assert "evil.example" not in html.replace("&quot;", "") or "<img" not in html.split("viewer-body")[1]

    def test_a_sheet_is_a_table_with_the_row_marked(self, as_rita: Client, workspace: Workspace) -> None:
        text = "Prices\nItem: tea; Price: 3\nItem: coffee; Price: 4\n"
        places = (Place(7, 26, "row", "Prices!2"), Place(27, 49, "row", "Prices!3"))
        document = ready(workspace, text, name="p.xlsx", places=places)
        html = as_rita.get(page_of(document, "?start=30&end=36")).content.decode()
        assert html.count('<tr class="marked">') == 1
        assert "Prices!3" in html.split('class="marked"')[1]

    def test_a_pdf_shows_the_page_with_the_boxes_of_the_words(self, as_rita: Client, workspace: Workspace) -> None:
        text = "First page words\n\nSecond page here"
        words = (
            Word(0, 5, 1, (0.1, 0.1, 0.2, 0.12)),
            Word(18, 24, 2, (0.1, 0.5, 0.2, 0.52)),
            Word(25, 29, 2, (0.21, 0.5, 0.3, 0.52)),
            Word(30, 34, 2, (0.1, 0.6, 0.2, 0.62)),
        )
        places = (Place(0, 16, "page", "1"), Place(18, 34, "page", "2"))
        document = ready(workspace, text, name="a.pdf", media_type="application/pdf", pages=2, places=places, words=words)
        files.path_of(document.file_of(document.sha256)).write_bytes(pdf(2))
        html = as_rita.get(page_of(document, "?start=18&end=29")).content.decode()
        assert html.split("viewer-body")[1].count("<rect") == 1
        assert 'width="1200" height="600"' in html
        assert 'x="0.10000" y="0.50000" width="0.20000"' in html
        assert "<mark>Second page</mark> here" in html
        assert "First page words" not in html
        assert "?start=18&amp;end=29&amp;page=1" in html
        assert "First page words" in as_rita.get(page_of(document, "?page=1")).content.decode()

    @pytest.mark.parametrize(
        "query", ["?start=-1&end=x", "?start=9999999&end=99999999", "?part=99", "?page=77", "?start=5&end=2", "?start=٣&end=9"]
    )
    def test_no_address_breaks_it(self, as_rita: Client, workspace: Workspace, query: str) -> None:
        document = ready(workspace, "words", name="a.txt")
        assert as_rita.get(page_of(document, query)).status_code == 200

    def test_it_needs_few_queries(self, as_rita: Client, workspace: Workspace, django_assert_max_num_queries: Callable) -> None:
        document = ready(workspace, "words", name="a.txt")
        with django_assert_max_num_queries(12):
            as_rita.get(page_of(document))


def test_a_document_that_is_still_read_says_so(as_rita: Client, workspace: Workspace) -> None:
    document = make(workspace, "x")
    html = as_rita.get(page_of(document)).content.decode()
    assert "North is still reading this document" in html
    assert "every 2s" in html


def test_a_file_is_only_ever_downloaded(as_rita: Client, workspace: Workspace) -> None:
    document = make(workspace, "<script>alert(1)</script>", name='böse "ü".html')
    answer = as_rita.get(page_of(document) + "/file")
    assert b"".join(answer.streaming_content) == b"<script>alert(1)</script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''b%C3%B6se%20%22%C3%BC%22.html"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_picture_of_a_page_is_drawn_for_its_readers_only(as_rita: Client, workspace: Workspace, hr: Group, carl: User) -> None:
    document = make(workspace, "x", name="a.pdf", principals=[hr.principal], pages=1)
    document.sha256, document.bytes = files.store(io.BytesIO(pdf(1)), document.folder)
    Document.objects.filter(pk=document.pk).update(sha256=document.sha256, indexed_sha256=document.sha256)
    answer = as_rita.get(page_of(document) + "/pages/1.png")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png"), answer.content[:200]
    assert answer.content.startswith(b"\x89PNG")
    assert as_rita.get(page_of(document) + "/pages/1.png", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert as_rita.get(page_of(document) + "/pages/2.png").status_code == 404
    assert browser_of(carl).get(page_of(document) + "/pages/1.png").status_code == 404


def pdf(pages: int) -> bytes:
    made = pypdfium2.PdfDocument.new()
    for _page in range(pages):
        made.new_page(200, 100)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()
