from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import CursorExpired, RateLimited
from retrieval.types import Cursor, Fetched, Item, Members
from tests.retrieval.connectors.outside import Asked, Said
from tests.retrieval.connectors.worlds.sharepoint import DRIVE, SharePointWorld

SHAREPOINT = CONNECTORS["sharepoint"]


def fetch(world: SharePointWorld, cursor: Mapping[str, Any] | None = None) -> list[Fetched]:
    return list(SHAREPOINT.fetch(world.config, cursor, world.outside))


def items(events: list[Fetched]) -> dict[str, Item]:
    return {event.name: event for event in events if isinstance(event, Item)}


def last(events: list[Fetched]) -> Mapping[str, Any]:
    assert isinstance(events[-1], Cursor) and events[-1].complete
    return events[-1].value


def filled(count: int = 3) -> SharePointWorld:
    world = SharePointWorld()
    for name in "abcdefghijklmnopqrstuvwxyz"[:count]:
        world.put(f"{name}.txt", name)
    return world


def in_folder(world: SharePointWorld, name: str, folder: str = "f1") -> None:
    world.folders[folder] = {
        "id": folder, "name": "Pay roll", "folder": {}, "parentReference": {"id": "root", "path": f"/drives/{DRIVE}/root:/Top%20secret"},
    }  # fmt: skip
    world.parents[world.there(name).id] = folder


def test_what_lies_in_a_folder_that_is_shared_otherwise_is_looked_at_again() -> None:
    world = filled()
    in_folder(world, "b.txt")
    cursor = last(fetch(world))
    world.there("b.txt").public = False
    world.changes.append("f1")
    found = items(fetch(world, cursor))
    assert list(found) == ["b.txt"] and found["b.txt"].rights is not None and not found["b.txt"].rights.groups
    assert found["b.txt"].folder == "HR/Documents/Top secret/Pay roll"


def test_a_folder_that_is_gone_makes_a_full_listing() -> None:
    world = filled()
    in_folder(world, "b.txt")
    cursor = last(fetch(world))
    world.folders["f1"] = {"id": "f1", "folder": {}, "deleted": {"state": "deleted"}}
    world.changes.append("f1")
    with pytest.raises(CursorExpired):
        fetch(world, cursor)


def test_a_library_that_is_gone_and_a_day_that_has_passed_make_one_too() -> None:
    world = filled()
    cursor = last(fetch(world))
    assert len(items(fetch(world, {**cursor, "listed": cursor["listed"] - 25 * 3600}))) == 3
    assert not items(fetch(world, cursor))
    with pytest.raises(CursorExpired):
        fetch(world, {**cursor, "feeds": {**cursor["feeds"], "b!2": "https://graph.microsoft.com/v1.0/x"}})


def test_permissions_are_asked_for_twenty_at_a_time() -> None:
    world = filled(24)
    fetch(world)
    batches = [asked for asked in world.outside.asked if asked.path.endswith("$batch")]
    assert not [asked for asked in world.outside.asked if asked.path.endswith("/permissions")]
    assert max(len(asked.body["requests"]) for asked in batches) <= 20


def test_one_of_a_batch_that_was_asked_too_often_is_asked_again_by_itself() -> None:
    world = filled(2)
    graph = world.graph

    def often(asked: Asked) -> Said:
        said = graph(asked)
        return Said(200, said.content.replace(b'"status": 200', b'"status": 429')) if asked.path.endswith("$batch") else said

    world.graph = often  # type: ignore[method-assign]
    assert all(item.rights for item in items(fetch(world)).values())
    world.outside.faults = [lambda asked: Said.json({}, 429, **{"retry-after": "60"}) if asked.path.endswith("/permissions") else None]
    with pytest.raises(RateLimited):
        fetch(world)


