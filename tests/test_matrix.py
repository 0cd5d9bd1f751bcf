"""Every route against every actor. A route that has no row in tests/rights.py fails: who may use it must be said before it is served.

What is refused looks like what does not exist (404, or 401 to a wrong key), and changes nothing in the database.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from north.documents.models import Document, Principal, SavedSearch, Source, Status
from north.evaluation.models import EvidenceMark, GoldenQuestion, Measurement, digest
from north.indexes.models import Generation, State
from north.outside.models import ToolServer
from north.threads import configuring
from north.threads.models import Approval, Artifact, Queued, Run, Thread
from north.threads.naming import page_id
from north.webhooks.announcing import queue
from north.webhooks.models import Webhook
from north.workspaces.keys import create_service_account, issue_key
from north.workspaces.models import ApiKey, Group, Invitation, Membership, Role, User, UserSession, Workspace
from retrieval.metrics import MEASURES
from tests.api.conftest import no_worker  # noqa: F401
from tests.conftest import browser_of, membership_of, person
from tests.rights import ACTORS, CALLS, MEMBERS, PAGES, Row

pytestmark = pytest.mark.django_db
EMPTY = {"documents:page", "workspaces:welcome", "workspaces:invitation", "threads:events", "api:run_events"} | {
    f"dialects:nothing_{version}" for version in ("v1", "v2", "compatibility")
}
"""404 here says that the thing is not there: no picture was drawn, the link is nonsense; and streams read in threads of their own, which
do not see this test's transaction (tests/threads/test_stream.py opens them)."""


def names(resolver: Any = None, space: str = "") -> Iterator[str]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{space}{pattern.name}"
        else:
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from names(pattern, inner)


@dataclass
class World:
    users: dict[str, User]
    ids: dict[str, Any]
    keys: dict[str, str]


