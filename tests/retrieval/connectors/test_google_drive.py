from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.connectors.google import rights
from retrieval.errors import CursorExpired, ItemBroken, RateLimited, SettingWrong, SourceMissing, SourceUnreachable, TokenRefused
from retrieval.types import PUBLIC, Account, Cursor, Deleted, Fetched, Item, Members, Rights
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.google_drive import DRIVE, FOLDER, GoogleDriveWorld
from tests.retrieval.connectors.worlds.google_drive_by_consent import ByConsent

GOOGLE_DRIVE = CONNECTORS["google_drive"]


def fetch(world: GoogleDriveWorld, cursor: Mapping[str, Any] | None = None) -> list[Fetched]:
    return list(GOOGLE_DRIVE.fetch(world.config, cursor, world.outside))


def items(events: list[Fetched]) -> dict[str, Item]:
    return {event.name: event for event in events if isinstance(event, Item)}


def last(events: list[Fetched]) -> Mapping[str, Any]:
    assert isinstance(events[-1], Cursor) and events[-1].complete
    return events[-1].value


def filled() -> GoogleDriveWorld:
    world = GoogleDriveWorld()
    for name in "abc":
        world.put(name, name)
    return world


def in_folder(world: GoogleDriveWorld, name: str) -> None:
    world.folders["f1"] = {"id": "f1", "name": "Pay roll", "mimeType": FOLDER, "parents": [DRIVE]}
    world.parents[world.there(name).id] = "f1"


def test_what_lies_in_a_folder_that_is_shared_otherwise_is_looked_at_again() -> None:
    world = filled()
    in_folder(world, "b")
    cursor = last(fetch(world))
    world.there("b").public = False
    world.changes.append("f1")
    found = items(fetch(world, cursor))
    assert list(found) == ["b"] and found["b"].rights == Rights(groups=frozenset({f"drive:{DRIVE}"}))
    assert found["b"].folder == "Team/Pay roll" and found["b"].link.startswith("https://drive.google.com/")


def test_a_folder_in_the_bin_makes_a_full_listing_and_a_file_there_is_gone() -> None:
    world = filled()
    in_folder(world, "b")
    cursor = last(fetch(world))
    thing = world.there("a")
    world.delete("a")
    assert [event for event in fetch(world, cursor) if isinstance(event, Deleted)] == [Deleted(f"{DRIVE}/{thing.id}")]
    world.folders["f1"]["trashed"] = True
    world.changes.append("f1")
    with pytest.raises(CursorExpired):
        fetch(world, cursor)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("document", "text/html"),
        ("spreadsheet", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("presentation", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ],
)
def test_googles_own_files_are_exported(kind: str, wanted: str) -> None:
    world = filled()
    world.kinds[world.there("b").id] = f"application/vnd.google-apps.{kind}"
    world.kinds[world.there("c").id] = "application/vnd.google-apps.form"
    found = items(fetch(world))
    assert set(found) == {"a", "b"} and f"b as {wanted}".encode() in found["b"].read()


def test_what_google_does_not_export_is_said_to_be_so() -> None:
    world = filled()
    world.kinds[world.there("b").id] = "application/vnd.google-apps.document"
    world.outside.faults = [lambda asked: Said(403, b"exportSizeLimitExceeded") if asked.path.endswith("/export") else None]
    with pytest.raises(ItemBroken, match="10 MB"):
        items(fetch(world))["b"].read()


def permission(kind: str, id: str = "1", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": kind, "role": "reader", **more}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (permission("user", emailAddress="Ann@acme.example"), Rights(frozenset({"ann@acme.example"}))),
        (permission("user", emailAddress="ann@acme.example", deleted=True), Rights()),
        (permission("user", emailAddress="ann@acme.example", expirationTime="2020-01-01T00:00:00Z"), Rights()),
        (permission("user", emailAddress="ann@acme.example", view="metadata"), Rights()),
        (permission("group", emailAddress="staff@acme.example"), Rights(groups=frozenset({"staff@acme.example"}))),
        (permission("domain", domain="acme.example", allowFileDiscovery=True), Rights(groups=frozenset({"domain:acme.example"}))),
        (permission("domain", domain="acme.example", allowFileDiscovery=False), Rights()),
        (permission("anyone", allowFileDiscovery=True), PUBLIC),
        (permission("anyone", allowFileDiscovery=False), Rights()),
    ],
)
def test_whom_a_permission_lets_in(said: dict[str, Any], wanted: Rights) -> None:
    assert rights([said]) == wanted


