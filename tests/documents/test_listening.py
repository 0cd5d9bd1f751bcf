"""Sources that say at once that something changed: who is believed, how often it is looked, and how soon what was deleted is gone."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from north.documents import actions, listening, tasks
from north.documents.errors import Refused
from north.documents.hooks import Hook
from north.documents.models import Source, SyncRun
from north.documents.readers import Readers
from north.workspaces.models import AuditEvent, Membership
from tests.documents.test_configuring import made, served, synced  # noqa: F401
from tests.retrieval.connectors import shelf
from tests.retrieval.connectors.test_hearing import SENT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
Served = tuple[str, shelf.Shelf]


@pytest.fixture
def source(served: Served, editor: Membership) -> Source:  # noqa: F811
    """Three things, synced a minute ago."""
    url, holding = served
    for name in ("a.txt", "b.txt", "c.txt"):
        holding.put(name, f"text of {name}")
    found = made(url, editor)
    synced(found)
    past(found)
    return found


def past(source: Source) -> None:
    Source.objects.filter(pk=source.pk).update(synced_at=timezone.now() - timedelta(minutes=1))


def tell(door: Hook, secret: str, **more: Any) -> int:
    """A source, which has no session and no token against forgery."""
    client = Client(enforce_csrf_checks=True)
    return client.post(f"/hooks/{door.key}", b"{}", "application/json", headers={"authorization": f"Bearer {secret}"}, **more).status_code


def waiting(source: Source) -> list[SyncRun]:
    return list(SyncRun.objects.filter(source=source, status__in=SyncRun.WORKING))


def test_what_the_source_says_is_gone_is_gone_at_once(source: Source, served: Served, editor: Membership) -> None:  # noqa: F811
    door, secret = listening.open_door(source, actor=editor)
    served[1].delete("a.txt")
    begun = time.monotonic()
    assert tell(door, secret) == 200
    (run,) = waiting(source)
    tasks.sync(str(run.pk))
    assert {one.name for one in actions.readable(editor)} == {"b.txt", "c.txt"}
    assert time.monotonic() - begun < 30
    door.refresh_from_db()
    assert door.wanted_at is None and door.heard_at


def test_a_right_that_was_taken_away_is_gone_with_the_same_pass(served: Served, editor: Membership) -> None:  # noqa: F811
    url, holding = served
    holding.put("a.txt", "text")
    source = made(url, editor, readers=Readers(), as_source=True)
    synced(source)
    past(source)
    assert actions.readable(editor).count() == 1
    door, secret = listening.open_door(source, actor=editor)
    thing = holding.named("a.txt")
    assert thing
    thing.rights = {"users": ["ben"], "groups": [], "public": False}
    holding.note(thing.id)
    assert tell(door, secret) == 200
    tasks.sync(str(waiting(source)[0].pk))
    assert actions.readable(editor).count() == 0


def test_many_messages_begin_one_pass_and_those_during_it_one_more(source: Source, editor: Membership) -> None:
    door, secret = listening.open_door(source, actor=editor)
    assert {tell(door, secret) for _ in range(20)} == {200}
    assert len(waiting(source)) == 1
    door.refresh_from_db()
    assert door.wanted_at, "the pass may not have seen what the later ones are about"
    tasks.sync(str(waiting(source)[0].pk))
    tasks.sync_due()
    assert not waiting(source), "not twice within some seconds"
    past(source)
    tasks.sync_due()
    assert len(waiting(source)) == 1 and not Hook.objects.exclude(wanted_at=None).exists()


def test_whoever_does_not_prove_to_be_the_source_meets_nothing(source: Source, editor: Membership, client: Client) -> None:
    door, secret = listening.open_door(source, actor=editor)
    assert len(door.key) > 40 and len(secret) > 40
    unknown = client.post("/hooks/nonsense")
    wrong = client.post(f"/hooks/{door.key}", b"{}", "application/json", headers={"authorization": "Bearer wrong"})
    assert unknown.status_code == wrong.status_code == client.get(f"/hooks/{door.key}").status_code == 404
    assert len(wrong.content) == len(unknown.content), "the same page, but for its token against forgery"
    assert client.post(f"/hooks/{door.key}", b"x" * 1_000_001, "application/json").status_code == 413
    assert not waiting(source)
    door.refresh_from_db()
    assert door.refused_at and not door.wanted_at, "the page says that its secret is another one"


def test_a_message_that_is_sent_again_counts_once(editor: Membership) -> None:
    given = {"owner": "acme", "token": "t", "url": "https://api.github.example"}
    values = {"name": "G", "connector": "github", "schedule": 0, "readers": Readers(), "actor": editor, "given": given}
    source = actions.create_source(**values)
    SyncRun.objects.all().delete()
    past(source)
    door, _secret = listening.open_door(source, actor=editor)
    listening.enter_secret(door, "It's a Secret to Everybody", actor=editor)
    sent = SENT["github"]
    assert listening.hear(door.key, sent).changed and len(waiting(source)) == 1
    SyncRun.objects.all().delete()
    past(source)
    listening.hear(door.key, sent)
    assert not waiting(source), "a recorded message played again"
    assert not Hook.objects.exclude(wanted_at=None).exists()


def test_a_door_is_opened_shown_once_and_closed(source: Source, as_bob: Client, as_rita: Client, client: Client) -> None:
    page = f"/w/acme/sources/{source.pk}/push"
    assert "Open an address" in as_bob.get(page).content.decode()
    shown = as_bob.post(page).content.decode()
    door = Hook.objects.get()
    assert door.key in shown and door.secret in shown and door.secret not in door.sealed
    later = as_bob.get(page).content.decode()
    assert door.key in later and door.secret not in later
    assert as_rita.get(page).status_code == 404
    assert as_bob.post(page, follow=True).status_code == 200 and Hook.objects.count() == 1
    assert as_bob.post(f"{page}/close").status_code == 302
    assert tell(door, "x") == 404 and not Hook.objects.exists()
    assert list(AuditEvent.objects.filter(action__startswith="source.hook").order_by("number").values_list("action", flat=True)) == [
        "source.hook_open",
        "source.hook_close",
    ]


def test_a_secret_of_the_sources_own_is_entered(editor: Membership, as_bob: Client) -> None:
    source = Source.objects.create(workspace=editor.workspace, connector="slack", name="S")
    page = f"/w/acme/sources/{source.pk}/push"
    assert "Signing Secret" in as_bob.post(page).content.decode()
    assert as_bob.post(f"{page}/secret", {"secret": " "}).status_code == 422
    assert as_bob.post(f"{page}/secret", {"secret": "8f742231b10e"}).status_code == 302
    assert Hook.objects.get().secret == "8f742231b10e" and "8f742231b10e" not in as_bob.get(page).content.decode()
    Hook.objects.update(key="another")
    assert Hook.objects.get().secret == "", "a secret is bound to its door"


def test_nobody_opens_a_second_door(source: Source, editor: Membership) -> None:
    listening.open_door(source, actor=editor)
    with pytest.raises(Refused, match="already"):
        listening.open_door(source, actor=editor)


def test_microsoft_is_answered_what_it_tries_an_address_with(editor: Membership, client: Client) -> None:
    source = Source.objects.create(workspace=editor.workspace, connector="sharepoint", name="P")
    door, secret = listening.open_door(source, actor=editor)
    said = client.post(f"/hooks/{door.key}?validationToken=Validation%3A+a+%3Cb%3E+%26+c", content_type="text/plain; charset=utf-8")
    assert said.status_code == 200 and said["Content-Type"].startswith("text/plain") and said.content == b"Validation: a <b> & c"
    assert not waiting(source)
    told = {"value": [{"clientState": secret, "subscriptionId": "s1", "resource": "drives/d/root"}]}
    assert client.post(f"/hooks/{door.key}", told, "application/json").status_code == 200 and len(waiting(source)) == 1
    forged = {"value": [{**told["value"][0], "clientState": "another"}]}
    assert client.post(f"/hooks/{door.key}", forged, "application/json").status_code == 404
