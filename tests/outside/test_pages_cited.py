"""What an answer takes from a page of the web it cites: title, address, the exact words and when they were read; for its reader alone."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, expect

from agents.events import Citation, Source
from north.api.shapes import run_out
from north.documents.models import Document
from north.exports.making import made
from north.threads import actions, approving, authoring, papers, stream, tasks
from north.threads.models import Approval, Artifact, Run, WebPage
from north.threads.naming import is_page, page_id
from north.threads.reading import open_documents, shown
from north.threads.shelf import Bookcase
from north.threads.traces import TracedDocument
from north.workspaces.models import Membership, User, Workspace
from tests.conftest import browser_of, watched
from tests.outside.conftest import Site
from tests.threads.conftest import Actor, Shelve, finish

pytestmark = pytest.mark.django_db(transaction=True)
SAID = "The kilometre rate is 42 cents in Ruritania."


@pytest.fixture
def cited(waiting: Approval, model: Actor, reader: Membership) -> Run:
    """A question of rita's that was answered from a page."""
    model.says = SAID
    approving.approve(waiting, seen=waiting.proposed, actor=reader)
    return finish(waiting.run)


def test_the_answer_rests_on_the_exact_words_of_the_page_and_is_verified_by_them(cited: Run, site: Site) -> None:
    page, citation = cited.web_pages.get(), cited.citations.get()
    (source,) = citation.sources
    assert (page.title, page.url) == ("Rates", site.url("/rates"))
    assert (citation.text, source["document"], source["name"], source["text"]) == (SAID, str(page.pk), "Rates", SAID)
    assert page.text[source["start"] : source["end"]] == SAID and abs((timezone.now() - page.fetched_at).total_seconds()) < 60
    assert [(claim["support"], claim["citation"]) for claim in cited.claims] == [("supported", 0)]
    assert site.asked == ["/rates"], "it is read from what is kept, not asked for again"


def test_a_sentence_that_the_page_does_not_say_is_not_called_supported(waiting: Approval, model: Actor, reader: Membership) -> None:
    model.says = "The kilometre rate is 58 cents in Ruritania."
    approving.approve(waiting, seen=waiting.proposed, actor=reader)
    run = finish(waiting.run)
    assert run.citations.count() == 0 and [claim["support"] for claim in run.claims] == ["contradicted"]


def test_the_source_names_address_and_time_and_opens_at_the_words(cited: Run, as_rita: Client, site: Site) -> None:
    html = as_rita.get(f"/w/acme/threads/{cited.thread_id}").content.decode()
    (page,) = cited.web_pages.all()
    place = re.search(rf'<a data-pane href="(/w/acme/web/{page.pk}\?start=\d+&amp;end=\d+&amp;of=\w+)">', html)
    assert place and "page of the web, read" in html and f'<span class="meta">{site.url("/rates")}</span>' in html
    assert "/evaluation" not in html[place.end() : html.index("</li>", place.end())], "it is no document of the workspace to be marked"
    opened = as_rita.get(place[1].replace("&amp;", "&")).content.decode()
    assert f"<mark>{SAID}</mark>" in opened and site.url("/rates") in opened and "steal" not in opened
    aside = as_rita.get(place[1].replace("&amp;", "&"), headers={"HX-Request": "true", "HX-Target": "aside"}).content.decode()
    assert f"<mark>{SAID}</mark>" in aside and "<html" not in aside
    trace = as_rita.get(f"/w/acme/runs/{cited.pk}/trace").content.decode()
    assert f'href="/w/acme/web/{page.pk}?start=' in trace


def test_words_that_a_second_reading_lost_are_said_to_be_gone(cited: Run, as_rita: Client) -> None:
    page = cited.web_pages.get()
    source = cited.citations.get().sources[0]
    WebPage.objects.update(text="Nothing is left.")
    opened = as_rita.get(f"/w/acme/web/{page.pk}?start={source['start']}&end={source['end']}&of=0123456789abcdef").content.decode()
    assert "they are not in it any more" in opened and "<mark>" not in opened


