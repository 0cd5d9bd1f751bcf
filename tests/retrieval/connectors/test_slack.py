from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import CursorExpired, RightMissing, SourceMissing, TokenRefused
from retrieval.types import Account, Cursor, Deleted, Fetched, Item, Listing, Members
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.slack import LATEST, SlackWorld

SLACK = CONNECTORS["slack"]
DAY = 24 * 3600


def fetch(world: SlackWorld, cursor: Mapping[str, Any] | None = None) -> list[Fetched]:
    return list(SLACK.fetch(world.config, cursor, world.outside))


def items(events: list[Fetched]) -> list[Item]:
    return [event for event in events if isinstance(event, Item)]


def last(events: list[Fetched]) -> Mapping[str, Any]:
    assert isinstance(events[-1], Cursor) and events[-1].complete
    return events[-1].value


def says(world: SlackWorld, text: str, seconds_ago: float = 0, **more: Any) -> dict[str, Any]:
    message = {"type": "message", "user": "cem", "text": text, "ts": f"{LATEST - seconds_ago:.6f}", **more}
    world.loose.append(message)
    return message


def test_by_day_all_of_a_day_is_one_document_with_its_threads_in_it() -> None:
    world = SlackWorld()
    world.config["documents"] = "day"
    world.put("How does the printer work?", "Press the button.")
    says(world, "lunch?", 3 * DAY)
    says(world, "somebody joined", 3 * DAY, subtype="channel_join")
    today, before = items(fetch(world))
    text = today.read().decode()
    assert today.name.startswith("#help, 20") and today.folder == "#help"
    assert today.link == f"https://acme.slack.com/archives/C1/p{world.ts(world.there('How does the printer work?')).replace('.', '')}"
    assert text.index("How does the printer work?") < text.index("Press the button.") and "ben, " in text
    assert b"lunch?" in before.read() and b"joined" not in before.read()


def test_by_thread_what_nobody_answered_is_kept_by_day() -> None:
    world = SlackWorld()
    world.put("How?", "So.")
    says(world, "lunch?")
    assert sorted(item.name[:6] for item in items(fetch(world))) == ["#help,", "How?"]


def test_a_message_that_is_edited_or_deleted_in_the_window_is_noticed() -> None:
    world = SlackWorld()
    mine = says(world, "lunch at noon", DAY)
    cursor = last(fetch(world))
    mine["text"] = "lunch at one"
    (item,) = items(events := fetch(world, cursor))
    assert b"lunch at one" in item.read() and not [event for event in events if event == Listing()]
    world.loose.clear()
    assert [event for event in fetch(world, last(events)) if isinstance(event, Deleted)] == [Deleted(item.external_id)]


def test_what_is_older_than_the_window_is_left_alone_until_a_week_has_passed() -> None:
    world = SlackWorld()
    says(world, "old", 100 * DAY)
    says(world, "too old", 800 * DAY)
    cursor = last(events := fetch(world))
    assert len(items(events)) == 1
    again = fetch(world, cursor)
    assert not items(again) and not [event for event in again if isinstance(event, Deleted)]
    assert len(items(fetch(world, {**cursor, "listed": cursor["listed"] - 8 * DAY}))) == 1


def test_marks_are_told_in_words() -> None:
    world = SlackWorld()
    says(
        world,
        "<@ann> see <https://x.example/a|the page> or <https://y.example> in <#C1|help> &lt;now&gt; <!here>",
        files=[{"title": "Plan"}],
    )
    text = items(fetch(world))[0].read().decode()
    assert "@ann see the page (https://x.example/a) or https://y.example in #help &lt;now&gt; @here" in text and "File: Plan" in text


def test_a_public_channel_is_open_to_everybody_but_guests_and_apps() -> None:
    world = SlackWorld()
    user = world.user
    world.user = lambda person: user(person) | {"is_restricted": person == "ben", "is_email_confirmed": person != "cem"}  # type: ignore[method-assign]
    world.put("a", "b")
    events = fetch(world)
    groups = {event.group: event for event in events if isinstance(event, Members)}
    assert groups["everybody"].users == {"ann", "cem"} and groups["channel:C1"].groups == {"everybody"}
    assert {event.key: event.email for event in events if isinstance(event, Account)}["cem"] == "", "an address that nobody confirmed"


def test_a_channel_that_the_app_has_left_makes_a_full_listing_and_one_that_is_named_must_be_there() -> None:
    world = SlackWorld()
    world.channels["C2"] = "other"
    world.put("a", "b")
    cursor = last(fetch(world))
    del world.channels["C2"]
    with pytest.raises(CursorExpired):
        fetch(world, cursor)
    world.config["channels"] = ["#other"]
    with pytest.raises(SourceMissing, match="channel other"):
        fetch(world)


def test_a_token_that_rotates_is_renewed_and_kept() -> None:
    world = SlackWorld()
    world.put("a", "b")
    world.token = "xoxe-2"
    world.config |= {"access": "refresh", "refresh": "r1", "client_id": "c", "client_secret": "s"}
    given = Said.json({"ok": True, "access_token": "xoxe-2", "refresh_token": "r2"})
    expired = [Said.json({"ok": False, "error": "token_expired"})]
    world.outside.faults = [
        lambda asked: given if asked.path.endswith("oauth.v2.access") and b"refresh_token=r" in asked.body else None,
        lambda asked: expired.pop() if expired and asked.path.endswith("users.list") else None,
    ]
    assert len(items(fetch(world))) == 1 and world.outside.kept == {"refresh": "r2"}


@pytest.mark.parametrize(
    ("error", "kind"), [("account_inactive", TokenRefused), ("missing_scope", RightMissing), ("invalid_cursor", CursorExpired)]
)
def test_a_refusal_inside_an_answer_is_one(error: str, kind: type[Exception]) -> None:
    world = SlackWorld()
    world.put("a", "b")
    said = Said.json({"ok": False, "error": error, "needed": "channels:history"})
    world.outside.faults = [lambda asked: said if asked.path.endswith("history") else None]
    with pytest.raises(kind):
        fetch(world)
    if error == "missing_scope":
        assert [one for one in SLACK.probe(world.config, world.outside) if one.works is False and "channels:history" in one.words]
