"""Marks where people are, the set that owners edit, its files; and who may find out what by it."""

from __future__ import annotations

import html as html_of
import json
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from north.documents.models import Document, Principal
from north.evaluation import golden, transfer
from north.evaluation.errors import Refused
from north.evaluation.models import GoldenAnswer, GoldenQuestion
from north.workspaces.audit import AuditEvent
from north.workspaces.models import Group, Membership, User, Workspace
from tests.conftest import browser_of, membership_of

MARK, SET = "/w/acme/quality/mark", "/w/acme/quality/questions"
LEAVE = "How many days of leave?"
HTMX = {"HX-Request": "true"}


def row(workspace: Workspace, name: str, *principals: str) -> Document:
    """Without a file: no search is asked here."""
    document = Document.objects.create(workspace=workspace, name=name, sha256="a" * 64, indexed_sha256="a" * 64, status="ready")
    for value in principals or (workspace.everyone,):
        Principal.objects.create(document=document, value=value)
    return document


@pytest.fixture
def leave(workspace: Workspace) -> Document:
    return row(workspace, "leave.docx")


@pytest.fixture
def secret(workspace: Workspace, hr: Group) -> Document:
    """Only rita, who is in HR, may read it: the owner may not."""
    return row(workspace, "salaries-of-the-board.xlsx", hr.principal)


def page(client: Client, address: str = SET, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content.decode()[-1500:]
    return html_of.unescape(answer.content.decode())


def set_of(workspace: Workspace) -> dict[str, set[str]]:
    return {one.text: {answer.document.name for answer in one.answers.all()} for one in workspace.golden_questions.all()}


def test_a_mark_is_made_and_taken_back_where_one_is(as_rita: Client, workspace: Workspace, leave: Document) -> None:
    told = {"question": LEAVE, "document": str(leave.pk), "key": "hit"}
    answer = as_rita.post(MARK, told, headers=HTMX).content.decode()
    assert "Marked as an answer" in answer and 'name="undo"' in answer and set_of(workspace) == {LEAVE: {"leave.docx"}}
    assert as_rita.post(MARK, told, headers=HTMX).status_code == 200 and GoldenAnswer.objects.count() == 1, "twice is once"
    undone = as_rita.post(MARK, {**told, "undo": "1"}, headers=HTMX).content.decode()
    assert "This answers it" in undone and set_of(workspace) == {}, "a question that nothing answers goes"
    assert as_rita.post(MARK, {**told, "undo": "1"}, headers=HTMX).status_code == 200
    events = list(AuditEvent.objects.filter(action__startswith="golden.").order_by("number"))
    assert [one.action for one in events] == ["golden.mark", "golden.unmark"] and LEAVE not in json.dumps([one.detail for one in events])


def test_without_htmx_the_button_leads_back_and_nowhere_else(as_rita: Client, leave: Document) -> None:
    told = {"question": LEAVE, "document": str(leave.pk)}
    assert as_rita.post(MARK, told, headers={"Referer": "http://testserver/w/acme/search?q=leave"})["Location"].endswith("/search?q=leave")
    assert as_rita.post(MARK, told, headers={"Referer": "https://evil.example/"})["Location"] == "/w/acme/search"


def test_words_that_differ_by_case_and_spaces_are_one_question_and_people_have_their_own(
    reader: Membership, owner: Membership, leave: Document, workspace: Workspace
) -> None:
    golden.mark(LEAVE, leave.pk, actor=reader)
    golden.mark(f"  {LEAVE.upper()} ", leave.pk, actor=reader)
    golden.mark(LEAVE, leave.pk, actor=owner)
    assert GoldenQuestion.objects.count() == 2
    assert golden.marked(reader, [LEAVE, "other"]) == {LEAVE: {str(leave.pk)}}
    golden.unmark(LEAVE, leave.pk, actor=owner)
    assert golden.marked(reader, [LEAVE]) and not golden.marked(owner, [LEAVE])


@pytest.mark.parametrize("question", ["", " ", "?!…", "\x00", "😀", "\ud800"])
def test_what_cannot_be_searched_for_is_no_question(as_rita: Client, leave: Document, question: str) -> None:
    sent = question.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    answer = as_rita.post(MARK, {"question": sent, "document": str(leave.pk)}, headers=HTMX)
    if any(map(str.isalnum, sent)):
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.content.decode()) == (409, "There is no word in the question that could be searched for.")
    with pytest.raises(Refused):
        golden.checked(question)


@pytest.mark.parametrize("document", ["", "x", "\x00", "00000000-0000-0000-0000-000000000000"])
def test_only_documents_that_one_may_read_are_marked(as_bob: Client, secret: Document, document: str) -> None:
    for named in (document, str(secret.pk)):
        assert as_bob.post(MARK, {"question": LEAVE, "document": named}, headers=HTMX).status_code == 404
    assert not GoldenQuestion.objects.exists()