def test_rest_and_files_name_address_and_time(cited: Run, reader: Membership, site: Site) -> None:
    page = cited.web_pages.get()
    out = run_out(cited, reader)
    (source,) = out.citations[0].sources
    assert (source["url"], source["fetched_at"], source["text"]) == (page.url, page.fetched_at, SAID)
    assert out.claims[0].citations == [source]
    restart, _end = stream.from_rows(cited.pk, lambda: reader)
    (told,) = restart.payload["result"]["citations"][0]["sources"]
    assert (told["url"], told["fetched_at"]) == (page.url, page.fetched_at.isoformat())
    markdown = made(papers.of_answer(Run.objects.get(pk=cited.pk), reader), "md").content.decode()
    assert markdown.count(f"Rates, {page.url}, read on ") == 2, "in the footnote and in the list of sources"
    assert f"“{SAID}”" in markdown


def test_it_is_for_whoever_may_read_the_run_and_goes_with_it(
    cited: Run, reader: Membership, owner: Membership, as_alice: Client, as_rita: Client
) -> None:
    page = str(cited.web_pages.get().pk)
    assert open_documents(reader, [page]).keys() == {page} and not open_documents(owner, [page])
    assert as_alice.get(f"/w/acme/web/{page}").status_code == 404
    actions.delete(cited.thread, actor=reader)
    assert as_rita.get(f"/w/acme/web/{page}").status_code == 404 and not open_documents(reader, [page])
    Run.objects.update(lease_until=None)
    tasks.sweep()
    assert not WebPage.objects.exists()


def test_what_a_document_cites_stays_open_as_long_as_the_document_is_there(
    cited: Run, reader: Membership, owner: Membership, as_rita: Client, as_alice: Client
) -> None:
    source = Source(**cited.citations.get().sources[0])
    Bookcase(cited, None).write("Rates", SAID, [Citation(0, len(SAID), SAID, (source,))])
    artifact = Artifact.objects.get()
    actions.delete(cited.thread, actor=reader)
    Run.objects.update(lease_until=None)
    tasks.sweep()
    assert not Run.objects.exists()
    html = as_rita.get(f"/w/acme/written/{artifact.pk}").content.decode()
    place = re.search(r'<a data-pane href="(/w/acme/web/[^"]+)">', html)
    assert place and source.text in html and "may no longer open" not in html
    opened = as_rita.get(place[1].replace("&amp;", "&"))
    assert f"<mark>{SAID}</mark>" in opened.content.decode() and f'href="/w/acme/written/{artifact.pk}"' in opened.content.decode()
    page = artifact.web_pages.get()
    assert as_alice.get(f"/w/acme/web/{page.pk}").status_code == 404 and not open_documents(owner, [str(page.pk)])
    assert page.url in made(papers.of_version(artifact.versions.get(), reader), "md").content.decode()
    kept = authoring.revise(artifact, f"{SAID} Ask Lena.", based_on=1, actor=reader)
    assert papers.cited(kept, reader)[1][0].document == str(page.pk)
    artifact.delete()
    assert not WebPage.objects.exists()


@pytest.mark.browser
def test_its_source_opens_beside_it_after_the_thread_is_gone(
    cited: Run, reader: Membership, chromium: Browser, server: str, rita: User
) -> None:
    Bookcase(cited, None).write("Rates", SAID, [Citation(0, len(SAID), SAID, (Source(**cited.citations.get().sources[0]),))])
    actions.delete(cited.thread, actor=reader)
    Run.objects.update(lease_until=None)
    tasks.sweep()
    with watched(chromium, server, rita) as page:
        page.goto(f"{server}/w/acme/written/{Artifact.objects.get().pk}")
        page.locator(".source a").click()
        expect(page.locator("#aside mark").first).to_have_text(SAID)
        page.locator("#aside").get_by_role("link", name="Open as a page").click()
        page.get_by_role("link", name="Rates").first.click()
        expect(page.get_by_role("heading", name="Rates")).to_be_visible()
        assert page.faults == []


