"""Who may read what comes from a source with rights of its own, by the real sync."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.http import Http404
from django.test import Client
from django.utils import timezone

from north.documents import actions, mapping, tasks
from north.documents.accounts import Identity, Rule
from north.documents.errors import Refused
from north.documents.identities import groups_of_accounts, listed_by
from north.documents.models import Document, Source, SyncRun
from north.documents.readers import Readers
from north.workspaces.models import AuditEvent, Membership, Workspace
from retrieval.types import PUBLIC, Rights
from tests.documents import histories
from tests.documents.conftest import read

pytestmark = pytest.mark.django_db


@pytest.fixture
def history(alice: Any, bob: Any, rita: Any, workspace: Workspace) -> Iterator[histories.History]:
    members = [Membership.objects.select_related("workspace", "user").get(workspace=workspace, user=user) for user in (alice, bob, rita)]
    made = histories.History(10_000_000, Random(1), members)
    made.source = made.begin()  # type: ignore[attr-defined]
    for key, member in zip(histories.KEYS, members, strict=False):
        made.shelf.people[key] = member.user.email
    yield made
    del histories.WORLDS[str(made.seed)]


def put(history: histories.History, **rights: Any) -> None:
    history.shelf.put("pay.txt", "Pay is secret.")
    thing = history.shelf.named("pay.txt")
    assert thing
    thing.rights = rights
    history.shelf.note(thing.id)


def synced(history: histories.History) -> SyncRun:
    return histories.synced(history, history.source)  # type: ignore[attr-defined]


def readers(history: histories.History) -> set[str]:
    return {member.user.email.partition("@")[0] for member in history.members if actions.readable(member).exists()}


def test_the_accounts_and_groups_that_a_thing_names_read_it_and_nobody_else(history: histories.History) -> None:
    put(history, users=["k0"], groups=["staff"])
    history.shelf.groups = {"staff": {"users": [], "groups": ["board"]}, "board": {"users": ["k2"], "groups": ["staff"]}}
    synced(history)
    assert readers(history) == {"alice", "rita"}


def test_a_changed_group_holds_at_once_and_touches_no_document(history: histories.History) -> None:
    put(history, groups=["staff"])
    history.shelf.groups = {"staff": {"users": ["k0"], "groups": []}}
    synced(history)
    document = Document.objects.get()
    history.shelf.groups = {"staff": {"users": ["k1"], "groups": []}}
    synced(history)
    assert readers(history) == {"bob"}
    after = Document.objects.get()
    assert (after.access, after.version, after.status_at) == (document.access, document.version, document.status_at)


def test_changed_rights_hold_at_once_and_are_no_other_words(history: histories.History, vectors: str) -> None:
    put(history, users=["k0"])
    synced(history)
    document = Document.objects.get()
    read(document, "Pay is secret.")
    tasks.index()
    put(history, users=["k1"])
    synced(history)
    assert readers(history) == {"bob"}
    after = Document.objects.get()
    assert (after.status, after.version, after.ready_at is not None) == ("ready", 1, True), "it is not read or embedded again"
    assert after.access != after.indexed_access
    tasks.index()
    after.refresh_from_db()
    assert after.access == after.indexed_access


def test_an_owner_says_who_an_account_is(history: histories.History, workspace: Workspace) -> None:
    put(history, users=["k0"])
    history.shelf.people["k0"] = ""
    synced(history)
    assert readers(history) == set()
    alice, bob, _rita = history.members
    account = Identity.objects.get(key="k0")
    with pytest.raises(Http404):
        mapping.map_identity(account, bob.user, actor=bob)
    mapping.map_identity(account, bob.user, actor=alice)
    assert readers(history) == {"bob"}
    history.shelf.people["k0"] = alice.user.email
    synced(history)
    assert readers(history) == {"bob"}, "an owner's word is above an address"
    mapping.map_identity(account, None, actor=alice)
    assert readers(history) == set()
    mapping.unmap_identity(account, actor=alice)
    assert readers(history) == {"alice"}
    assert [event.detail["person"] for event in AuditEvent.objects.filter(action="source.map").order_by("number")] == [
        bob.user.email,
        "",
        "",
    ]


def test_a_stranger_cannot_be_said_to_be_an_account(history: histories.History, charlie: Any) -> None:
    synced(history)
    with pytest.raises(Refused, match="no member"):
        mapping.map_identity(Identity.objects.get(key="k0"), charlie, actor=history.members[0])


def test_an_account_that_is_closed_opens_nothing(history: histories.History) -> None:
    put(history, users=["k0"])
    synced(history)
    Identity.objects.filter(key="k0").update(active=False)
    assert readers(history) == set()


def test_rights_that_nobody_could_confirm_for_a_day_hide(history: histories.History) -> None:
    put(history, public=True)
    synced(history)
    assert readers(history) == {"alice", "bob", "rita"}
    Source.objects.update(rights_until=timezone.now() - timedelta(seconds=1))
    assert readers(history) == set()
    assert not Document.objects.listed_for(history.members[2], ["w:" + str(history.members[2].workspace_id)]).exists()
    synced(history)
    assert readers(history) == {"alice", "bob", "rita"}


def test_a_pass_that_failed_confirms_no_rights(history: histories.History) -> None:
    put(history, public=True)
    synced(history)
    until = Source.objects.get().rights_until
    history.fails_at = 1
    assert synced(history).status == "failed"
    assert Source.objects.get().rights_until == until


def test_a_source_that_asks_to_wait_is_waited_for(history: histories.History) -> None:
    put(history, public=True)
    later = histories.Said(429, headers=histories.Headers({"retry-after": "600"}))
    history.outside.faults = [lambda asked: later]
    run = synced(history)
    assert (run.status, run.attempts) == ("queued", 0)
    assert "600 seconds" in run.error and run.try_at > timezone.now() + timedelta(seconds=590)
    tasks.sync(str(run.pk))
    assert len(history.outside.asked) == 1, "not before its time"
    history.outside.faults = []
    assert synced(history).status == "done" and not SyncRun.objects.get().error


def test_other_readers_end_the_sources_rights_and_back(history: histories.History) -> None:
    put(history, users=["k0"])
    synced(history)
    alice = history.members[0]
    source = Source.objects.get()
    values = {"name": "Shelf", "given": {}, "schedule": 3600, "actor": alice}
    with pytest.raises(Refused, match="no such setting"):
        actions.edit_source(source, **{**values, "given": {"world": "x"}}, readers=Readers(everyone=True))
    Source.objects.update(config={"world": str(history.seed)})
    histories_config = Source.objects.get().config
    actions.edit_source(source, **values, readers=Readers(everyone=True), as_source=False)
    assert readers(history) == {"alice", "bob", "rita"}
    actions.edit_source(source, **values, readers=Readers(), as_source=True)
    assert readers(history) == set(), "until a pass has seen the rights"
    Source.objects.update(config=histories_config)
    synced(history)
    assert readers(history) == {"alice"}


# --- rights that hold together -----------------------------------------------------------------------------------------------------
def test_rights_within_rights_are_one_rule(history: histories.History) -> None:
    put(history, users=["k0", "k1"], within=[{"groups": ["staff"]}])
    history.shelf.groups = {"staff": {"users": ["k1", "k2"], "groups": []}}
    synced(history)
    assert readers(history) == {"bob"} and Rule.objects.count() == 1
    history.shelf.groups = {"staff": {"users": ["k0"], "groups": []}}
    synced(history)
    assert readers(history) == {"alice"}


@pytest.mark.parametrize(
    ("rights", "count"),
    [
        (None, 0),
        (Rights(), 0),
        (PUBLIC, 1),
        (Rights(public=True, within=(PUBLIC,)), 1),
        (Rights(frozenset("ab")), 2),
        (Rights(frozenset("ab"), within=(PUBLIC,)), 2),
        (Rights(public=True, within=(Rights(frozenset("a")),)), 1),
        (Rights(frozenset("ab"), within=(Rights(frozenset("a")),)), 1),
        (Rights(frozenset("a"), within=(Rights(),)), 0),
        (Rights(frozenset("ab"), within=(Rights(frozenset("bc")),)), 1),
    ],
)
def test_what_a_document_lists(rights: Rights | None, count: int, workspace: Workspace) -> None:
    principals, clauses = listed_by(rights, Source(workspace=workspace))
    assert len(principals) == count
    assert (clauses is not None) == (rights is not None and len(rights.users) == 2 and rights.within[:1] == (Rights(frozenset("bc")),))
    assert (f"w:{workspace.pk}" in principals) == (rights in (PUBLIC, Rights(public=True, within=(PUBLIC,))))


def test_the_same_keys_of_two_sources_are_two(workspace: Workspace) -> None:
    one, other = Source(workspace=workspace), Source(workspace=workspace)
    staff = Rights(frozenset({"anna"}), frozenset({"staff"}))
    assert not listed_by(staff, one)[0] & listed_by(staff, other)[0]


def test_groups_in_a_circle_end() -> None:
    circle = [(str(n), [f"u{n}"], [str((n + 1) % 50)]) for n in range(50)]
    assert all(len(groups) == 50 for groups in groups_of_accounts(circle).values())


# --- the page ----------------------------------------------------------------------------------------------------------------------
def test_owners_see_and_correct_who_is_who(history: histories.History, as_alice: Client, as_bob: Client) -> None:
    history.shelf.people["k0"] = ""
    put(history, users=["k0"])
    synced(history)
    place = f"/w/acme/sources/{history.source.pk}/people"  # type: ignore[attr-defined]
    assert as_bob.get(place).status_code == 404
    html = as_alice.get(place).content.decode()
    assert "by address: nobody" in html and "by address: " in html
    account = Identity.objects.get(key="k0")
    bob = history.members[1].user
    assert as_bob.post(f"{place}/{account.pk}", {"person": str(bob.pk)}).status_code == 404
    assert as_alice.post(f"{place}/{account.pk}", {"person": str(bob.pk), "q": "k0"})["Location"] == f"{place}?q=k0"
    assert readers(history) == {"bob"}
    assert "selected" in as_alice.get(f"{place}?q=k0").content.decode()
    said = as_alice.post(f"{place}/{account.pk}", {"person": "00000000-0000-0000-0000-000000000000"}, follow=True)
    assert "no member of the workspace" in said.content.decode() and readers(history) == {"bob"}
    as_alice.post(f"{place}/{account.pk}", {"person": "nobody"})
    assert readers(history) == set()