@pytest.fixture
def world(workspace: Workspace, hr: Group, other_workspace: Workspace, settings: Any) -> World:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    users = {user.email.split("@")[0]: user for user in User.objects.all()} | {"ada": person("ada@north.example", is_admin=True)}
    document = Document.objects.create(
        workspace=workspace,
        name="salaries.txt",
        media_type="text/plain",
        sha256="0" * 64,
        indexed_sha256="0" * 64,
        text="Pay is secret.",
        status=Status.READY,
        uploaded_by=users["bob"],
    )
    Principal.objects.create(document=document, value=hr.principal)
    source = Source.objects.create(workspace=workspace, connector="folder", name="Share", config={"path": "/nowhere"}, principals=[])
    thread = Thread.objects.create(workspace=workspace, user=users["rita"], title="Mine")
    over = {"thread": thread, "question": "Why?", "status": Run.Status.DONE, "ended_at": timezone.now()}
    run = Run.objects.create(answer="Because.", repeats=Run.objects.create(**over), **over)
    web_page = run.web_pages.create(pk=page_id(run.pk, "https://pay.example/"), text="Pay is secret.", fetched_at=timezone.now())
    queued = Queued.objects.create(thread=thread, question="And then?")
    approval = Approval.objects.create(
        run=run, key="act:1", tool="write_document", effect="writes", arguments={"title": "T", "text": "Pay"}, proposed="0" * 64,
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    artifact = Artifact.objects.create(workspace=workspace, user=users["rita"], thread=thread, title="Mine")
    artifact.versions.create(number=1, text="Pay is secret.", run=run)
    invitation = Invitation.issue(lasts=timedelta(days=1), workspace=workspace, email="new@acme.example", role=Role.READER)[0]
    session = UserSession.objects.create(user=users["rita"], session_key="r" * 32)
    key = ApiKey.issue(workspace=workspace, user=users["bob"])[0]
    account = create_service_account("Crawler", Role.READER, actor=membership_of(users["alice"], workspace))
    hook = Webhook(workspace=workspace, url="https://hooks.example/", events=["sync.failed"])
    hook.set_secret()
    hook.save()
    told = queue(hook, "webhook.test", {})
    saved = SavedSearch.objects.create(workspace=workspace, user=users["rita"], name="Pay rise", query="q=pay")
    question = GoldenQuestion.objects.create(workspace=workspace, asker=users["rita"], text="Why?", digest=digest("Why?"))
    question.answers.create(document=document)
    measurement = Measurement.objects.create(
        workspace=workspace, asked_by=users["alice"], kind=Measurement.Kind.MEASURE, status=Measurement.Status.DONE,
        ended_at=timezone.now(), weights={"cosine": 1.0, "words": 0.1, "offset": 0.0, "blend": 1.0, "own": False},
        figures={"fused": {**dict.fromkeys(MEASURES, 0.5), "interval": {name: [0.4, 0.6] for name in MEASURES}}},
    )  # fmt: skip
    marked = EvidenceMark.objects.create(
        workspace=workspace, marked_by=users["alice"], text="Why?", digest=digest("Why?"), evidence=0.5, answers=True
    )
    ids = {
        "question": question.pk,
        "mark": marked.pk,
        "mark_id": marked.pk,
        "queued_id": queued.pk,
        "page_id": web_page.pk,
        "measurement": measurement.pk,
        "search": saved.pk,
        "account": account.user_id,
        "webhook": hook.pk,
        "delivery": told.id,
        "document": document.pk,
        "document_id": document.pk,
        "source": source.pk,
        "source_id": source.pk,
        "identity_id": source.identities.create(key="anna").pk,
        "search_id": saved.pk,
        "invitation_id": invitation.pk,
        "group_id": hr.pk,
        "user_id": users["carl"].pk,
        "thread_id": thread.pk,
        "run_id": run.pk,
        "approval_id": approval.pk,
        "server_id": ToolServer.objects.create(workspace=workspace, name="tools", url="http://127.0.0.1:1/mcp", secret="user").pk,
        "agent_id": configuring.make({"name": "Lawyer"}, shared=True, actor=membership_of(users["bob"], workspace)).pk,
        "artifact_id": artifact.pk,
        "invitation": invitation.pk,
        "session": session.pk,
        "user": users["carl"].pk,
        "group": hr.pk,
        "generation": Generation.objects.create(collection="next", model="m", engine="e", characters=900, state=State.KEPT).pk,
        "key": key.pk,
        "key_id": key.pk,
        "account_id": account.user_id,
        "webhook_id": hook.pk,
        "delivery_id": told.id,
        "number": 1,
        "workspace": workspace.pk,
        "page": 1,
        "kind": "md",
        "code": "not_found",
        "secret": "nonsense",
        "slug": workspace.slug,
        "model": "chat",
        "rest": "nothing",
    }
    keys = {name: ApiKey.issue(workspace=workspace, user=users[name])[1] for name in MEMBERS}
    keys["charlie"] = ApiKey.issue(workspace=other_workspace, user=users["charlie"])[1]
    return World(users, ids, keys)


OURS = ("workspaces", "documents", "threads", "usage", "cards", "api", "webhooks", "evaluation", "outside", "indexes")


def fingerprint() -> list[tuple[object, ...]]:
    """Every row of ours, as the database has it; sessions and who was seen when do not count."""
    models = [model for label in OURS for model in apps.get_app_config(label).get_models(include_auto_created=True)]
    found: list[tuple[object, ...]] = []
    with connection.cursor() as cursor:
        for table in sorted(model._meta.db_table for model in models if model not in {UserSession, ApiKey, User}):
            cursor.execute(f"SELECT * FROM {table}")
            found += [(table, *row) for row in cursor.fetchall()]
    return found


def address(name: str, row: Row, world: World, **other: Any) -> str:
    ids = {key.partition(":")[0]: other.get(key, world.ids[key.partition(":")[2] or key]) for key in row.needs}
    inside = name.split(":")[0] in {"documents", "threads"} or "/w/" in path_of(name)
    return reverse(name, kwargs=ids | ({"slug": other.get("slug", world.ids["slug"])} if inside else {}))


def path_of(name: str) -> str:
    """The pattern of a route, to see whether it lies in a workspace."""
    space, _, last = name.rpartition(":")
    resolver = get_resolver()
    found = [pattern for pattern in resolver.url_patterns if getattr(pattern, "namespace", None) == space]
    return "".join(f"/{entry.pattern}" for inner in found for entry in inner.url_patterns if entry.name == last)


CASES = [(name, row) for name, rows in PAGES.items() for row in rows]


def test_every_route_has_a_row() -> None:
    missing = set(names()) - PAGES.keys() - CALLS.keys()
    assert not missing, f"say in tests/rights.py who may use {sorted(missing)}"


@pytest.mark.parametrize(("name", "row"), CASES, ids=[f"{row.method} {name}" for name, row in CASES])
def test_pages_open_only_to_those_who_may(name: str, row: Row, world: World) -> None:
    url = address(name, row, world)
    for actor in ACTORS:
        client = Client() if actor == "anonymous" else browser_of(world.users[actor])
        before = fingerprint()
        with transaction.atomic():
            answer: HttpResponse = getattr(client, row.method)(url, row.body)
            after = fingerprint()
            transaction.set_rollback(True)
        said = f"{row.method} {url} as {actor}: {answer.status_code}"
        if actor in row.allowed:
            assert (answer.status_code not in {401, 403, 405} and answer.status_code < 500) or answer.status_code == 503, said
            assert answer.status_code != 404 or name in EMPTY, said
            assert not answer.headers.get("Location", "").startswith("/sign-in") or not row.hidden, said
        elif actor == "anonymous":
            assert (answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in")) or answer.status_code == 404, said
        else:
            assert answer.status_code == 404, said
        if actor not in row.allowed:
            assert before == after, f"{said}, and the database changed"


INSIDE = [(name, row) for name, row in CASES if row.hidden and row.needs and set(row.needs) - {"secret", "page", "kind"}]


@pytest.mark.parametrize(("name", "row"), INSIDE, ids=[f"{row.method} {name}" for name, row in INSIDE])
def test_what_is_refused_looks_like_what_does_not_exist(name: str, row: Row, world: World) -> None:
    """To a stranger, and to a member who lacks the right, byte for byte but for the token against forgery."""
    for actor in ("charlie", "carl"):
        client = browser_of(world.users[actor])
        if actor in row.allowed:
            continue
        missing = {key: 987_654 if key == "generation" else uuid.uuid4() for key in row.needs if key not in {"page", "kind"}}
        there = getattr(client, row.method)(address(name, row, world), row.body)
        nowhere = getattr(client, row.method)(address(name, row, world, **missing), row.body)
        assert there.status_code == nowhere.status_code == 404
        assert plain(there) == plain(nowhere)


def plain(answer: HttpResponse) -> tuple[list[str], str]:
    text = answer.content.decode()
    for token in {value.value for value in answer.cookies.values()}:
        text = text.replace(token, "")
    lines = [line for line in text.splitlines() if "csrf" not in line.lower()]
    return sorted(set(answer.headers) - {"X-Request-ID"}), "\n".join(lines)


@pytest.mark.usefixtures("no_worker")
@pytest.mark.parametrize("name", CALLS)
def test_the_api_opens_only_to_keys_that_may(name: str, world: World) -> None:
    row = CALLS[name]
    url = reverse(name, kwargs={key: world.ids[key] for key in row.needs}) + row.query
    revoked = issue_key(membership_of(world.users["alice"], Workspace.objects.get(slug="acme")), actor=None)
    ApiKey.objects.filter(pk=revoked[0].pk).update(revoked_at=timezone.now())
    _left, left_key = ApiKey.issue(workspace=Workspace.objects.get(slug="acme"), user=world.users["ada"])
    keys = {**world.keys, "anonymous": "", "revoked": revoked[1], "no member": left_key, "wrong": revoked[1][:-1] + "x"}
    for actor, key in keys.items():
        before = fingerprint()
        with transaction.atomic():
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            answer = getattr(Client(), row.method)(url, row.body, content_type="application/json", headers=headers)
            after = fingerprint()
            transaction.set_rollback(True)
        said = f"{row.method} {url} as {actor}: {answer.status_code}"
        if actor in {"anonymous", "revoked", "no member", "wrong"}:
            assert answer.status_code == 401, said
        elif actor == "charlie" and (not row.needs or name.startswith("dialects:")):
            assert answer.status_code not in {401, 405, 500}, said  # in a workspace of their own
            continue
        elif actor in row.allowed:
            assert answer.status_code not in {401, 403, 404, 405, 500} or name in EMPTY, said
            continue
        elif name != "api:upload":
            assert answer.status_code == 404, said
        assert before == after, f"{said}, and the database changed"


def test_a_session_opens_nothing_of_the_api(world: World) -> None:
    answer = browser_of(world.users["alice"]).get(reverse("api:list_documents"))
    assert answer.status_code == 401


def test_a_key_opens_no_page_and_not_in_the_address(world: World) -> None:
    key = world.keys["alice"]
    assert Client().get(reverse("documents:index", args=["acme"]), headers={"Authorization": f"Bearer {key}"}).status_code == 302
    assert Client().get(reverse("api:list_documents"), {"key": key, "api_key": key, "access_token": key}).status_code == 401


def test_a_suspended_person_is_out_everywhere_at_once(world: World, workspace: Workspace) -> None:
    browser, key = browser_of(world.users["rita"]), world.keys["rita"]
    assert browser.get(reverse("threads:index", args=["acme"])).status_code == 200
    User.objects.filter(pk=world.users["rita"].pk).update(is_active=False)
    assert browser.get(reverse("threads:index", args=["acme"])).status_code in {302, 404}
    assert Client().get(reverse("api:list_documents"), headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_somebody_who_left_is_out_at_once(world: World, workspace: Workspace) -> None:
    browser = browser_of(world.users["rita"])
    Membership.objects.filter(user=world.users["rita"]).delete()
    assert browser.get(reverse("threads:thread", args=["acme", world.ids["thread_id"]])).status_code == 404
    assert Client().get(reverse("api:list_documents"), headers={"Authorization": f"Bearer {world.keys['rita']}"}).status_code == 401
