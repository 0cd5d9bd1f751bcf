from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.connectors import CONNECTORS
from retrieval.connectors.contract import checked
from retrieval.connectors.jira import packed, unpacked
from retrieval.types import Cursor, Deleted, Fetched, Item, Members
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.jira import JiraWorld

JIRA = CONNECTORS["jira"]


def fetch(world: JiraWorld, cursor: Mapping[str, Any] | None = None) -> list[Fetched]:
    return list(JIRA.fetch(world.config, cursor, world.outside))


def members(events: list[Fetched], group: str) -> Members:
    return next(event for event in events if isinstance(event, Members) and event.group == group)


@given(st.sets(st.integers(min_value=1, max_value=10**9)))
def test_the_numbers_of_issues_come_back_as_they_went(ids: set[int]) -> None:
    assert unpacked(packed(ids)) == ids


def test_a_hundred_thousand_issues_are_remembered_in_few_bytes() -> None:
    assert len(packed(range(10_000, 210_000, 2))) < 1_000
    assert len(packed(random.Random(7).sample(range(1_000_000), 100_000))) < 150_000


def test_an_issue_is_one_document_with_its_comments_but_those_that_only_some_may_see() -> None:
    world = JiraWorld()
    world.put("Printer", "It does not print.")
    thing = world.there("Printer")
    said = {"author": {"displayName": "Ben"}, "created": "2026-11-02T10:00:00.000+0000"}
    inner = {"type": "role", "value": "Administrators"}
    world.comments[thing.id] = [said | {"renderedBody": f"<p>comment {number}</p>"} for number in range(3)]
    world.comments[thing.id].append(said | {"renderedBody": "<p>hush</p>", "visibility": inner})
    (item,) = [event for event in fetch(world) if isinstance(event, Item)]
    text = item.read().decode()
    assert item.name == f"HELP-{thing.id} Printer" and item.link == f"https://acme.atlassian.net/browse/HELP-{thing.id}"
    assert all(words in text for words in ("It does not print.", "Status: Open", "comment 0", "comment 2", "Ben, 2026-11-02"))
    assert "hush" not in text


def test_what_comes_to_be_seen_long_after_its_last_change_is_fetched() -> None:
    world = JiraWorld()
    world.put("old", "text")
    world.put("other", "text")
    (cursor,) = [event for event in fetch(world) if isinstance(event, Cursor) and event.complete]
    old = world.there("old").id
    world.updated = dict.fromkeys(world.updated, world.updated[old].replace(year=2020))
    hidden = world.things.pop(old)
    events = fetch(world, cursor.value)
    assert [event for event in events if isinstance(event, Item | Deleted)] == [Deleted(old)]
    world.things[old] = hidden
    last = events[-1]
    assert isinstance(last, Cursor)
    assert [event.external_id for event in fetch(world, last.value) if isinstance(event, Item)] == [old]


@pytest.mark.parametrize(
    ("holder", "users", "groups"),
    [
        ({"type": "user", "parameter": "ann", "value": "ann"}, {"ann"}, set()),
        ({"type": "projectLead"}, {"lea"}, set()),
        ({"type": "group", "parameter": "Staff", "value": "g1"}, set(), {"g1"}),
        ({"type": "projectRole", "parameter": "5", "value": "5"}, set(), {"role:10000:5"}),
        ({"type": "applicationRole", "parameter": "jira-software", "value": "jira-software"}, set(), {"application:jira-software"}),
        ({"type": "applicationRole"}, set(), {"everybody"}),
        ({"type": "anyone"}, set(), {"everybody"}),
        ({"type": "reporter"}, set(), set()),
        ({"type": "sd.customer.portal.only"}, set(), set()),
    ],
)
def test_who_may_browse_a_project(holder: dict[str, Any], users: set[str], groups: set[str]) -> None:
    world = JiraWorld()
    world.holders = [holder]
    found = members(fetch(world), "project:10000")
    assert (found.users, found.groups) == (users, groups)


def test_a_project_whose_rights_cannot_be_read_opens_to_nobody() -> None:
    world = JiraWorld()
    world.outside.faults = [lambda asked: Said(403) if asked.path.endswith("permissionscheme") else None]
    found = members(fetch(world), "project:10000")
    assert found.users is None and found.groups is None
    assert [one.words for one in JIRA.probe(world.config, world.outside) if one.works is False and "hidden" in one.words]


def test_a_key_of_a_project_is_no_query() -> None:
    given = {"url": "https://a.example", "email": "a@b", "token": "t", "projects": 'HELP\n") OR project = "X'}
    assert "Write keys" in checked(JIRA.settings, given).wrong["projects"]