@pytest.mark.parametrize(
    ("permission", "users", "groups"),
    [
        ({"roles": ["read"], "grantedToV2": {"user": {"id": "ann"}}}, {"ann"}, set()),
        ({"roles": ["write"], "grantedTo": {"user": {"id": "ann"}}}, {"ann"}, set()),
        ({"roles": ["owner"], "grantedToV2": {"group": {"id": "g"}, "siteUser": {"loginName": "c:0o.c|fed|g_o"}}}, set(), {"g_o"}),
        ({"roles": ["read"], "grantedToV2": {"siteGroup": {"id": "3", "displayName": "HR Members"}}}, set(), {"site:HR Members"}),
        ({"roles": ["read"], "grantedToV2": {"siteUser": {"loginName": "c:0t.c|tenant|G1"}}}, set(), {"g1"}),
        ({"roles": ["read"], "grantedToV2": {"siteUser": {"loginName": "c:0(.s|true"}}}, set(), {"tenant"}),
        ({"roles": ["read"], "link": {"scope": "users"}, "grantedToIdentitiesV2": [{"user": {"id": "ann"}}]}, {"ann"}, set()),
        ({"roles": ["read"], "link": {"scope": "organization"}, "grantedToIdentitiesV2": [{"user": {"id": "ann"}}]}, set(), set()),
        ({"roles": ["read"], "link": {"scope": "anonymous"}}, set(), set()),
        ({"roles": ["sp.limited access"], "grantedToV2": {"user": {"id": "ann"}}}, set(), set()),
        ({"roles": ["read"], "expirationDateTime": "2020-01-01T00:00:00Z", "grantedToV2": {"user": {"id": "ann"}}}, set(), set()),
        ({"roles": ["read"], "invitation": {"email": "x@y.example"}}, set(), set()),
        ({"roles": ["read"], "grantedToV2": {"application": {"id": "app"}}}, set(), set()),
    ],
)
def test_whom_a_permission_lets_in(permission: dict[str, Any], users: set[str], groups: set[str]) -> None:
    world = filled(1)
    world.there("a.txt").public = False
    world.granted[world.there("a.txt").id] = [permission]
    rights = items(fetch(world))["a.txt"].rights
    assert rights and (rights.users, rights.groups) == (users, groups)


def test_a_site_group_is_the_group_of_the_directory_that_the_settings_name() -> None:
    world = filled(1)
    site = {"roles": ["read"], "grantedToV2": {"siteGroup": {"displayName": "HR Members"}}}
    world.granted = {"root": [site], world.there("a.txt").id: [site]}
    world.group("staff", ["ann"])
    told = {event.group: event for event in fetch(world) if isinstance(event, Members)}
    assert told["site:HR Members"].users is None, "nobody knows who is in it"
    assert any("HR Members" in one.words for one in SHAREPOINT.probe(world.config, world.outside))
    world.config["site_groups"] = ["hr members = staff"]
    told = {event.group: event for event in fetch(world) if isinstance(event, Members)}
    assert told["site:HR Members"].groups == {"staff"} and told["staff"].users == {"ann"}


def test_a_onedrive_and_its_tree() -> None:
    world = filled(2)
    in_folder(world, "b.txt")
    world.config |= {"sites": [], "people": ["ann@acme.example"]}
    assert items(fetch(world))["a.txt"].folder == "OneDrive/ann@acme.example"
    browse = SHAREPOINT.browse
    assert browse
    assert [branch.path for branch in browse(world.config, "", world.outside)] == [DRIVE]
    top = list(browse(world.config, DRIVE, world.outside))
    assert [(branch.name, branch.inner) for branch in top] == [("a.txt", False), ("Pay roll", True)]
    assert [branch.name for branch in browse(world.config, top[1].path, world.outside)] == ["b.txt"]


def test_sites_are_there_to_choose_from_where_none_was_named() -> None:
    world = filled(2)
    world.config |= {"sites": [], "people": []}
    browse = SHAREPOINT.browse
    assert browse
    (site,) = browse(world.config, "", world.outside)
    assert site.line == ("sites", "https://acme.sharepoint.com/sites/hr")
    (drive,) = browse(world.config, site.path, world.outside)
    assert items(fetch(world_of_site(world, site.line[1])))["a.txt"].folder == f"{site.name}/{drive.name}"


def world_of_site(world: SharePointWorld, address: str) -> SharePointWorld:
    world.config["sites"] = [address]
    return world
