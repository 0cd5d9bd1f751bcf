"""Rights hang on things and on groups, which a pass reads one after the other: nothing is open in between that was never open."""

from __future__ import annotations

from typing import Any

import pytest

from north.documents import actions, tasks
from north.documents.models import Document, PendingPrincipal, Principal, Source
from north.documents.passages import search
from retrieval.types import Skipped
from tests.documents import histories
from tests.documents.test_attached import mail
from tests.documents.test_identities import history, put, readers, synced

__all__ = ["history"]
pytestmark = pytest.mark.django_db
REFUSED = histories.Said(401)


def group(history: histories.History, *users: str) -> None:
    history.shelf.groups = {"staff": {"users": list(users), "groups": []}}


def without_groups(history: histories.History) -> None:
    history.outside.faults = [lambda asked: REFUSED if asked.path == "/groups" else None]


def dies_before_people(history: histories.History) -> None:
    """The first event is a Listing or the one thing; the second begins the people."""
    history.dies_at = 1


@pytest.fixture
def left(history: histories.History) -> histories.History:
    """Bob has left the staff, and then what only Alice could read was opened to it."""
    history.feed = True
    group(history, "k1", "k2")
    put(history, users=["k0"])
    synced(history)
    group(history, "k2")
    put(history, groups=["staff"])
    return history


@pytest.mark.parametrize("trouble", [without_groups, dies_before_people])
def test_who_left_a_group_does_not_read_what_it_was_given_since(left: histories.History, trouble: Any) -> None:
    trouble(left)
    synced(left)
    assert readers(left) == set(), "what was taken away is taken away, what was given waits"
    histories.calm(left)
    assert synced(left).status == "done"
    assert readers(left) == {"rita"}, "though the feed did not name the thing again"


def test_what_waits_survives_two_passes_that_fail_and_follows_the_thing(left: histories.History) -> None:
    without_groups(left)
    synced(left)
    put(left, groups=["staff"], users=["k0"])
    synced(left)
    assert readers(left) == set()
    histories.calm(left)
    synced(left)
    assert readers(left) == {"alice", "rita"} and not PendingPrincipal.objects.exists()


def test_what_was_given_and_taken_again_is_never_open(left: histories.History) -> None:
    without_groups(left)
    synced(left)
    put(left, users=["k0"])
    synced(left)
    histories.calm(left)
    synced(left)
    assert readers(left) == {"alice"}


@pytest.mark.parametrize("people_first", [True, False])
def test_who_joins_a_group_does_not_read_what_it_lost_before(history: histories.History, people_first: bool) -> None:
    history.feed, history.people_first = False, people_first
    group(history, "k2")
    put(history, groups=["staff"])
    synced(history)
    group(history, "k1", "k2")
    put(history, users=["k0"])
    history.outside.faults = [lambda asked: REFUSED if asked.path == ("/things" if people_first else "/groups") else None]
    synced(history)
    assert "bob" not in readers(history)
    histories.calm(history)
    synced(history)
    assert readers(history) == {"alice"}


@pytest.mark.parametrize("trouble", [without_groups, dies_before_people])
def test_an_account_that_passed_on_to_somebody_opens_nothing_new_to_who_had_it(history: histories.History, trouble: Any) -> None:
    """The account k0 was Alice's shortly before the thing was opened to it, and is Bob's now."""
    history.feed = True
    put(history, users=["k2"])
    synced(history)
    history.shelf.people["k0"] = history.members[1].user.email
    put(history, users=["k0"])
    trouble(history)
    synced(history)
    assert readers(history) == set()
    histories.calm(history)
    synced(history)
    assert readers(history) == {"bob"}


def test_a_person_who_is_out_of_a_group_is_out_though_the_pass_fails_later(history: histories.History) -> None:
    history.feed = False
    group(history, "k1", "k2")
    put(history, groups=["staff"])
    synced(history)
    group(history, "k0", "k2")
    history.people_first = True
    history.outside.faults = [lambda asked: REFUSED if asked.path == "/things" else None]
    synced(history)
    assert readers(history) == {"rita"}, "Bob is out at once, Alice is in when all has been read"
    histories.calm(history)
    synced(history)
    assert readers(history) == {"alice", "rita"}


def test_a_listing_that_goes_on_after_a_failure_opens_nothing_by_its_old_first_part(history: histories.History) -> None:
    """The first part was read before Bob joined the staff, which lost the thing in it meanwhile."""
    history.feed = False
    group(history, "k2")
    for number in range(4):
        history.shelf.put(f"n{number}.txt", "text")
        history.shelf.named(f"n{number}.txt").rights = {"groups": ["staff"]}  # type: ignore[union-attr]
    synced(history)
    asked: list[str] = []

    def fails_on_the_second_page(one: Any) -> Any:
        asked.append(one.path)
        return REFUSED if asked.count("/things") == 2 else None

    history.outside.faults = [fails_on_the_second_page]
    synced(history)
    histories.calm(history)
    assert Source.objects.get().cursor, "it stands in the middle"
    group(history, "k1", "k2")
    first = next(iter(history.shelf.things.values()))
    first.rights = {"users": ["k0"]}
    assert synced(history).status == "done"
    assert not history.allowed() ^ histories.readable(history, Source.objects.get()), "all was asked for once more"


def test_on_a_first_sync_nothing_waits(history: histories.History) -> None:
    group(history, "k1")
    put(history, groups=["staff"])
    without_groups(history)
    synced(history)
    assert Principal.objects.count() == 1 and not PendingPrincipal.objects.exists()
    assert readers(history) == set(), "nobody is known to be in the group"


def test_what_is_skipped_tells_no_rights_and_is_hidden_until_it_does(history: histories.History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.feed = True
    put(history, users=["k0"])
    synced(history)
    put(history, users=["k0"])
    with monkeypatch.context() as patch:
        patch.setattr(histories.shelf, "item", lambda thing, ask: Skipped(thing["id"], thing["name"], "It is too large."))
        assert {one["reason"] for one in synced(history).skipped} == {"It is too large."}
    assert readers(history) == set()
    synced(history)
    assert readers(history) == {"alice"}


@pytest.mark.usefixtures("vectors")
def test_what_is_attached_is_opened_with_its_mail(history: histories.History) -> None:
    history.feed = True
    group(history, "k2")
    history.shelf.put("rules.eml", mail(leave="Sixteen weeks."))
    thing = history.shelf.named("rules.eml")
    assert thing
    thing.rights = {"users": ["k0"]}
    synced(history)
    tasks.prepare()
    thing.rights = {"users": ["k0"], "groups": ["staff"]}
    history.shelf.note(thing.id)
    without_groups(history)
    synced(history)
    assert readers(history) == {"alice"}
    histories.calm(history)
    synced(history)
    tasks.index()
    assert sorted(Document.objects.alive().values_list("name", flat=True)) == ["leave.txt", "rules.eml"]
    rita = history.members[2]
    assert sorted(actions.readable(rita).values_list("name", flat=True)) == ["leave.txt", "rules.eml"]
    assert {passage.name for passage in search(str(rita.workspace_id), str(rita.user_id), "sixteen weeks", 5)} >= {"leave.txt"}