def test_a_long_question_keeps_what_a_search_reads_of_it(reader: Membership, leave: Document) -> None:
    golden.mark("word " * 10_000, leave.pk, actor=reader)
    assert len(GoldenQuestion.objects.get().text) <= 2000
    assert golden.marked(reader, ["word " * 10_000])


def test_the_set_has_an_end(reader: Membership, leave: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "MOST", 1)
    golden.mark("one", leave.pk, actor=reader)
    with pytest.raises(Refused, match="is full: it holds 1"):
        golden.mark("two", leave.pk, actor=reader)
    golden.mark("one", leave.pk, actor=reader)


def test_only_owners_see_the_set(
    as_alice: Client, as_bob: Client, as_rita: Client, as_charlie: Client, reader: Membership, leave: Document
) -> None:
    golden.mark(LEAVE, leave.pk, actor=reader)
    assert LEAVE in page(as_alice) and "leave.docx" in page(as_alice)
    pk = GoldenQuestion.objects.get().pk
    for client in (as_bob, as_rita, as_charlie):
        for address in (SET, f"{SET}.jsonl", "/w/acme/quality"):
            assert client.get(address).status_code == 404
        for address in (f"{SET}/new", f"{SET}/import", f"{SET}/{pk}/reword", f"{SET}/{pk}/remove", f"{SET}/{pk}/answers/{leave.pk}/remove"):
            assert client.post(address).status_code == 404
    assert GoldenQuestion.objects.count() == 1
    assert "Search quality" in page(as_alice, "/w/acme/settings") and "Search quality" not in page(as_rita, "/w/acme/settings")


def test_the_set_names_no_document_that_its_owner_may_not_read(
    as_alice: Client, owner: Membership, reader: Membership, leave: Document, secret: Document
) -> None:
    golden.mark("What does the board earn?", secret.pk, actor=reader)
    golden.mark(LEAVE, leave.pk, actor=reader)
    html = page(as_alice)
    assert "1 document that you may not read" in html and "salaries" not in html and str(secret.pk) not in html
    told = [json.loads(line) for line in b"".join(as_alice.get(f"{SET}.jsonl").streaming_content).decode().splitlines()]
    assert [one["text"] for one in told] == [LEAVE] and told[0]["answers"] == [
        {"document": str(leave.pk), "name": "leave.docx", "score": 1}
    ]


def test_other_words_make_it_the_owners_question(as_alice: Client, alice: User, reader: Membership, secret: Document) -> None:
    """Else an owner could ask in another's name whether a document that is closed to the owner holds some words."""
    question = golden.mark("What does the board earn?", secret.pk, actor=reader)
    as_alice.post(f"{SET}/{question.pk}/reword", {"text": "Who earns a million?"})
    question.refresh_from_db()
    assert (question.text, question.asker) == ("Who earns a million?", alice)
    as_alice.post(f"{SET}/{question.pk}/reword", {"text": "?"})
    question.refresh_from_db()
    assert question.text == "Who earns a million?", "what is refused changes nothing"


def test_an_owner_writes_edits_and_removes(as_alice: Client, workspace: Workspace, leave: Document) -> None:
    other = row(workspace, "travel.pdf")
    as_alice.post(f"{SET}/new", {"text": LEAVE, "answers": f"leave.docx\r\n{other.pk}\r\n\r\nleave.docx"})
    assert set_of(workspace) == {LEAVE: {"leave.docx", "travel.pdf"}}
    question = GoldenQuestion.objects.get()
    as_alice.post(f"{SET}/{question.pk}/answers/{other.pk}/remove")
    assert set_of(workspace) == {LEAVE: {"leave.docx"}}
    assert "No question holds these words" in page(as_alice, q="zebra") and LEAVE in page(as_alice, q="DAYS")
    as_alice.post(f"{SET}/{question.pk}/remove")
    assert set_of(workspace) == {} and "No question yet" in page(as_alice)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": LEAVE, "answers": ""}, "Name the documents"),
        ({"text": LEAVE, "answers": "no-such.pdf"}, "you may read no document “no-such.pdf”"),
        ({"text": LEAVE, "answers": "salaries-of-the-board.xlsx"}, "you may read no document"),
        ({"text": LEAVE, "answers": "twin.txt"}, "2 documents are called “twin.txt”"),
        ({"text": "?", "answers": "leave.docx"}, "no word in the question"),
        ({"text": LEAVE, "answers": "\n".join(map(str, range(60)))}, "50 at most"),
    ],
)
def test_what_an_owner_writes_wrongly_is_said_and_kept_in_the_form(
    as_alice: Client, workspace: Workspace, leave: Document, secret: Document, given: dict[str, str], said: str
) -> None:
    row(workspace, "twin.txt"), row(workspace, "twin.txt")
    answer = as_alice.post(f"{SET}/new", given)
    assert answer.status_code == 422 and said in html_of.unescape(answer.content.decode()) and not GoldenQuestion.objects.exists()
    assert given["text"] in answer.content.decode()