def test_a_document_keeps_no_page_of_another_thread(cited: Run, reader: Membership, owner: Membership) -> None:
    run = Run.objects.create(thread=actions.create(actor=owner), question="Why?")
    source = Source(**cited.citations.get().sources[0])
    Bookcase(run, None).write("Mine", SAID, [Citation(0, len(SAID), SAID, (source,))])
    assert not WebPage.objects.exclude(artifact=None).exists()
    assert [one.closed for one in papers.cited(Artifact.objects.get().versions.get(), owner)[1]] == [True]


def test_the_sweeper_of_traces_leaves_the_words_of_a_page_in_place(cited: Run) -> None:
    assert not [one for one in TracedDocument.objects.all() if is_page(str(one.document))]
    tasks.sweep_traces()
    assert any(SAID in json.dumps(row.calls) for row in cited.traces.all())


def test_every_shown_source_resolves_to_exact_words_that_its_reader_may_open(
    cited: Run, reader: Membership, shelve: Shelve, other_workspace: Workspace, owner: Membership
) -> None:
    """Citations drawn by lot over what is open, closed, somebody else's, elsewhere, and nowhere; on every way out."""
    texts: dict[str, str] = {str(page.pk): page.text for page in cited.web_pages.all()}
    for document in [*Document.objects.all(), shelve("tea.txt", "Tea is served at four in the afternoon.")]:
        texts[str(document.pk)] = document.text
    hidden = {str(shelve("secret.txt", "The merger is secret and due in May.", principals=[]).pk)}
    for thread, where in ((actions.create(actor=owner), "alice"), (actions.create(actor=reader), "gone")):
        run = Run.objects.create(thread=thread, question="Why?", status=Run.Status.DONE, ended_at=timezone.now())
        page = run.web_pages.create(pk=page_id(run.pk, where), url=f"https://{where}.example/", text=f"A secret of {where}.",
                                    fetched_at=timezone.now())  # fmt: skip
        hidden.add(str(page.pk))
    actions.delete(thread, actor=reader)
    hidden |= {str(page_id(cited.pk, "never read")), "00000000-0000-4000-8000-000000000000", "nonsense"}
    chance, browser = random.Random(5), browser_of(reader.user)
    artifact = Artifact.objects.create(workspace=reader.workspace, user=reader.user, title="T")
    for _ in range(25):
        citations = [{"start": n, "end": n + 1, "text": cited.answer[n], "sources": [drawn(chance, texts, hidden) for _ in range(2)]}
                     for n in range(0, 12, 3)]  # fmt: skip
        cited.citations.all().delete()
        for one in citations:
            cited.citations.create(**one)
        artifact.versions.all().delete()
        version = artifact.versions.create(number=1, text=cited.answer, citations=citations)
        run = Run.objects.get(pk=cited.pk)
        told: list[Any] = [source for citation in shown([run], reader)[0].citations for source in citation.sources if not source.closed]
        ways = [[source.document for source in told], [one["document"] for c in run_out(run, reader).citations for one in c.sources]]
        restart, _end = stream.from_rows(run.pk, lambda: reader)
        ways.append([one["document"] for c in restart.payload["result"]["citations"] for one in c["sources"]])
        ways.append([one.document for c in papers.cited(version, reader)[0] for one in c.sources if not one.closed])
        expected = [one["document"] for c in citations for one in c["sources"] if one["document"] in texts]
        assert all(way == expected for way in ways)
        assert all(texts[source.document][source.start : source.end] == source.text for source in told)
        html = browser.get(f"/w/acme/threads/{run.thread_id}").content.decode()
        places = {place.replace("&amp;", "&") for place in re.findall(r'href="(/w/acme/(?:web|documents)/[^"]*start=[^"]*)"', html)}
        assert not [word for word in ("merger", "secret of") if word in html + made(papers.of_answer(run, reader), "md").content.decode()]
        assert places and all("<mark>" in browser.get(place).content.decode() for place in list(places)[:3])


def drawn(chance: random.Random, texts: dict[str, str], hidden: set[str]) -> dict[str, Any]:
    document = chance.choice([*texts, *sorted(hidden)])
    text = texts.get(document, "A secret of others, the merger.")
    start = chance.randrange(len(text) - 5)
    end = chance.randrange(start + 3, len(text) + 1)
    return {"document": document, "name": "a name", "start": start, "end": end, "text": text[start:end], "score": 1.0}
