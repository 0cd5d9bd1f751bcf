"""Runs that work, each in a thread of its own, for the bench to write and to read: held under a lease for an hour, so that no worker takes
them. And a signed-in session."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from north.threads.models import Run, Thread
from north.workspaces.models import User, Workspace


def main(slug: str, email: str, count: int) -> dict[str, Any]:
    user, workspace, now = User.objects.get(email=email), Workspace.objects.get(slug=slug), timezone.now()
    threads = Thread.objects.bulk_create(Thread(workspace=workspace, user=user, title=f"Stream {n}", asked_at=now) for n in range(count))
    held = {"lease_until": now + timedelta(hours=1), "attempts": 1, "started_at": now, "status": Run.Status.RUNNING}
    runs = Run.objects.bulk_create(Run(thread=thread, question="How?", lease_token=uuid.uuid4(), **held) for thread in threads)
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return {"runs": [str(run.pk) for run in runs], "cookies": {name: morsel.value for name, morsel in browser.cookies.items()}}
