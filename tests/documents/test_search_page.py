"""The search page: facets, chips, what a question says by itself, why each hit is there, and searches that are kept."""

from __future__ import annotations

import html as html_of
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from celery.contrib.testing.worker import start_worker
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from north.celery import app
from north.documents import actions, passages, tasks
from north.documents.facets import facets
from north.documents.filtering import filters_of
from north.documents.models import Document, SavedSearch, Source
from north.workspaces.audit import AuditEvent
from north.workspaces.models import ApiKey, Group, Membership, User, Workspace
from tests.conftest import browser_of
from tests.documents.conftest import ready

PAGE = "/w/acme/search"
OLD, NEW = datetime(2023, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.fixture
def worker(broker: Any, vectors: str, transactional_db: None) -> Iterator[None]:
    with start_worker(app, pool="solo", queues=["search"], perform_ping_check=False, loglevel="ERROR"):
        yield


@pytest.fixture
def as_carl(carl: User, workspace: Workspace) -> Client:
    return browser_of(carl)


@pytest.fixture
def shelf(vectors: str, transactional_db: None, workspace: Workspace, hr: Group) -> Source:
    """Four documents about leave, one of them for HR, one for nobody."""
    source = Source.objects.create(workspace=workspace, connector="folder", name="HR handbook")
    said = {"source": source, "external_id": "a/leave.docx", "kept_in": "a", "language": "en", "media_type": DOCX}
    ready(workspace, "Parental leave lasts sixteen weeks.", name="leave.docx", author="Anna Berg", updated_at=NEW, **said)
    ready(workspace, "Elternzeit: parental leave in Germany.", name="urlaub.txt", language="de", updated_at=OLD, created_at=OLD)
    ready(workspace, "Parental leave of the managers.", name="managers.txt", principals=[hr.principal], updated_at=NEW, language="en")
    ready(workspace, "Parental leave of the board.", name="secret.html", principals=[], media_type="text/html", language="fr")
    return source


def look(client: Client, **query: Any) -> str:
    answer = client.get(f"{PAGE}?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200, answer.content.decode()[-2000:]
    return html_of.unescape(answer.content.decode())


def look_at_facets(client: Client, **query: Any) -> str:
    headers = {"HX-Request": "true", "HX-Target": "facets"}
    return html_of.unescape(client.get(f"{PAGE}?{urlencode(query, doseq=True)}", headers=headers).content.decode())


def chips(html: str) -> dict[str, str]:
    """What each chip says, and the address of the search without it."""
    found = re.findall(r'<a class="chip"[^>]*href="([^"]*)">(.*?)</a>', html, re.DOTALL)
    return {re.sub(r"<[^>]*>|Remove the filter", "", words).strip(): address for address, words in found}


def names(html: str) -> set[str]:
    return {name for name in ("leave.docx", "urlaub.txt", "managers.txt", "secret.html") if re.search(rf">[^<]*{name}", html)}


def facet(html: str, name: str) -> dict[str, int]:
    block = re.search(rf'id="facet-{name}">.*?</nav>', html, re.DOTALL)
    found = re.findall(r'<span class="clip">(.*?)</span><span class="count">(.*?)</span>', block[0]) if block else []
    return {words: int(count) for words, count in found}


@pytest.mark.django_db
def test_facets_count_what_the_person_may_read_and_nothing_else(shelf: Source, as_rita: Client, as_carl: Client) -> None:
    mine, carls = look_at_facets(as_rita), look_at_facets(as_carl)
    assert facet(mine, "source") == {"Uploads": 2, "HR handbook": 1} and facet(carls, "source") == {"Uploads": 1, "HR handbook": 1}
    assert facet(mine, "type") == {"Plain text and Markdown": 2, "Word and other texts": 1}
    assert facet(mine, "language") == {"English": 2, "German": 1} and "French" not in mine
    assert list(facet(mine, "year")) == ["2024", "2023"]


@pytest.mark.django_db
def test_a_facet_is_chosen_and_taken_back(shelf: Source, as_rita: Client) -> None:
    html = look_at_facets(as_rita, q="leave", type="word", found=str(Document.objects.get(name="leave.docx").pk))
    found = dict(re.findall(r'href="\?([^"]*)"( aria-current="true")?><span', html))
    assert found["q=leave"], "the chosen kind is taken back"
    assert found["q=leave&type=word&source=HR+handbook"] == ""
    assert any("updated_from=2024-01-01&updated_to=2024-12-31" in query for query in found)


def counted(html: str, name: str) -> dict[str, str]:
    block = html.split(f'id="facet-{name}"')[1].split("</nav>")[0] if f'id="facet-{name}"' in html else ""
    return dict(re.findall(r'<span class="clip">(.*?)</span><span class="count"[^>]*>(.*?)</span>', block))


@pytest.mark.django_db
def test_facets_count_what_was_found(shelf: Source, as_rita: Client) -> None:
    ids = {one.name: str(one.pk) for one in Document.objects.all()}
    html = look_at_facets(as_rita, q="leave", found=f"{ids['leave.docx']},{ids['urlaub.txt']}")
    assert counted(html, "type") == {"Word and other texts": "1", "Plain text and Markdown": "1"}
    assert counted(html, "language") == {"English": "1", "German": "1"}, "of two English documents one was found"
    chosen = look_at_facets(as_rita, q="leave", type="word", found=ids["leave.docx"])
    assert counted(chosen, "type") == {"Word and other texts": "1", "Plain text and Markdown": "of 2"}
    assert counted(chosen, "language") == {"English": "1"}
    assert counted(look_at_facets(as_rita, q="zebra", found=""), "type") == {}


@pytest.mark.django_db
@pytest.mark.parametrize("found", ["x", ",,,", "'; DROP", "\0", "00000000-0000-0000-0000-000000000000", "a" * 9000])
def test_what_was_found_is_ids_of_what_the_person_may_read(shelf: Source, as_rita: Client, found: str) -> None:
    secret = str(Document.objects.get(name="secret.html").pk)
    html = look_at_facets(as_rita, q="leave", found=f"{secret},{found}")
    assert counted(html, "type") == {} and "French" not in html


def test_a_hit_is_marked_as_an_answer_and_the_page_shows_it(worker: None, shelf: Source, as_rita: Client, as_carl: Client) -> None:
    html = look(as_rita, q="documents by Anna Berg about parental leave")
    assert html.count("This answers it") == 1 and "Marked as an answer" not in html
    told = dict(re.findall(r'name="(question|document)" value="(.*?)"', html))
    assert told["question"] == "parental leave", "without the words that became filters: the measured search has none"
    assert as_rita.post("/w/acme/quality/mark", told).status_code == 302
    again = look(as_rita, q="parental leave")
    assert again.count("Marked as an answer") == 1 and again.count("This answers it") == len(names(again)) - 1
    assert "Marked as an answer" not in look(as_carl, q="parental leave"), "each has their own"


def test_the_page_hands_on_what_it_found(worker: None, shelf: Source, as_rita: Client) -> None:
    html = look(as_rita, q="Elternzeit", type="text")
    told = re.search(r"hx-vals='{\"found\": \"(.*?)\"}'", html)
    assert told and set(told[1].split(",")) == {
        str(pk) for pk in Document.objects.filter(name__in=names(html)).values_list("pk", flat=True)
    }


@pytest.mark.django_db
def test_facets_count_within_the_other_filters(shelf: Source, reader: Membership) -> None:
    readable = actions.readable(reader)

    def within(**given: object) -> dict[str, dict[str, int]]:
        found = facets(readable, filters_of(given, readable))
        return {name: {one.value: one.count for one in values} for name, values in found.items()}

    german = within(language=["de"])
    assert german["language"] == {"en": 2, "de": 1} and german["type"] == {"text": 1} and german["source"] == {"uploads": 1}
    year = within(updated_from="2024-01-01", updated_to="2024-12-31")
    assert year["year"] == {"2024": 2, "2023": 1} and year["language"] == {"en": 2}
    assert within(author=["berg"])["type"] == {"word": 1} == within(author=["anna  BERG"])["type"]
    assert within(author=["ann"])["type"] == {} and within(folder="a")["type"] == {"word": 1}
    assert within(updated_from="2024-02-01")["year"] == {"2024": 2}
    assert within(created_to="2023-12-31")["language"] == {"de": 1}


def test_chips_name_each_filter_and_take_it_back(worker: None, shelf: Source, as_rita: Client) -> None:
    given = {"q": "parental leave", "type": ["word", "text"], "source": "HR handbook", "updated_from": "2024-01-01", "author": "Anna"}
    html = look(as_rita, **given, folder="a")
    assert names(html) == {"leave.docx"}
    found = chips(html)
    assert set(found) == {
        "Word and other texts", "Plain text and Markdown", "HR handbook", "Changed from 2024-01-01", "By Anna", "In folder a"
    }  # fmt: skip
    without = parse_qs(urlsplit(found["Word and other texts"]).query)
    assert without == {
        key: value if isinstance(value, list) else [value] for key, value in {**given, "type": ["text"], "folder": "a"}.items()
    }


def test_what_the_question_says_is_a_chip_that_one_click_takes_back(worker: None, shelf: Source, as_rita: Client) -> None:
    html = look(as_rita, q="documents by Anna Berg about parental leave")
    assert names(html) == {"leave.docx"}
    found = chips(html)
    assert list(found) == ["By Anna Berg"] and "data-inferred" in html
    assert names(look(as_rita, **parse_qs(urlsplit(found["By Anna Berg"]).query))) == {"leave.docx", "urlaub.txt", "managers.txt"}
    assert names(look(as_rita, q="parental leave from the HR handbook")) == {"leave.docx"}
    assert names(look(as_rita, q="documents from 2023 about parental leave")) == {"urlaub.txt"}
    assert not chips(look(as_rita, q="parental leave by train"))


def test_a_chosen_filter_is_not_read_out_of_the_question_again(worker: None, shelf: Source, as_rita: Client) -> None:
    html = look(as_rita, q="documents from 2023 about parental leave", updated_from="2024-01-01", updated_to="2024-12-31")
    assert names(html) == {"leave.docx", "managers.txt"} and "data-inferred" not in html


def test_the_question_never_names_a_source_or_an_author_that_is_hidden(
    worker: None, shelf: Source, workspace: Workspace, as_rita: Client
) -> None:
    hidden = Source.objects.create(workspace=workspace, connector="folder", name="Board papers")
    ready(workspace, "Parental leave of Zoe.", source=hidden, external_id="z", principals=[], author="Zoe Zander", name="z.txt")
    for question in ("parental leave from Board papers", "parental leave by Zoe Zander"):
        html = look(as_rita, q=question)
        assert not chips(html) and "Board papers</span>" not in html


def test_each_hit_says_why_it_is_there(worker: None, shelf: Source, workspace: Workspace, as_rita: Client, as_alice: Client) -> None:
    ready(workspace, "PARENTAL leave lasts sixteen weeks!", name="copy.txt")
    Source.objects.filter(pk=shelf.pk).update(half_life=30)
    Document.objects.filter(name="leave.docx").update(verified_at=NEW)
    html = look(as_rita, q="parental leave sixteen", author="berg")
    for said in (
        "words in common: parental, leave, sixteen",
        "likeness of question and passage",
        "the question says what the document is called",
        "by their weights",
        "half-life of its source",
    ):
        assert said in html, said
    assert "raised by 5 % of what it lacked" in html and "part 1 of the document, characters 0 to 35" in html
    assert "open to you through" not in html
    assert "nearly the same words in" in look(as_rita, q="parental leave sixteen weeks")
    assert "open to you through everyone in the workspace" in re.sub(r"\s+", " ", look(as_alice, q="parental leave"))


def test_the_api_says_the_same(worker: None, shelf: Source, workspace: Workspace, reader: Membership, owner: Membership, hr: Group) -> None:
    ready(workspace, "PARENTAL leave lasts sixteen weeks!", name="copy.txt")
    hr.users.add(owner.user)

    def call(member: Membership) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {ApiKey.issue(workspace=workspace, user=member.user)[1]}"}
        body = {"query": "parental leave sixteen weeks"}
        answer = Client().post("/api/v1/search", body, content_type="application/json", headers=headers).json()
        assert answer["notice"] == ""
        return {result["name"]: result for result in answer["results"]}

    found, owners = call(reader), call(owner)
    twins = {"copy.txt", "leave.docx"}
    kept = (twins & found.keys()).pop()
    passage = found[kept]["passages"][0]
    assert [(one["name"], one["reason"]) for one in passage["cut"]] == [((twins - {kept}).pop(), "duplicate")]
    assert {"sparse", "dense", "fused"} <= passage["why"].keys() and passage["why"]["sparse"] > 0
    assert found[kept]["access"] is None
    assert owners[kept]["access"] == ["everyone in the workspace"] and owners["managers.txt"]["access"] == ["the group HR"]


def test_nothing_found_says_what_can_be_done(worker: None, shelf: Source, as_rita: Client) -> None:
    assert "fits the question and all of these filters" in look(as_rita, q="pdf about parental leave")
    assert "Search without filters" in look(as_rita, q="parental leave", type="pdf")
    assert "holds anything near to this" in look(as_rita, q="?!")


def test_a_page_costs_at_most_twelve_queries(worker: None, shelf: Source, as_alice: Client) -> None:
    look(as_alice, q="parental leave")
    for query in (
        {},
        {"q": "parental leave"},
        {"q": "parental leave by Anna Berg from the HR handbook"},
        {"q": "leave", "source": "uploads"},
    ):
        with CaptureQueriesContext(connection) as asked:
            look(as_alice, **query)
        assert len(asked) <= 12, [one["sql"][:100] for one in asked]


@pytest.mark.django_db
class TestSaving:
    ADDRESS = "/w/acme/search/saved"

    def test_a_search_is_kept_opened_renamed_and_deleted(self, workspace: Workspace, as_rita: Client, as_carl: Client) -> None:
        query = urlencode({"q": "leave", "type": "pdf", "not": "author", "evil": "x"})
        assert as_rita.post(self.ADDRESS, {"query": query, "name": "Leave"}).status_code == 302
        kept = SavedSearch.objects.get()
        assert (kept.name, kept.query) == ("Leave", "q=leave&type=pdf&not=author")
        assert f'href="?{kept.query.replace("&", "&amp;")}"' in as_rita.get(PAGE).content.decode()
        assert "Saved searches" not in as_carl.get(PAGE).content.decode()
        for client, status in ((as_carl, 404), (as_rita, 302)):
            assert client.post(f"{self.ADDRESS}/{kept.pk}/rename", {"name": " My  leave "}).status_code == status
        assert SavedSearch.objects.get().name == "My leave"
        for client, status in ((as_carl, 404), (as_rita, 302), (as_rita, 404)):
            assert client.post(f"{self.ADDRESS}/{kept.pk}/delete").status_code == status
        assert not SavedSearch.objects.exists()

    def test_the_same_name_gets_the_new_search(self, workspace: Workspace, as_rita: Client) -> None:
        for query in ("q=one", "q=two"):
            as_rita.post(self.ADDRESS, {"query": query, "name": "Mine"})
        assert SavedSearch.objects.get().query == "q=two"

    @pytest.mark.parametrize("query", ["", "type=pdf", "q=", "q=%00", "q=+", "&&&=", "q=" + "x" * 9000, "q=%ED%A0%80" + "%00"])
    def test_what_is_no_search_is_not_kept(self, query: str, workspace: Workspace, as_rita: Client) -> None:
        answer = as_rita.post(self.ADDRESS, {"query": query}, follow=True)
        assert "There is no search to save" in answer.content.decode()
        assert not SavedSearch.objects.exists()

    def test_two_of_one_name_and_an_empty_name_are_refused_in_words(self, workspace: Workspace, as_rita: Client) -> None:
        for name in ("One", "Two"):
            as_rita.post(self.ADDRESS, {"query": "q=a", "name": name})
        one = SavedSearch.objects.get(name="One")
        for name, said in (("Two", "another search under this name"), ("  ", "Give the search a name"), ("a\0", "Give the search a name")):
            answer = as_rita.post(f"{self.ADDRESS}/{one.pk}/rename", {"name": name}, follow=True)
            assert said in answer.content.decode()
        assert {kept.name for kept in SavedSearch.objects.all()} == {"One", "Two"}


@pytest.mark.django_db
@pytest.mark.usefixtures("vectors")
class TestVerified:
    def test_who_manages_a_document_vouches_for_it_and_takes_it_back(self, workspace: Workspace, as_bob: Client, as_rita: Client) -> None:
        document = ready(workspace, "rules", name="rules.txt")
        address = f"/w/acme/documents/{document.pk}"
        assert as_rita.post(f"{address}/verify", {"verified": "1"}).status_code == 404
        page = as_bob.post(f"{address}/verify", {"verified": "1"}, follow=True).content.decode()
        assert "vouches for it" in page and "Vouch no more" in page
        as_bob.post(f"{address}/verify", {"verified": "1"})
        document.refresh_from_db()
        assert document.verified_at and document.verified_by and document.verified_by.email.startswith("bob")
        as_bob.post(f"{address}/verify")
        document.refresh_from_db()
        assert document.verified_at is None
        said = AuditEvent.objects.filter(action__startswith="document.").values_list("action", flat=True).order_by("number")
        assert [action for action in said if "verify" in action] == ["document.verify", "document.unverify"]

    def test_a_new_revision_is_vouched_for_by_nobody(self, workspace: Workspace, owner: Membership) -> None:
        document = ready(workspace, "rules")
        actions.verify(document, True, actor=owner)
        document.refresh_from_db()
        document.requeue("indexing")
        tasks.index()
        document.refresh_from_db()
        assert document.verified_at, "indexed again, it says the same"
        Document.objects.filter(pk=document.pk).update(indexed_sha256="0" * 64)
        document.requeue("indexing")
        tasks.index()
        document.refresh_from_db()
        assert document.status == "ready" and document.verified_at is None

    def test_both_count_in_a_search_as_said(self, workspace: Workspace, reader: Membership) -> None:
        source = Source.objects.create(workspace=workspace, connector="folder", name="News", half_life=10)
        old = ready(workspace, "rules one here", name="old.txt", source=source, external_id="a", updated_at=OLD)
        plain = ready(workspace, "rules two here", name="plain.txt")
        Document.objects.filter(pk=plain.pk).update(verified_at=NEW)
        found = {one.name: one for one in search_of(reader)}
        assert found["old.txt"].why["recency"] == pytest.approx(0.7, abs=0.01) and "recency" not in found["plain.txt"].why
        assert found["plain.txt"].why["verified"] == 1 and found["old.txt"].document == str(old.pk)


def search_of(member: Membership) -> Any:
    return passages.search(str(member.workspace_id), str(member.user_id), "rules here", 5)
