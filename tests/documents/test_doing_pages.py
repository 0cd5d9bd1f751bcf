"""What sources are doing, as their pages and the API tell it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from north.documents import ending, reaching
from north.documents.models import Connection, Document, Hook, Source, Status, SyncRun
from north.workspaces.models import ApiKey, Workspace
from tests.documents.conftest import make

pytestmark = pytest.mark.django_db
LIST = "/w/acme/sources"
POLLED = {"HTTP_HX-Request": "true"}


@pytest.fixture
def source(workspace: Workspace) -> Source:
    config = {"things": 3, "stalls": 0}
    return Source.objects.create(workspace=workspace, connector="stalling", name="Handbook", config=config, principals=[workspace.everyone])


@pytest.fixture
def home(source: Source) -> str:
    return f"{LIST}/{source.pk}"


def at_work(source: Source, **values: Any) -> SyncRun:
    run = SyncRun.objects.take(source.begin().pk)
    run.write(status=SyncRun.Status.RUNNING, **values)
    return run


def text(client: Client, address: str, **more: Any) -> str:
    return " ".join(client.get(address, **more).content.decode().split())


def test_the_page_says_how_far_it_is_and_how_long_it_takes(as_bob: Client, source: Source, home: str) -> None:
    at_work(source, new=1200, expected=5000, speed=38.0)
    told = text(as_bob, home)
    for words in ("listing", "1,200 of about 5,000", "38.0 a second", "about 2 minutes left", "Stop this sync", "Pause", "every 2s"):
        assert words in told
    listed = text(as_bob, LIST)
    assert "1 source at work" in listed
    assert "1,200 of about 5,000" in listed


def test_a_new_stage_is_said_aloud_once(as_bob: Client, source: Source, home: str) -> None:
    at_work(source, new=1)
    assert "data-announce" not in text(as_bob, home)
    assert 'data-announce="Handbook: listing"' in text(as_bob, f"{home}?stage=connecting", **POLLED)
    assert "data-announce" not in text(as_bob, f"{home}?stage=listing", **POLLED)


def test_the_page_is_still_where_nothing_works(as_bob: Client, source: Source, home: str) -> None:
    assert "every 2s" not in text(as_bob, home)
    assert "every 2s" not in text(as_bob, LIST)


def test_trouble_is_told_with_what_to_do(as_bob: Client, source: Source, home: str) -> None:
    ending.end(at_work(source), error="It does not take these credentials.", fault="TokenRefused")
    for told in (text(as_bob, home), text(as_bob, LIST)):
        assert "It does not take these credentials." in told
        assert "enter new credentials" in told


def test_the_buttons_do_what_they_say(as_bob: Client, source: Source, home: str, workspace: Workspace, bob: Any) -> None:
    at_work(source)
    assert "is stopped" in text(as_bob, as_bob.post(f"{home}/cancel").url)
    assert source.sync_runs.get().status == "cancelled"
    assert "No sync of Handbook" in text(as_bob, as_bob.post(f"{home}/cancel").url)
    assert as_bob.post(f"{home}/pause", {"next": LIST}).url == LIST
    assert "Resume" in text(as_bob, home)
    assert "Resume it first" in text(as_bob, as_bob.post(f"{home}/sync").url)
    as_bob.post(f"{home}/resume", {"next": "https://elsewhere.example/"})
    assert "Sync now" in text(as_bob, home)
    broken = make(workspace, "x", name="broken.pdf", source=source, external_id="1", status=Status.FAILED, error="Broken.", uploaded_by=bob)
    assert "broken.pdf" in text(as_bob, home)
    as_bob.post(f"/w/acme/documents/{broken.pk}/skip")
    assert Document.objects.get(pk=broken.pk).status == Status.SKIPPED
    assert "1 passed over" in text(as_bob, home)
    Document.objects.update(status=Status.FAILED)
    assert "1 document is read again." in text(as_bob, as_bob.post(f"{home}/retry").url)


def test_names_of_what_failed_are_for_those_who_may_see_them(as_bob: Client, as_alice: Client, source: Source, home: str) -> None:
    make(source.workspace, "x", name="salaries.xlsx", source=source, external_id="1", status=Status.FAILED, error="Broken.", principals=[])
    assert "salaries.xlsx" not in text(as_bob, home)
    assert "You may not see which" in text(as_bob, home)
    assert "salaries.xlsx" in text(as_alice, home)


def test_the_last_syncs_are_drawn_and_stand_in_tables(as_bob: Client, source: Source, home: str) -> None:
    assert "The last syncs" not in text(as_bob, home)
    for number in range(3):
        ending.end(at_work(source), new=number, deleted=7, error="Gone." if number == 1 else "")
    told = text(as_bob, home)
    assert told.count("<figure") == 3
    assert "Documents of each sync" in told
    assert told.count("The same as a table") == 3


def test_freshness_stands_at_the_source_and_at_its_documents(as_bob: Client, source: Source, home: str) -> None:
    began = timezone.now() - timedelta(minutes=3)
    ending.end(at_work(source), began)
    document = make(source.workspace, "x", source=source, external_id="1", status=Status.READY)
    said = began.isoformat(timespec="seconds")[:19]
    for address in (home, LIST, f"/w/acme/documents/{document.pk}"):
        told = text(as_bob, address)
        assert "as of" in told
        assert said in told
    Document.objects.update(status=Status.QUEUED)
    assert said not in text(as_bob, f"/w/acme/documents/{document.pk}")


def test_it_is_the_same_by_rest(client: Client, source: Source, workspace: Workspace, bob: Any) -> None:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {ApiKey.issue(workspace=workspace, user=bob)[1]}"}
    at_work(source, new=50, expected=150, speed=2.0, error="It asks to wait.", fault="RateLimited")
    address = f"/api/v1/sources/{source.pk}"
    told = client.get(f"{address}/status", **headers).json()
    assert (told["stage"], told["position"], told["seconds_left"]) == ("listing", {"done": 50, "of": 150}, 50)
    assert told["error"] == {"words": "It asks to wait.", "mend": "", "code": "RateLimited"}
    assert client.get("/api/v1/sources/status", **headers).json()["items"] == [told]
    assert client.post(f"{address}/cancel", **headers).json()["stage"] == "stopped"
    assert client.post(f"{address}/cancel", **headers).status_code == 409
    assert client.post(f"{address}/pause", **headers).json()["stage"] == "paused"
    assert client.post(f"{address}/syncs", **headers).status_code == 422
    assert client.post(f"{address}/resume", **headers).json()["paused_at"] is None
    document = make(workspace, "x", source=source, external_id="1", status=Status.FAILED, uploaded_by=bob)
    assert client.post(f"/api/v1/documents/{document.pk}/skip", **headers).json()["status"] == "skipped"
    Document.objects.update(status=Status.FAILED)
    assert client.post(f"{address}/retry", **headers).json() == {"documents": 1}


def test_a_sources_page_leads_to_how_it_tells_of_changes_and_to_its_connection(as_bob: Client, source: Source, home: str) -> None:
    told = text(as_bob, home)
    assert f'href="{home}/push">let the source tell at once' in told and f"{home}/connection" not in told
    hook = Hook.objects.create(source=source)
    assert "by messages; none came yet" in text(as_bob, home)
    hook.note(heard_at=timezone.now())
    assert "by messages, last" in text(as_bob, home)

    chat = Source.objects.create(workspace=source.workspace, connector="github", name="Code", config={"access": "refresh"})
    page = f"{LIST}/{chat.pk}"
    assert f'not connected</span> (<a href="{page}/connection">connect it' in text(as_bob, page)
    Source.objects.filter(pk=chat.pk).update(secrets=reaching.sealed(chat, {"refresh": "r"}))
    Connection.objects.create(source=chat, name="octocat")
    assert f'as octocat (<a href="{page}/connection">' in text(as_bob, page)
