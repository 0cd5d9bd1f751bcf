"""Every route against every actor. A route that has no row here fails: who may use it must be said before it is served.

What is refused looks like what does not exist (404, or 401 to a wrong key), and changes nothing in the database.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.core import serializers
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from north.documents.models import Document, Principal, SavedSearch, Source, Status
from north.evaluation.models import GoldenQuestion, Measurement, digest
from north.threads.models import Approval, Artifact, Queued, Run, Thread
from north.webhooks.announcing import queue
from north.webhooks.models import Webhook
from north.workspaces.keys import create_service_account, issue_key
from north.workspaces.models import ApiKey, Group, Invitation, Membership, Role, User, UserSession, Workspace
from retrieval.metrics import MEASURES
from tests.conftest import browser_of, membership_of, person

pytestmark = pytest.mark.django_db

MEMBERS = frozenset({"carl", "rita", "bob", "alice"})
EDITORS = frozenset({"bob", "alice"})
OWNER = frozenset({"alice"})
SIGNED_IN = MEMBERS | {"charlie", "ada"}
EVERYBODY = SIGNED_IN | {"anonymous"}
HR = frozenset({"rita"})
ACTORS = sorted(EVERYBODY)


@dataclass(frozen=True)
class Row:
    """Who may, by which method; `needs` are the ids in the address, `body` what a form sends."""

    method: str
    allowed: frozenset[str]
    needs: tuple[str, ...] = ()
    """`user:account` is the account's id as the address's `user`."""
    body: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    hidden: bool = True
    """Outsiders get a 404 (and the anonymous are sent to sign in)."""


def page(allowed: frozenset[str], *needs: str) -> Row:
    return Row("get", allowed, needs)


def act(allowed: frozenset[str], *needs: str, **body: Any) -> Row:
    return Row("post", allowed, needs, body)


PUBLIC = Row("get", EVERYBODY, hidden=False)
PAGES: dict[str, list[Row]] = {
    "healthz": [PUBLIC],
    "readyz": [PUBLIC],
    "metrics": [PUBLIC],  # from this machine; tests/api/test_metrics.py asks from elsewhere
    "api:openapi-json": [PUBLIC],
    "api:openapi-view": [PUBLIC],
    "api:api-root": [],
    **{f"dialects:nothing_{version}": [Row("get", EVERYBODY, ("rest",), hidden=False)] for version in ("v1", "v2", "compatibility")},
    "problem": [Row("get", EVERYBODY, ("code",), hidden=False)],
    "nowhere": [],  # a 404 for everybody
    # people
    "workspaces:home": [page(SIGNED_IN)],
    "workspaces:sign_in": [PUBLIC],
    "workspaces:sign_out": [Row("post", EVERYBODY, hidden=False)],
    "workspaces:welcome": [Row("get", EVERYBODY, ("secret",), hidden=False)],
    "workspaces:invitation": [Row("get", EVERYBODY, ("secret",), hidden=False)],
    "workspaces:account": [page(SIGNED_IN), act(SIGNED_IN, name="x")],
    "workspaces:password": [act(SIGNED_IN)],
    "workspaces:end_others": [act(SIGNED_IN)],
    "workspaces:end_session": [act(HR, "session")],
    "workspaces:all": [page(SIGNED_IN)],
    "workspaces:new": [page(SIGNED_IN), act(SIGNED_IN, name="Another")],
    "workspaces:people": [page(MEMBERS)],
    "workspaces:invite": [act(OWNER, email="new@acme.example", role="reader")],
    "workspaces:take_back": [act(OWNER, "invitation")],
    "workspaces:role": [act(OWNER, "user", role="editor")],
    "workspaces:remove": [act(OWNER, "user")],
    "workspaces:new_group": [act(OWNER, name="Finance")],
    "workspaces:group": [page(OWNER, "group")],
    "workspaces:rename_group": [act(OWNER, "group", name="Humans")],
    "workspaces:group_members": [act(OWNER, "group")],
    "workspaces:delete_group": [act(OWNER, "group")],
    "workspaces:settings": [page(MEMBERS)],
    "workspaces:change": [act(OWNER, name="Acme 2")],
    "workspaces:leave": [act(MEMBERS)],
    "workspaces:delete": [act(OWNER, name="Acme")],
    # the installation
    **{
        f"administration:{name}": [page(frozenset({"ada"}))]
        for name in ("index", "users", "groups", "workspaces", "sources", "keys", "models", "audit")
    },
    "administration:new_user": [act(frozenset({"ada"}), email="z@acme.example")],
    **{
        f"administration:{name}": [act(frozenset({"ada"}), "user")] for name in ("link", "suspend", "restore", "make_admin", "unmake_admin")
    },
    "administration:appoint": [act(frozenset({"ada"}), "workspace")],
    "administration:delete_workspace": [act(frozenset({"ada"}), "workspace")],
    "administration:revoke_key": [act(frozenset({"ada"}), "key")],
    "administration:card": [page(frozenset({"ada"}))],
    "administration:test_model": [act(frozenset({"ada"}))],
    "administration:stop_test": [act(frozenset({"ada"}))],
    "administration:verify": [act(frozenset({"ada"}))],
    # usage
    "usage:installation": [page(frozenset({"ada"}))],
    "usage:installation_csv": [page(frozenset({"ada"}))],
    "usage:workspace": [page(OWNER)],
    "usage:workspace_csv": [page(OWNER)],
    # search quality: the golden question is rita's
    "evaluation:mark": [act(frozenset(), question="Why?", document=str(UUID(int=0)))],  # of a document that nobody may read
    **{f"evaluation:{name}": [page(OWNER)] for name in ("quality", "questions", "export")},
    "evaluation:measurement": [page(OWNER, "measurement")],
    **{f"evaluation:{name}": [act(OWNER, "measurement")] for name in ("stop", "use")},
    "evaluation:begin": [act(OWNER, kind="measure")],
    "evaluation:reset": [act(OWNER)],
    "evaluation:import": [act(OWNER)],
    "evaluation:new": [act(OWNER, text="How long?")],
    "evaluation:reword": [act(OWNER, "question", text="How so?")],
    "evaluation:remove": [act(OWNER, "question")],
    "evaluation:take_back": [act(OWNER, "question", "document")],
    # programs: `key` is bob's
    "programs:guide": [page(MEMBERS)],
    "programs:keys": [page(MEMBERS)],
    "programs:make": [act(MEMBERS, name="ci", scopes=["read"], lasts="90")],
    "programs:allow_members": [act(OWNER)],
    "programs:new_account": [act(OWNER, **{"account-name": "Robot", "account-role": "reader"})],
    "programs:account_role": [act(OWNER, "user:account", role="editor")],
    "programs:delete_account": [act(OWNER, "user:account")],
    "programs:key": [page(frozenset({"bob", "alice"}), "key")],
    "programs:allow": [act(OWNER, "key")],
    "programs:rotate": [act(frozenset({"bob"}), "key", grace="24")],
    "programs:revoke": [act(frozenset({"bob", "alice"}), "key")],
    "webhooks:webhooks": [page(OWNER)],
    "webhooks:new": [act(OWNER, url="https://192.0.2.1/", events=["sync.failed"])],
    "webhooks:webhook": [page(OWNER, "webhook")],
    "webhooks:change": [act(OWNER, "webhook", url="https://hooks.example/", events=["sync.failed"])],
    **{f"webhooks:{name}": [act(OWNER, "webhook")] for name in ("test", "secret", "switch", "delete")},
    "webhooks:again": [act(OWNER, "webhook", "delivery")],
    # documents: `document` is for the group HR only, and bob uploaded it
    "documents:index": [page(MEMBERS)],
    "documents:upload": [act(EDITORS)],
    "documents:document": [page(HR, "document")],
    "documents:page": [Row("get", HR, ("document", "page"))],
    "documents:file": [page(HR, "document")],
    "documents:retry": [act(EDITORS, "document")],
    "documents:delete": [act(EDITORS, "document")],
    "documents:verify": [act(EDITORS, "document", verified="1")],
    "documents:access": [act(EDITORS, "document", readers="everyone")],
    "documents:search": [page(MEMBERS)],
    "documents:save_search": [act(MEMBERS, query="q=pay")],
    "documents:rename_search": [act(HR, "search", name="Pay")],
    "documents:delete_search": [act(HR, "search")],
    "documents:sources": [page(EDITORS)],
    "documents:new_source": [page(EDITORS), act(EDITORS, name="x")],
    "documents:source": [page(EDITORS, "source")],
    "documents:edit_source": [page(EDITORS, "source"), act(EDITORS, "source")],
    "documents:sync": [act(EDITORS, "source")],
    "documents:delete_source": [act(EDITORS, "source")],
    # threads: `thread_id` and `run_id` are rita's
    "threads:index": [page(MEMBERS)],
    "threads:start": [act(MEMBERS, question="Why?")],
    "threads:thread": [page(HR, "thread_id")],
    "threads:ask": [act(HR, "thread_id", question="Why?")],
    "threads:rename": [act(HR, "thread_id", title="T")],
    "threads:delete": [act(HR, "thread_id")],
    "threads:events": [page(HR, "run_id")],
    "threads:cancel": [act(HR, "run_id")],
    "threads:again": [act(HR, "run_id")],
    "threads:resume": [act(HR, "run_id")],
    "threads:retry": [act(HR, "run_id", step="plan")],
    "threads:waiting": [page(HR, "thread_id")],
    "threads:unqueue": [act(HR, "thread_id", "queued_id")],
    "threads:decide": [act(HR, "approval_id", verdict="reject", seen="0" * 64)],
    "threads:rules": [page(MEMBERS), act(OWNER, write_document="deny")],
    "threads:artifact": [page(HR, "artifact_id")],
}
CALLS: dict[str, Row] = {
    "api:me": Row("get", MEMBERS),
    "api:create_workspace": Row("post", MEMBERS, body={"name": "Another"}),
    "api:get_workspace": Row("get", MEMBERS),
    "api:change_workspace": Row("patch", OWNER, body={"name": "Acme 2"}),
    "api:delete_workspace": Row("delete", OWNER, query="?name=Acme"),
    "api:list_members": Row("get", MEMBERS),
    "api:get_member": Row("get", MEMBERS, ("user_id",)),
    "api:change_member": Row("patch", OWNER, ("user_id",), {"role": "editor"}),
    "api:remove_member": Row("delete", OWNER | {"carl"}, ("user_id",)),  # carl, to leave
    "api:list_invitations": Row("get", OWNER),
    "api:invite": Row("post", OWNER, body={"email": "newer@acme.example"}),
    "api:get_invitation": Row("get", OWNER, ("invitation_id",)),
    "api:take_back": Row("delete", OWNER, ("invitation_id",)),
    "api:list_groups": Row("get", MEMBERS),
    "api:create_group": Row("post", OWNER, body={"name": "Finance"}),
    "api:get_group": Row("get", HR | OWNER, ("group_id",)),
    "api:rename_group": Row("patch", OWNER, ("group_id",), {"name": "Humans"}),
    "api:set_group_members": Row("put", OWNER, ("group_id",), {"members": []}),
    "api:delete_group": Row("delete", OWNER, ("group_id",)),
    "api:list_sources": Row("get", EDITORS),
    "api:create_source": Row("post", EDITORS, body={"name": "x", "path": "/nowhere", "access": {}}),
    "api:get_source": Row("get", EDITORS, ("source_id",)),
    "api:change_source": Row("patch", EDITORS, ("source_id",), {"schedule": 0}),
    "api:delete_source": Row("delete", EDITORS, ("source_id",)),
    "api:sync_source": Row("post", EDITORS, ("source_id",)),
    "api:list_syncs": Row("get", EDITORS, ("source_id",)),
    "api:upload": Row("post", EDITORS),
    "api:list_documents": Row("get", MEMBERS),
    "api:get_document": Row("get", HR | EDITORS, ("document_id",)),
    "api:delete_document": Row("delete", EDITORS, ("document_id",)),
    "api:retry_document": Row("post", EDITORS, ("document_id",)),
    "api:set_access": Row("put", EDITORS, ("document_id",), {"everyone": True}),
    "api:set_verified": Row("put", EDITORS, ("document_id",), {"verified": True}),
    "api:get_text": Row("get", HR, ("document_id",)),
    "api:list_chunks": Row("get", HR, ("document_id",)),
    "api:get_file": Row("get", HR, ("document_id",)),
    "api:search": Row("post", MEMBERS, body={"query": "pay"}),
    "api:count_facets": Row("post", MEMBERS, body={}),
    "api:list_saved_searches": Row("get", MEMBERS),
    "api:save_search": Row("post", MEMBERS, body={"query": "pay"}),
    "api:get_saved_search": Row("get", HR, ("search_id",)),
    "api:rename_saved_search": Row("patch", HR, ("search_id",), {"name": "Pay"}),
    "api:delete_saved_search": Row("delete", HR, ("search_id",)),
    "api:list_agents": Row("get", MEMBERS),
    "api:list_models": Row("get", MEMBERS),
    "api:list_threads": Row("get", MEMBERS),
    "api:create_thread": Row("post", MEMBERS),
    "api:get_thread": Row("get", HR, ("thread_id",)),
    "api:rename_thread": Row("patch", HR, ("thread_id",), {"title": "T"}),
    "api:delete_thread": Row("delete", HR, ("thread_id",)),
    "api:list_runs": Row("get", HR, ("thread_id",)),
    "api:ask": Row("post", HR, ("thread_id",), {"question": "Why?"}),
    "api:get_run": Row("get", HR, ("run_id",)),
    "api:cancel": Row("post", HR, ("run_id",)),
    "api:ask_again": Row("post", HR, ("run_id",)),
    "api:resume": Row("post", HR, ("run_id",)),
    "api:retry": Row("post", HR, ("run_id",), {"step": "plan"}),
    "api:list_queued": Row("get", HR, ("thread_id",)),
    "api:queue_question": Row("post", HR, ("thread_id",), {"question": "Why?"}),
    "api:unqueue": Row("delete", HR, ("thread_id", "queued_id")),
    "api:run_events": Row("get", HR, ("run_id",)),
    # other people's dialects: what is done with the models belongs to no workspace
    **{
        f"dialects:{name}": Row("post", MEMBERS)
        for name in (
            "chat", "chat_v1", "embed", "embed_v1", "rerank", "rerank_v1", "tokenize", "detokenize", "check_api_key",
            "completions", "completions_compatible", "embeddings", "embeddings_compatible",
        )
    },
    **{f"dialects:{name}": Row("get", MEMBERS) for name in ("models", "models_compatible")},
    **{f"dialects:{name}": Row("get", MEMBERS, ("model",)) for name in ("model", "model_compatible")},
    "api:list_audit": Row("get", frozenset()),  # administrators of the installation who are members: tests/api/test_reports.py
    "api:get_usage": Row("get", OWNER),
    "api:waiting": Row("get", MEMBERS),
    "api:get_approval": Row("get", HR, ("approval_id",)),
    "api:decide": Row("post", HR, ("approval_id",), {"decision": "reject", "seen": "0" * 64}),
    "mcp": Row("post", MEMBERS, body={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    "mcp_too": Row("post", MEMBERS, body={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
}  # fmt: skip

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
    run = Run.objects.create(thread=thread, question="Why?", status=Run.Status.DONE, answer="Because.", ended_at=timezone.now())
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
    saved = SavedSearch.objects.create(workspace=workspace, user=users["rita"], name="Pay rise", query="q=pay")
    question = GoldenQuestion.objects.create(workspace=workspace, asker=users["rita"], text="Why?", digest=digest("Why?"))
    question.answers.create(document=document)
    measurement = Measurement.objects.create(
        workspace=workspace, asked_by=users["alice"], kind=Measurement.Kind.MEASURE, status=Measurement.Status.DONE,
        ended_at=timezone.now(), weights={"cosine": 1.0, "words": 0.1, "offset": 0.0, "blend": 1.0, "own": False},
        figures={"fused": {**dict.fromkeys(MEASURES, 0.5), "interval": {name: [0.4, 0.6] for name in MEASURES}}},
    )  # fmt: skip
    ids = {
        "question": question.pk,
        "queued_id": queued.pk,
        "measurement": measurement.pk,
        "search": saved.pk,
        "account": account.user_id,
        "webhook": hook.pk,
        "delivery": queue(hook, "webhook.test", {}).id,
        "document": document.pk,
        "document_id": document.pk,
        "source": source.pk,
        "source_id": source.pk,
        "search_id": saved.pk,
        "invitation_id": invitation.pk,
        "group_id": hr.pk,
        "user_id": users["carl"].pk,
        "thread_id": thread.pk,
        "run_id": run.pk,
        "approval_id": approval.pk,
        "artifact_id": artifact.pk,
        "invitation": invitation.pk,
        "session": session.pk,
        "user": users["carl"].pk,
        "group": hr.pk,
        "key": key.pk,
        "workspace": workspace.pk,
        "page": 1,
        "code": "not_found",
        "secret": "nonsense",
        "slug": workspace.slug,
        "model": "chat",
        "rest": "nothing",
    }
    keys = {name: ApiKey.issue(workspace=workspace, user=users[name])[1] for name in MEMBERS}
    keys["charlie"] = ApiKey.issue(workspace=other_workspace, user=users["charlie"])[1]
    return World(users, ids, keys)


def fingerprint() -> str:
    """Of every row of ours; sessions and who was seen when do not count."""
    rows = [
        serializers.serialize("json", model.objects.order_by("pk"))
        for label in ("workspaces", "documents", "threads", "usage", "cards", "api", "webhooks", "evaluation")
        for model in apps.get_app_config(label).get_models()
        if model not in {UserSession, ApiKey, User}
    ]
    return hashlib.sha256("".join(rows).encode()).hexdigest()


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
    assert not missing, f"say in tests/test_matrix.py who may use {sorted(missing)}"


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


INSIDE = [(name, row) for name, row in CASES if row.hidden and row.needs and set(row.needs) - {"secret", "page"}]


@pytest.mark.parametrize(("name", "row"), INSIDE, ids=[f"{row.method} {name}" for name, row in INSIDE])
def test_what_is_refused_looks_like_what_does_not_exist(name: str, row: Row, world: World) -> None:
    """To a stranger, and to a member who lacks the right, byte for byte but for the token against forgery."""
    for actor in ("charlie", "carl"):
        client = browser_of(world.users[actor])
        if actor in row.allowed:
            continue
        missing = {key: uuid.uuid4() for key in row.needs if key != "page"}
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
