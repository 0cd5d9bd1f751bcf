"""Sources, documents, searches and reports by REST."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from north.documents import files
from north.documents.models import Document, SavedSearch, Source, Status, SyncRun
from north.inference.metering import Used
from north.threads.models import Agent, Run, Thread
from north.usage import models as usage
from north.workspaces import audit
from north.workspaces.models import Group, Membership, User, Workspace
from retrieval.types import Parsed
from tests.api.calling import Caller
from tests.conftest import membership_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> str:
    settings.FOLDER_ROOTS = [tmp_path]
    (tmp_path / "share").mkdir()
    return str(tmp_path / "share")


def filled(workspace: Workspace, text: str, *principals: str) -> Document:
    document = Document.objects.create(
        workspace=workspace, name="rules.txt", text=text, sha256="a" * 64, indexed_sha256="a" * 64, status=Status.READY
    )
    for value in principals or [workspace.everyone]:
        document.principals.create(value=value)
    return document


# --- sources --------------------------------------------------------------------------------------------------------------------------
def test_a_source_is_set_up_synced_paused_and_deleted(bob_calls: Caller, folder: str, hr: Group) -> None:
    made = bob_calls.post("/sources", {"name": "Share", "path": folder, "access": {"groups": ["HR"]}}).json()
    assert (made["access"], made["schedule"], made["path"]) == (["HR"], 3600, folder)
    path = f"/sources/{made['id']}"
    busy = bob_calls.post(f"{path}/syncs")
    assert busy.status_code == 409 and "under way" in busy.json()["detail"], "the first sync began with the source"
    SyncRun.objects.update(status=SyncRun.Status.DONE)
    assert bob_calls.post(f"{path}/syncs").status_code == 202 and len(bob_calls.get(f"{path}/syncs").json()["items"]) == 2
    paused = bob_calls.send("PATCH", path, {"schedule": 0}).json()
    assert paused == {**made, "schedule": 0, "synced_at": paused["synced_at"]}, "what was not said stays"
    assert bob_calls.send("PATCH", path, {"access": {"everyone": True}}).json()["access"] == ["everyone"]
    assert bob_calls.delete(path).status_code == 204 and not Source.objects.exists()


def test_a_folder_that_is_not_allowed_and_a_name_that_is_taken_are_named(bob_calls: Caller, folder: str) -> None:
    bob_calls.post("/sources", {"name": "Share", "path": folder, "access": {}})
    for body, field in (({"name": "Share", "path": folder}, "/name"), ({"name": "Other", "path": "/etc"}, "/path")):
        answer = bob_calls.post("/sources", {**body, "access": {}})
        assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == field
    assert Source.objects.count() == SyncRun.objects.count() == 1


# --- documents ------------------------------------------------------------------------------------------------------------------------
def test_a_document_is_read_by_its_readers_only(alice_calls: Caller, rita_calls: Caller, workspace: Workspace, hr: Group) -> None:
    document = filled(workspace, "Pay is secret.", hr.principal)
    for path in ("text", "chunks", "file"):
        assert alice_calls.get(f"/documents/{document.pk}/{path}").status_code == 404, "an owner sees the row, not what is in it"
    assert alice_calls.get(f"/documents/{document.pk}").status_code == 200
    assert rita_calls.get(f"/documents/{document.pk}/text").json() == {"start": 0, "end": 14, "length": 14, "text": "Pay is secret."}


def test_any_part_of_a_text_can_be_read(rita_calls: Caller, workspace: Workspace) -> None:
    text = "0123456789" * 15_000
    path = f"/documents/{filled(workspace, text).pk}/text"
    first = rita_calls.get(path).json()
    assert (first["end"], first["length"]) == (100_000, 150_000) and first["text"] == text[:100_000]
    for start, end in ((5, 8), (100_000, 200_000), (8, 5), (200_000, 300_000), (0, 0)):
        said = rita_calls.get(path, start=start, end=end).json()
        assert said["text"] == text[start : max(start, end)] and said["text"] == text[said["start"] : said["end"]]
    assert rita_calls.get(path, start=-1).status_code == rita_calls.get(path, start="x").status_code == 422


def test_chunks_are_those_of_the_index_and_hold_the_whole_text(rita_calls: Caller, workspace: Workspace) -> None:
    text = " ".join(f"Sentence number {number}." for number in range(400))
    document = filled(workspace, text)
    files.write_layout(document.layout_of(document.indexed_sha256), Parsed(text, "text/plain", title="Rules"))
    found, cursor = [], ""
    while cursor is not None:
        said = rita_calls.get(f"/documents/{document.pk}/chunks", limit=3, cursor=cursor).json()
        found, cursor = found + said["items"], said["next"]
    assert [one["ordinal"] for one in found] == list(range(len(found))) and len(found) > 6
    assert all(text[one["start"] : one["end"]] == one["text"] and one["heading"] == "Rules" for one in found)
    assert (found[0]["start"], found[-1]["end"]) == (0, len(text))


def test_a_file_comes_back_as_it_was_sent(bob_calls: Caller) -> None:
    id = bob_calls.upload("rules.txt", "No smöking.".encode()).json()["id"]
    answer = bob_calls.get(f"/documents/{id}/file")
    assert b"".join(answer.streaming_content) == "No smöking.".encode() and answer["Content-Type"] == "application/octet-stream"  # type: ignore[attr-defined]
    Document.objects.update(sha256="0" * 64)
    assert bob_calls.get(f"/documents/{id}/file").status_code == 410


def test_readers_are_said_and_somebody_vouches(bob_calls: Caller, rita_calls: Caller, hr: Group) -> None:
    path = f"/documents/{bob_calls.upload('rules.txt', b'No smoking.').json()['id']}"
    assert rita_calls.get(path).status_code == 200
    assert bob_calls.send("PUT", f"{path}/access", {"groups": [str(hr.pk)]}).json()["access"] == ["HR"]
    assert bob_calls.send("PUT", f"{path}/verified", {"verified": True}).json()["verified_at"]
    assert bob_calls.send("PUT", f"{path}/verified", {"verified": False}).json()["verified_at"] is None
    assert bob_calls.send("PUT", f"{path}/access", {"groups": ["Nobody knows"]}).status_code == 404
    assert bob_calls.send("PUT", f"{path}/access", {}).json()["access"] == [] and rita_calls.get(path).status_code == 404


def test_a_failed_document_is_read_again(bob_calls: Caller) -> None:
    id = bob_calls.upload("rules.txt", b"No smoking.").json()["id"]
    Document.objects.update(status=Status.FAILED, error="Broken.")
    again = bob_calls.post(f"/documents/{id}/retry")
    assert (again.status_code, again.json()["status"], again.json()["error"]) == (202, "queued", "")


def test_documents_are_listed_by_name_and_source(alice_calls: Caller, workspace: Workspace) -> None:
    source = Source.objects.create(workspace=workspace, connector="folder", name="Share")
    for name, where in (("Travel rules.txt", None), ("Pay rules.txt", source), ("Canteen.txt", source)):
        Document.objects.create(workspace=workspace, name=name, sha256="0" * 64, source=where, external_id=name)
    listed = lambda **asked: {one["name"] for one in alice_calls.get("/documents", **asked).json()["items"]}  # noqa: E731
    assert listed(name="RULES") == {"Travel rules.txt", "Pay rules.txt"}
    assert listed(source=source.pk, name="rules") == {"Pay rules.txt"} and listed(source=uuid.uuid4()) == set()


# --- searches -------------------------------------------------------------------------------------------------------------------------
def test_facets_count_what_the_caller_may_read(rita_calls: Caller, bob_calls: Caller, workspace: Workspace, hr: Group) -> None:
    filled(workspace, "Pay.", hr.principal)
    Document.objects.update(media_type="text/plain", language="en")
    counted = rita_calls.post("/search/facets", {"filters": {"type": ["text"]}}).json()
    assert counted["language"] == [{"value": "en", "words": "English", "count": 1}] and counted["type"][0]["value"] == "text"
    assert bob_calls.post("/search/facets", {}).json()["language"] == []


def test_a_search_is_kept_with_its_filters_as_the_page_keeps_it(rita_calls: Caller, bob_calls: Caller) -> None:
    body = {"name": "Pay", "query": "pay rise & more", "filters": {"type": ["pdf", "mail"], "updated_from": "2024-01-01"}}
    made = rita_calls.post("/saved-searches", body).json()
    assert {name: made[name] for name in body} == body
    assert SavedSearch.objects.get().query == "q=pay+rise+%26+more&type=pdf&type=mail&updated_from=2024-01-01"
    path = f"/saved-searches/{made['id']}"
    assert rita_calls.send("PATCH", path, {"name": "Money"}).json()["name"] == "Money"
    assert [one["name"] for one in rita_calls.get("/saved-searches").json()["items"]] == ["Money"]
    assert bob_calls.get(path).status_code == bob_calls.delete(path).status_code == 404
    wrong = rita_calls.post("/saved-searches", {**body, "filters": {"colour": "red"}})
    assert wrong.status_code == 422 and SavedSearch.objects.count() == 1
    assert rita_calls.delete(path).status_code == 204 and not SavedSearch.objects.exists()


# --- threads, reports -----------------------------------------------------------------------------------------------------------------
def test_threads_and_their_runs_are_found_again(rita_calls: Caller, workspace: Workspace, rita: User) -> None:
    thread = Thread.objects.create(workspace=workspace, user=rita, title="Holidays")
    for question in ("How many days?", "And in winter?"):
        Run.objects.create(thread=thread, question=question, status=Run.Status.DONE, answer="Thirty.")
    assert [one["question"] for one in rita_calls.get(f"/threads/{thread.pk}/runs").json()["items"]] == ["How many days?", "And in winter?"]
    assert [one["title"] for one in rita_calls.get("/threads", q="WINTER").json()["items"]] == ["Holidays"]
    assert rita_calls.get("/threads", q="summer").json()["items"] == []
    again = rita_calls.post(f"/runs/{thread.runs.first().pk}/again")
    assert (again.status_code, again.json()["question"]) == (202, "How many days?")


def test_agents_and_models_are_told(rita_calls: Caller, workspace: Workspace, other_workspace: Workspace, settings: Any) -> None:
    for where in (workspace, other_workspace):
        Agent.objects.create(workspace=where, name=f"Agent of {where.name}", questions=["Why?"])
    assert [(one["name"], one["questions"]) for one in rita_calls.get("/agents").json()["items"]] == [("Agent of Acme", ["Why?"])]
    models = {one["role"]: one for one in rita_calls.get("/models").json()["items"]}
    assert models["chat"]["name"] == settings.MODELS["chat"]["model"] and "not tested yet" in models["chat"]["notes"][0]


def test_administrators_who_are_members_read_the_audit_log_of_this_workspace(
    alice_calls: Caller, workspace: Workspace, other_workspace: Workspace, charlie: User, admin: User
) -> None:
    audit.record("thread.create", actor=charlie, workspace=other_workspace)
    alice_calls.post("/groups", {"name": "Finance"})
    assert alice_calls.get("/audit").status_code == 404, "owners see no audit page either"
    calls = Caller(Membership.objects.create(workspace=workspace, user=admin))
    assert [(one["action"], one["actor"]) for one in calls.get("/audit").json()["items"]] == [("group.create", "alice@acme.example")]
    assert calls.get("/audit", action="group.delete").json()["items"] == []


def test_owners_see_what_their_workspace_used(
    alice_calls: Caller, rita_calls: Caller, workspace: Workspace, other_workspace: Workspace, rita: User
) -> None:
    for where in (workspace, other_workspace):
        usage.add(usage.Kind.RUN, Used(100, 40, 20, 1.5), model="m", workspace=where.pk, user=rita.pk, count=1)
    said = alice_calls.get("/usage", days=7).json()
    assert said["total"] == {"count": 1, "tokens_in": 100, "tokens_cached": 40, "tokens_out": 20, "milliseconds": 1500}
    assert [(one["id"], one["name"]) for one in said["users"]] == [(str(rita.pk), "Rita")] and said["keys"][0]["id"] is None
    assert [one["model"] for one in said["days"]] == ["m"] and said["kinds"][0]["id"] == "run"
    assert rita_calls.get("/usage").status_code == 404 and alice_calls.get("/usage", days=0).status_code == 422


FOREIGN: list[tuple[str, str, Any]] = [
    ("GET", "/documents/{document}", None), ("DELETE", "/documents/{document}", None), ("GET", "/documents/{document}/text", None),
    ("GET", "/documents/{document}/chunks", None), ("GET", "/documents/{document}/file", None),
    ("POST", "/documents/{document}/retry", None),
    ("PUT", "/documents/{document}/access", {"everyone": True}), ("PUT", "/documents/{document}/verified", {"verified": True}),
    ("GET", "/sources/{source}", None), ("PATCH", "/sources/{source}", {"schedule": 0}), ("DELETE", "/sources/{source}", None),
    ("POST", "/sources/{source}/syncs", None), ("GET", "/sources/{source}/syncs", None), ("GET", "/threads/{thread}", None),
    ("PATCH", "/threads/{thread}", {"title": "x"}), ("DELETE", "/threads/{thread}", None), ("GET", "/threads/{thread}/runs", None),
    ("POST", "/threads/{thread}/runs", {"question": "Why?"}), ("GET", "/runs/{run}", None), ("POST", "/runs/{run}/cancel", None),
    ("POST", "/runs/{run}/again", None), ("GET", "/saved-searches/{search}", None), ("DELETE", "/saved-searches/{search}", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), FOREIGN)
def test_ids_of_another_workspace_are_not_found(
    alice_calls: Caller, other_workspace: Workspace, charlie: User, method: str, path: str, body: Any
) -> None:
    thread = Thread.objects.create(workspace=other_workspace, user=charlie, title="Theirs")
    ids = {
        "document": filled(other_workspace, "Secret.").pk,
        "source": Source.objects.create(workspace=other_workspace, connector="folder", name="Theirs").pk,
        "thread": thread.pk,
        "run": Run.objects.create(thread=thread, question="Why?").pk,
        "search": SavedSearch.objects.create(workspace=other_workspace, user=charlie, name="x", query="q=x").pk,
    }
    answer = alice_calls.send(method, path.format(**ids), body)
    assert answer.status_code == 404 and answer.json()["code"] == "not_found"
    theirs = Caller(membership_of(charlie, other_workspace))
    assert (
        theirs.get(f"/documents/{ids['document']}").json()["access"] == ["everyone"]
        and theirs.get(f"/runs/{ids['run']}").status_code == 200
    )


# --- connectors, previews, and who is who ---------------------------------------------------------------------------------------------
def test_connectors_say_what_they_ask_for(bob_calls: Caller, rita_calls: Caller) -> None:
    found = {one["connector"]: one for one in bob_calls.get("/connectors").json()["items"]}
    assert found["folder"]["rights"] and [one["name"] for one in found["folder"]["settings"]] == ["path", "domain"]
    assert {one["name"]: one["kind"] for one in found["shelf"]["settings"]} == {"url": "url", "token": "secret", "depth": "number"}
    assert rita_calls.get("/connectors").status_code == 404


def test_settings_are_tried_before_a_source_is_set_up(bob_calls: Caller, folder: str) -> None:
    for name in ("a.md", "b.md", "c.tmp"):
        Path(folder, name).write_text("x")
    said = bob_calls.post("/sources/preview", {"path": folder, "exclude": ["*.tmp"]}).json()
    assert (said["works"], said["count"], said["left_out"], said["whole"]) == (True, 2, 1, True)
    assert sorted(said["examples"]) == ["a.md", "b.md"]
    wrong = bob_calls.post("/sources/preview", {"connector": "shelf", "settings": {"url": "https://x.example", "depth": 99}})
    assert wrong.status_code == 422 and not Source.objects.exists()
    assert bob_calls.post("/sources/preview", {"connector": "none"}).json()["errors"][0]["field"] == "/connector"


def test_a_source_is_browsed_before_it_is_set_up(bob_calls: Caller, folder: str) -> None:
    Path(folder, "hr", "old [1]").mkdir(parents=True)
    (hr,) = bob_calls.post("/sources/browse", {"path": folder}).json()["items"]
    assert (hr["name"], hr["inner"], hr["setting"], hr["include"], hr["exclude"]) == ("hr", True, "", ["hr/"], ["hr/"])
    (old,) = bob_calls.post("/sources/browse", {"path": folder, "at": hr["path"], "around": hr["around"]}).json()["items"]
    assert old["include"] == ["hr/old [[]1]/"], "what stands for other characters in patterns does not"
    assert "does not exist" in bob_calls.post("/sources/browse", {"path": f"{folder}/gone"}).json()["detail"]
    assert bob_calls.post("/sources/browse", {"path": folder, "at": "../.."}).json()["fault"]
    assert bob_calls.post("/sources/browse", {"connector": "feed", "settings": {"url": "https://x.example"}}).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_an_address_is_looked_up_before_anything_is_locked(bob_calls: Caller, looked_up: list[bool]) -> None:
    body = {"name": "Shelf", "connector": "shelf", "settings": {"url": "https://shelf.example", "token": "t"}, "access": {}}
    made = bob_calls.post("/sources", body).json()
    there, nowhere = ({"url": f"https://{host}.example", "token": "t"} for host in ("other", "inside"))
    assert bob_calls.send("PATCH", f"/sources/{made['id']}", {"settings": there}).status_code == 200
    assert bob_calls.send("PATCH", f"/sources/{made['id']}", {"settings": nowhere}).json()["errors"][0]["field"].endswith("url")
    assert looked_up == [False, False, False] and Source.objects.get().config["url"] == "https://other.example"


def test_secrets_are_never_said_and_stay_where_they_are_not_named(bob_calls: Caller) -> None:
    given = {"url": "https://shelf.example", "token": "very-secret"}
    made = bob_calls.post("/sources", {"name": "S", "connector": "shelf", "settings": given, "access": {}, "as_source": True})
    assert made.status_code == 201 and "very-secret" not in made.content.decode()
    said = made.json()
    assert (said["settings"], said["secrets"], said["as_source"]) == ({"url": "https://shelf.example", "depth": 3}, ["token"], True)
    path = f"/sources/{said['id']}"
    changed = bob_calls.send("PATCH", path, {"settings": {"depth": 4}, "include": ["*.md"]}).json()
    assert (changed["secrets"], changed["settings"]["depth"], changed["include"]) == (["token"], 4, ["*.md"])
    moved = bob_calls.send("PATCH", path, {"settings": {"url": "https://elsewhere.example"}})
    assert moved.status_code == 422 and moved.json()["errors"][0]["field"] == "/token"


def test_an_owner_says_who_an_account_is(alice_calls: Caller, bob_calls: Caller, workspace: Workspace) -> None:
    source = Source.objects.create(workspace=workspace, connector="folder", name="Share", config={"path": "/nowhere"}, as_source=True)
    account = source.identities.create(key="anna", email="rita@acme.example")
    path = f"/sources/{source.pk}/accounts"
    assert [one["person"] for one in alice_calls.get(path).json()["items"]] == ["rita@acme.example"]
    assert bob_calls.get(path).status_code == 404 == bob_calls.send("PUT", f"{path}/{account.pk}", {"person": None}).status_code
    said = alice_calls.send("PUT", f"{path}/{account.pk}", {"person": "Bob@acme.example"}).json()
    assert (said["mapped"], said["person"]) == (True, "bob@acme.example")
    assert alice_calls.send("PUT", f"{path}/{account.pk}", {"person": None}).json()["person"] is None
    stranger = alice_calls.send("PUT", f"{path}/{account.pk}", {"person": "charlie@elsewhere.example"})
    assert stranger.status_code == 422 and stranger.json()["errors"][0]["field"] == "/person"
    assert alice_calls.delete(f"{path}/{account.pk}").json()["person"] == "rita@acme.example"