def test_what_was_exported_is_imported_again(owner: Membership, reader: Membership, leave: Document, workspace: Workspace) -> None:
    other = row(workspace, "travel.pdf")
    golden.write(LEAVE, {leave.pk: 2, other.pk: 1}, actor=owner)
    golden.mark("Zug oder Flug? 東京", other.pk, actor=reader)
    data = "".join(transfer.exported(owner)).encode()
    before = set_of(workspace)
    GoldenQuestion.objects.all().delete()
    assert transfer.imported(data, actor=owner) == 2 and set_of(workspace) == before
    assert GoldenAnswer.objects.get(document=leave).grade == 2
    assert transfer.imported(data, actor=owner) == 2 and set_of(workspace) == before, "twice is once"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Line 2: no JSON."),
        ("[" * 100_000, "Line 2: no JSON."),
        ("[1]", 'an object with "text"'),
        ('{"text": 1, "answers": ["leave.docx"]}', 'an object with "text"'),
        ('{"text": "a"}', '"answers" must be a list'),
        ('{"text": "a", "answers": null}', '"answers" must be a list'),
        ('{"text": "a", "answers": []}', '"answers" must be a list'),
        ('{"text": "a", "answers": [7]}', "an answer is a document's id or name"),
        ('{"text": "a", "answers": [{}]}', 'no "document" and no "name"'),
        ('{"text": "a", "answers": ["\\u0000"]}', 'no "document" and no "name"'),
        ('{"text": "a", "answers": ["\\ud800"]}', 'no "document" and no "name"'),
        ('{"text": "a", "answers": [{"name": "leave.docx", "score": 0}]}', '"score" must be'),
        ('{"text": "a", "answers": [{"name": "leave.docx", "score": NaN}]}', '"score" must be'),
        ('{"text": "a", "answers": [{"name": "leave.docx", "score": true}]}', '"score" must be'),
        ('{"text": "\\ud800 ?", "answers": ["leave.docx"]}', "no word in the question"),
        ('{"text": "a", "answers": ["nothing.pdf"]}', "you may read no document"),
    ],
)
def test_a_broken_file_names_its_line_and_takes_nothing_over(as_alice: Client, leave: Document, line: str, said: str) -> None:
    data = f'{{"text": "good", "answers": ["leave.docx"]}}\n{line}\n'.encode()
    answer = as_alice.post(f"{SET}/import", {"file": SimpleUploadedFile("set.jsonl", data)})
    html = html_of.unescape(answer.content.decode())
    assert answer.status_code == 422 and said in html and "Nothing was taken over." in html
    assert not GoldenQuestion.objects.exists()


@pytest.mark.parametrize(("data", "said"), [(b"", "holds no question"), (b"\xff\xfe", "not written in UTF-8"), (None, "Choose a file")])
def test_a_file_that_is_none_is_refused(as_alice: Client, workspace: Workspace, data: bytes | None, said: str) -> None:
    files = {} if data is None else {"file": SimpleUploadedFile("set.jsonl", data or b"\n")}
    answer = as_alice.post(f"{SET}/import", files)
    assert answer.status_code == 422 and said in answer.content.decode()


def test_a_deleted_document_and_a_person_who_left_take_their_marks_with_them(reader: Membership, leave: Document, rita: User) -> None:
    golden.mark(LEAVE, leave.pk, actor=reader)
    Document.objects.filter(pk=leave.pk).update(deleted_at=timezone.now())
    assert golden.names_of([leave.pk], reader) == {}
    leave.delete()
    assert not GoldenAnswer.objects.exists()
    rita.delete()
    assert not GoldenQuestion.objects.exists()


def test_the_page_takes_few_queries_however_long_the_set(as_alice: Client, owner: Membership, workspace: Workspace) -> None:
    documents = [row(workspace, f"{n}.txt") for n in range(10)]
    for number in range(60):
        golden.write(f"question {number}", {one.pk: 1 for one in documents[: number % 9 + 1]}, actor=owner)
    with CaptureQueriesContext(connection) as queries:
        assert "Page 1 of 2" in page(as_alice)
    assert len(queries) <= 12, [query["sql"][:80] for query in queries]


def test_another_workspaces_question_is_not_there(as_alice: Client, charlie: User, other_workspace: Workspace, leave: Document) -> None:
    foreign = golden.mark("x1", row(other_workspace, "far.txt").pk, actor=membership_of(charlie, other_workspace))
    for verb in ("reword", "remove"):
        assert as_alice.post(f"{SET}/{foreign.pk}/{verb}", {"text": "taken"}).status_code == 404
    assert as_alice.post(f"{SET}/{uuid4()}/remove").status_code == 404
    assert browser_of(charlie).post(MARK, {"question": LEAVE, "document": str(leave.pk)}).status_code == 404
