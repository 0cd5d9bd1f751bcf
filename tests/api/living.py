"""The living application for the fuzzer outside of pytest, and a world to fuzz in. Searches go by words alone: no model worker is there,
and the broker holds a report of one that went silent, so that nothing waits for it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import redis
import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from north.asgi import application
from north.broker import redis_client
from north.documents import files
from north.documents.models import Document, Principal, SavedSearch, Source, Status
from north.evaluation.models import EvidenceMark, digest
from north.supervisor import answers, broker_command, vectors_command
from north.threads import configuring
from north.threads.models import Agent, Approval, Artifact, Run, Thread
from north.webhooks.announcing import queue
from north.webhooks.models import TEST, Event, Webhook
from north.workspaces.keys import create_service_account
from north.workspaces.models import ApiKey, Group, Invitation, Membership, Role, User, Workspace
from retrieval.types import Parsed

TEXT = "The notice period is thirty days for all staff. " * 50


def silent_worker() -> None:
    redis_client().hset(
        "north:health:gpu", "nowhere", json.dumps({"at": time.time() - 60, "host": "nowhere", "pid": 1, "models": [], "memory": {}})
    )


def world() -> tuple[str, dict[str, str]]:
    """A workspace with one of everything: a key of its owner, who is an administrator too, and the ids by path parameters."""
    tag = uuid.uuid4().hex[:12]
    owner, member = (
        User.objects.create(email=f"{name}-{tag}@acme.example", name=name, is_admin=name == "alice") for name in ("alice", "rita")
    )
    workspace = Workspace.objects.create(slug=tag, name="Acme")
    owns = Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    Membership.objects.create(workspace=workspace, user=member, role=Role.READER)
    group = Group.objects.create(workspace=workspace, name="HR")
    source = Source.objects.create(workspace=workspace, connector="folder", name="Share", config={"path": str(settings.FOLDER_ROOTS[0])})
    sha256 = hashlib.sha256(TEXT.encode()).hexdigest()
    document = Document.objects.create(
        workspace=workspace, name="rules.txt", text=TEXT, sha256=sha256, indexed_sha256=sha256, status=Status.READY, media_type="text/plain"
    )
    Principal.objects.create(document=document, value=workspace.everyone)
    files.write(document.file_of(sha256), TEXT.encode())
    files.write_layout(document.layout_of(sha256), Parsed(TEXT, "text/plain"))
    thread = Thread.objects.create(workspace=workspace, user=owner, title="Mine")
    run = Run.objects.create(thread=thread, question="Why?", status=Run.Status.DONE, answer="Because.", ended_at=timezone.now())
    waits = Run.objects.create(thread=thread, question="Write it.")
    approval = Approval.objects.create(
        run=waits, key="act:1", tool="write_document", effect="writes", arguments={"title": "T", "text": TEXT}, proposed="0" * 64,
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    Agent.objects.create(workspace=workspace, name="North")
    agent = configuring.make({"name": "Lawyer"}, shared=True, actor=owns)
    invitation = Invitation.issue(lasts=timedelta(days=1), workspace=workspace, email="new@acme.example", role=Role.READER)[0]
    saved = SavedSearch.objects.create(workspace=workspace, user=owner, name="Pay", query="q=pay&type=pdf")
    artifact = Artifact.objects.create(workspace=workspace, user=owner, thread=thread, title="Report")
    artifact.versions.create(number=1, text=TEXT, run=run)
    account = create_service_account("Crawler", Role.READER, actor=owns)
    hook = Webhook(workspace=workspace, url="https://192.0.2.1/", events=Event.values)
    hook.set_secret()
    hook.save()
    mark = EvidenceMark.objects.create(workspace=workspace, marked_by=owner, text="Why?", digest=digest("Why?"), evidence=0.5, answers=True)
    ids = {
        "mark_id": mark.pk,
        "user_id": member.pk, "invitation_id": invitation.pk, "group_id": group.pk, "source_id": source.pk, "document_id": document.pk,
        "search_id": saved.pk, "thread_id": thread.pk, "run_id": run.pk,
        "approval_id": approval.pk, "artifact_id": artifact.pk, "number": 1, "key_id": ApiKey.issue(workspace=workspace, user=owner)[0].pk,
        "identity_id": source.identities.create(key="anna", email=member.email).pk,
        "account_id": account.user_id, "agent_id": agent.pk, "queued_id": thread.queued.create(question="And then?").pk,
        "webhook_id": hook.pk, "delivery_id": queue(hook, TEST, {"webhook": hook.pk}).id,
    }  # fmt: skip
    return ApiKey.issue(workspace=workspace, user=owner)[1], {name: str(id) for name, id in ids.items()}


@contextmanager
def living() -> Iterator[str]:
    """The address of the web process, with a broker and a vector service, over an empty database in a temporary folder."""
    settings.DATABASES["default"]["NAME"] = settings.DATA_DIR / "fuzzed.sqlite3"
    call_command("migrate", verbosity=0)
    environment = {"NORTH_EDGE_API_KEY": settings.QDRANT_API_KEY}
    with ExitStack() as stack:
        for command, more in ((broker_command(), {}), (vectors_command(), environment)):
            process = stack.enter_context(
                subprocess.Popen(command, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
        wait(lambda: answers(f"{settings.QDRANT_URL}/readyz"))
        wait(pinged)
        silent_worker()
        config = uvicorn.Config(application, host="127.0.0.1", port=0, lifespan="off", log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def pinged() -> bool:
    try:
        return bool(redis_client().ping())
    except redis.RedisError:
        return False


def wait(well) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 60
    while not well():
        if time.monotonic() > deadline:
            raise RuntimeError("A part did not start.")
        time.sleep(0.05)