def test_a_folder_that_is_closed_to_some_of_the_drive_is_not_open_to_all_of_it() -> None:
    inherited = [{"inherited": True, "inheritedFrom": "D"}]
    ann, ben = (permission("user", one, emailAddress=f"{one}@x", permissionDetails=inherited) for one in ("ann", "ben"))
    everybody = frozenset({"ann", "ben"})
    assert rights([ann, ben], "D", everybody) == Rights(groups=frozenset({"drive:D"}))
    assert rights([ann], "D", everybody) == Rights(frozenset({"ann@x"}))


def test_without_an_administrator_groups_are_unknown_and_people_are_those_who_were_named() -> None:
    world = filled()
    world.config["subject"] = ""
    world.group("staff", ["ann"])
    world.allow("a", users=["ann"], groups=["staff"])
    events = fetch(world)
    assert [event for event in events if isinstance(event, Account)] == [Account("ann@acme.example", email="ann@acme.example")]
    assert {event.group: event.users for event in events if isinstance(event, Members)}["staff"] is None
    assert any("stays hidden" in one.words for one in GOOGLE_DRIVE.probe(world.config, world.outside))


def test_my_drive_is_read_in_its_owners_name() -> None:
    world = filled()
    world.config |= {"drives": ["Team"], "people": ["Ann@acme.example"]}
    fetch(world)
    assert {asked.headers.get("authorization") for asked in world.outside.asked} >= {
        "Bearer t-ann@acme.example",
        "Bearer t-admin@acme.example",
    }
    world.config["drives"] = ["Other"]
    with pytest.raises(SourceMissing, match="other"):
        fetch(world)


def test_by_consent_files_are_read_as_whoever_agreed() -> None:
    world = ByConsent()
    world.put("a", "a")
    world.config |= {"drives": ["Team"], "mine": True}
    events = fetch(world)
    assert {event.folder for event in events if isinstance(event, Item)} == {"Team", "My Drive of ann@acme.example"}
    assert world.given > 1, "tokens expired on the way"
    assert any(one.words == "It reads as ann@acme.example." for one in GOOGLE_DRIVE.probe(world.config, world.outside))


def test_by_consent_of_somebody_who_is_no_administrator_groups_are_unknown() -> None:
    world = ByConsent()
    world.administrator = False
    world.put("a", "a")
    world.allow("a", users=["ann"], groups=["staff"])
    events = fetch(world)
    assert {event.group: event.users for event in events if isinstance(event, Members)}["staff"] is None
    assert Account("ann@acme.example", email="ann@acme.example") in events
    assert any("stays hidden" in one.words for one in GOOGLE_DRIVE.probe(world.config, world.outside))


def test_a_consent_that_was_withdrawn_is_said() -> None:
    world = ByConsent()
    world.ended = True
    with pytest.raises(TokenRefused, match=r"it was withdrawn, or has ended. Press “Connect” again"):
        fetch(world)


def test_a_listing_that_google_says_is_not_whole_deletes_nothing() -> None:
    world = filled()
    world.outside.faults = [lambda asked: Said.json({"files": [], "incompleteSearch": True}) if asked.path.endswith("/files") else None]
    with pytest.raises(SourceUnreachable, match="only a part"):
        fetch(world)


def test_a_refusal_that_means_too_often_is_one() -> None:
    world = filled()
    reason = b'{"error": {"errors": [{"reason": "rateLimitExceeded"}]}}'
    world.outside.faults = [lambda asked: Said(403, reason) if "permissions" in asked.path else None]
    with pytest.raises(RateLimited):
        fetch(world)


@pytest.mark.parametrize("key", ["no json", "[]", "{}", json.dumps({"private_key": "x", "client_email": "y"})])
def test_what_is_no_key_is_said_to_be_none(key: str) -> None:
    world = filled()
    world.config["key"] = key
    with pytest.raises(SettingWrong, match="whole JSON file"):
        fetch(world)
