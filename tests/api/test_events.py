"""A run's events by REST: whole, and after a lost connection from where it broke off."""

from __future__ import annotations

import httpx
import pytest

from north.threads.models import Run
from north.workspaces.models import ApiKey, Membership
from tests.threads.conftest import Told, told

pytestmark = pytest.mark.django_db(transaction=True)


def follow(server: str, run: Run, key: str, after: str = "") -> tuple[int, list[Told]]:
    headers = {"Authorization": f"Bearer {key}", **({"Last-Event-ID": after} if after else {})}
    with httpx.stream("GET", f"{server}/api/v1/runs/{run.pk}/events", headers=headers, timeout=30, trust_env=False) as response:
        return response.status_code, list(told(response.iter_lines(), after))


def test_events_go_on_after_the_last_that_was_seen(server: str, answered: Run, reader: Membership, editor: Membership) -> None:
    key = ApiKey.issue(workspace=reader.workspace, user=reader.user)[1]
    status, whole = follow(server, answered, key)
    assert status == 200 and whole[0].kind == "restart" and [event.kind for event in whole[-2:]] == ["answer", "end"]
    for number, event in enumerate(whole[:-1], 1):
        assert follow(server, answered, key, event.id) == (200, whole[number:])
    assert follow(server, answered, key, whole[-1].id) == (204, [])
    assert follow(server, answered, key, "nonsense")[1] == whole, "what is no id of this run begins anew"
    others = ApiKey.issue(workspace=editor.workspace, user=editor.user)[1]
    assert follow(server, answered, others)[0] == 404 and follow(server, answered, "north_wrong")[0] == 401
