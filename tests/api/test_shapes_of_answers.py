"""What all operations have in common: pages, entity tags, problems."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from north.api.paging import Paging, page
from north.documents.models import Document, Source
from north.threads.models import Thread
from north.webhooks.models import Webhook
from north.workspaces.models import ApiKey, Group, User, Workspace
from tests.api.calling import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]


# --- pages ----------------------------------------------------------------------------------------------------------------------------
def walk(calls: Caller, path: str, limit: int, between: Any = lambda: None) -> list[str]:
    found, cursor = [], ""
    while cursor is not None:
        said = calls.get(path, limit=limit, cursor=cursor).json()
        assert len(said["items"]) <= limit
        found += [one["id"] for one in said["items"]]
        cursor = said["next"]
        between()
    return found


def test_a_list_is_whole_and_stable_while_it_changes(alice_calls: Caller, workspace: Workspace, alice: User) -> None:
    """What is added is not seen, what was there is seen once, whatever is deleted meanwhile."""
    made = [Thread.objects.create(workspace=workspace, user=alice, title=str(number)) for number in range(11)]
    doomed = iter([made[10], made[9]])

    def meanwhile() -> None:
        Thread.objects.create(workspace=workspace, user=alice, title="newer")
        for one in [next(doomed, None)]:
            if one:
                Thread.objects.filter(pk=one.pk).delete()

    assert walk(alice_calls, "/threads", 3, meanwhile) == [str(one.pk) for one in reversed(made)]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    names=st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=5), unique=True, max_size=12),
    limit=st.integers(1, 5),
)
def test_pages_of_any_size_hold_every_row_once(workspace: Workspace, names: list[str], limit: int) -> None:
    Group.objects.all().delete()
    Group.objects.bulk_create(Group(workspace=workspace, name=name) for name in names)
    seen: list[str] = []
    paging: Paging | None = Paging(limit=limit, cursor="")
    while paging:
        found, following = page(Group.objects.all(), paging, by="name", within=workspace.pk)
        seen += [group.name for group in found]
        paging = Paging(limit=limit, cursor=following) if following else None
    assert seen == list(Group.objects.order_by("name", "pk").values_list("name", flat=True))


def test_a_cursor_of_another_list_or_workspace_or_of_ones_own_making_is_refused(
    alice_calls: Caller, rita_calls: Caller, workspace: Workspace, other_workspace: Workspace
) -> None:
    for name in ("A", "B"):
        Group.objects.create(workspace=workspace, name=name)
        Source.objects.create(workspace=workspace, connector="folder", name=name)
    cursor = alice_calls.get("/groups", limit=1).json()["next"]
    assert alice_calls.get("/groups", limit=1, cursor=cursor).json()["items"][0]["name"] == "B"
    stranger = Caller(other_workspace.memberships.get())
    for calls, path, given_cursor in (
        (alice_calls, "/sources", cursor), (stranger, "/groups", cursor), (alice_calls, "/groups", cursor[:-1]),
        (alice_calls, "/groups", "WyJBIiwgIjEiXQ"), (alice_calls, "/groups", "x" * 500), (alice_calls, "/groups", "\0"),
    ):  # fmt: skip
        answer = calls.get(path, limit=1, cursor=given_cursor)
        assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "9" * 400])
def test_limits_that_are_none_are_named(alice_calls: Caller, limit: str) -> None:
    answer = alice_calls.get("/documents", limit=limit)
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "limit"


# --- entity tags ----------------------------------------------------------------------------------------------------------------------
def test_who_knows_a_resource_need_not_read_it_again(alice_calls: Caller) -> None:
    thread = alice_calls.post("/threads", {"title": "Notice"}).json()["id"]
    tag = alice_calls.get(f"/threads/{thread}")["ETag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        same = alice_calls.send("GET", f"/threads/{thread}", if_none_match=known)
        assert (same.status_code, same.content, same["ETag"]) == (304, b"", tag)
    changed = alice_calls.send("PATCH", f"/threads/{thread}", {"title": "Period"}, if_match=tag)
    assert changed.status_code == 200 and changed["ETag"] != tag
    now = alice_calls.send("GET", f"/threads/{thread}", if_none_match=tag)
    assert now.status_code == 200 and now["ETag"] == changed["ETag"]


def test_who_saw_another_state_changes_and_deletes_nothing(alice_calls: Caller) -> None:
    path = f"/threads/{alice_calls.post('/threads', {'title': 'Notice'}).json()['id']}"
    for lost in (alice_calls.send("PATCH", path, {"title": "x"}, if_match='"old"'), alice_calls.delete(path, if_match='"old"')):
        assert lost.status_code == 412 and lost.json()["code"] == "changed"
    assert alice_calls.get(path).json()["title"] == "Notice"
    assert alice_calls.delete(path, if_match=alice_calls.get(path)["ETag"]).status_code == 204


# --- problems -------------------------------------------------------------------------------------------------------------------------
def test_each_wrong_field_is_named_with_its_place(alice_calls: Caller) -> None:
    body = {"name": "", "path": 5, "schedule": 60, "access": {"groups": [7], "nobody": True}, "colour": "red"}
    answer = alice_calls.post("/sources", body)
    said = answer.json()
    assert answer.status_code == 422 and answer["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "errors"} == said.keys() and said["status"] == 422
    assert {one["field"] for one in said["errors"]} == {
        "/name", "/path", "/schedule", "/access/groups/0", "/access/nobody", "/colour"
    }  # fmt: skip
    assert alice_calls.post("/invitations", {"email": "no address"}).json()["errors"][0]["field"] == "/email"
    taken = alice_calls.post("/sources", {"name": "x", "path": "/etc", "access": {}}).json()
    assert taken["errors"][0]["field"] == "/path" and not Source.objects.exists()


def test_the_type_of_a_problem_can_be_looked_up(alice_calls: Caller, client: Client) -> None:
    said = alice_calls.get(f"/documents/{uuid.uuid4()}").json()
    assert client.get(said["type"]).json() == {"type": said["type"], "title": said["title"], "status": 404}
    assert client.get("/api/problems/none-such").status_code == 404


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/nothing", 404), ("POST", "/nothing", 404), ("GET", "/documents/no-id", 404), ("PUT", "/documents", 405),
    ("PATCH", "/me", 405), ("GET", "/search", 405), ("GET", "/documents/", 404),
])  # fmt: skip
def test_what_is_not_served_is_said_in_json(alice_calls: Caller, method: str, path: str, status: int) -> None:
    answer = alice_calls.send(method, path)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["detail"] and (status != 405 or answer["Allow"])


def test_a_wrong_host_and_a_broken_form_are_problems_too(alice_calls: Caller) -> None:
    wrong = alice_calls.client.get("/api/v1/me", headers={**alice_calls.headers, "Host": "evil.example"})
    broken = alice_calls.client.post(
        "/api/v1/documents", b"--x", content_type="multipart/form-data; boundary=", headers=alice_calls.headers
    )
    assert [wrong.status_code, broken.status_code] == [400, 400]
    assert wrong["Content-Type"] == broken["Content-Type"] == "application/problem+json"


WRITES = [
    ("POST", "/workspaces"), ("PATCH", "/workspace"), ("POST", "/invitations"), ("POST", "/groups"), ("POST", "/sources"),
    ("POST", "/saved-searches"), ("POST", "/search"), ("POST", "/search/facets"), ("POST", "/keys"), ("PUT", "/limits"),
    ("POST", "/service-accounts"), ("POST", "/webhooks"),
]  # fmt: skip
DEEP = '{"a":' * 50_000 + "1" + "}" * 50_000
JUNK: list[bytes] = [
    b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, DEEP.encode(), b"null", b"5", b'"text"', b"[]", b'{"name": null}', b'{"name": {"a": 1}}',
    b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b'{"name": "x", "surprise": 1}', b'{"name": NaN}', b'{"name": ' + b"9" * 5000 + b"}",
    b'{"name": "x", "name": 5}', b'{"query": "x", "filters": {"type": [null]}}', b'{"query": "x", "filters": null}',
    b'{"filters": {"author": "' + b"x" * 5000 + b'"}}', b"x" * 10_000_000,
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_no_junk_is_a_server_error_or_leaves_anything_behind(alice_calls: Caller, method: str, path: str) -> None:
    def rows() -> list[int]:
        return [model.objects.count() for model in (Workspace, Group, Source, Document, Thread, User, ApiKey, Webhook)]

    before, name = rows(), Workspace.objects.get(slug="acme").name
    for raw in JUNK:
        for key in ({}, {"Idempotency-Key": "k"}):
            answer = alice_calls.client.generic(
                method, f"/api/v1{path}", raw, content_type="application/json", headers={**alice_calls.headers, **key}
            )
            no_op = (path == "/workspace" and raw in {b'{"name": null}'}) or path.startswith("/search")
            assert 400 <= answer.status_code < 500 or (no_op and answer.status_code == 200), raw[:60]
            assert answer.status_code == 200 or (answer["Content-Type"], bool(answer.json()["detail"])) == (
                "application/problem+json",
                True,
            )
            assert answer.status_code != 413 or len(raw) == 10_000_000
    assert rows() == before and Workspace.objects.get(slug="acme").name == name


def test_the_description_is_valid_openapi_and_names_every_operation_once(client: Client) -> None:
    said = client.get("/api/openapi.json").json()
    validate(said)
    operations = [one for methods in said["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names)) >= 55 and all(one["summary"] and one["tags"] for one in operations)
    for one in operations:
        assert all(set(answer["content"]) == {"application/problem+json"} for status, answer in one["responses"].items() if status >= "400")
    assert json.dumps(said).count("Idempotency-Key") == sum(
        method not in {"get"} for methods in said["paths"].values() for method in methods
    ) - 2, "all writes, and not the two searches"  # fmt: skip
