from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import SourceMissing
from retrieval.types import PUBLIC, Account, Fetched, Item, Members, Rights
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.gitlab import GitLabWorld

GITLAB = CONNECTORS["gitlab"]
GUESTS, REPORTERS = frozenset({"project:7:10"}), frozenset({"project:7:20"})


def fetch(world: GitLabWorld, cursor: Mapping[str, Any] | None = None) -> list[Fetched]:
    return list(GITLAB.fetch(world.config, cursor, world.outside))


def items(events: list[Fetched]) -> dict[str, Item]:
    return {event.name: event for event in events if isinstance(event, Item)}


def filled(public: bool = False) -> GitLabWorld:
    world = GitLabWorld()
    world.put("Crash", "I see it, too.")
    world.allow("Crash", users=["ann", "ben"], public=public)
    world.files = {"docs/README.md": b"# Hello", "a.py": b"x"}
    world.wiki = {"home": "# Welcome\n\n| a | b |\n|---|---|\n| 1 | 2 |"}
    return world


def test_an_issue_is_one_document_with_its_notes_but_those_that_not_all_may_see() -> None:
    world = filled()
    world.notes = [{"body": "changed the title", "system": True}, {"body": "hush", "internal": True, "author": {"name": "Ann"}}]
    text = items(fetch(world))["#1001 Crash"].read().decode()
    assert "I see it, too." in text and "Ben, 2026-11-02" in text and "State: opened" in text
    assert "hush" not in text and "changed the title" not in text


def test_files_and_wiki_pages_are_documents() -> None:
    found = items(fetch(filled()))
    assert set(found) == {"#1001 Crash", "README.md", "home"}
    assert found["README.md"].read() == b"# Hello" and found["README.md"].folder == "acme/docs/docs"
    assert b"<table>" in found["home"].read() and found["home"].link == "https://gitlab.com/acme/docs/-/wikis/home"


def test_guests_see_issues_and_the_wiki_and_reporters_files_and_what_is_confidential() -> None:
    world = filled()
    world.levels["ben"] = 30
    found = items(events := fetch(world))
    assert found["#1001 Crash"].rights == found["home"].rights == Rights(groups=GUESTS)
    assert found["README.md"].rights == Rights(groups=REPORTERS)
    assert {event.group: event.users for event in events if isinstance(event, Members)} == {
        "everybody": {"1", "2", "3"},
        "project:7:10": {"1", "2"},
        "project:7:20": {"2"},
    }
    world.of_issue = {"confidential": True, "assignees": [{"id": 1}]}
    assert items(fetch(world))["#1001 Crash"].rights == Rights(frozenset({"3", "1"}), REPORTERS)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, PUBLIC),
        ({"repository_access_level": "private"}, Rights(groups=REPORTERS)),
        ({"visibility": "internal"}, Rights(groups=frozenset({"everybody"}) | REPORTERS)),
        ({"visibility": "private"}, Rights(groups=REPORTERS)),
    ],
)
def test_a_public_project_is_open_as_far_as_its_features_are(more: dict[str, Any], wanted: Rights) -> None:
    world = filled(public=True)
    world.more = more
    assert items(fetch(world))["README.md"].rights == wanted


def test_what_is_turned_off_is_not_asked_for() -> None:
    world = filled()
    world.more = {"wiki_access_level": "disabled", "repository_access_level": "disabled"}
    assert set(items(fetch(world))) == {"#1001 Crash"}
    assert not [asked for asked in world.outside.asked if "wikis" in asked.path or "tree" in asked.path]


def test_without_an_administrators_token_members_are_known_by_name_only() -> None:
    world = filled()
    world.administrator = False
    accounts = [event for event in fetch(world) if isinstance(event, Account)]
    assert accounts == [Account("1", "Ann"), Account("2", "Ben")]
    assert len([asked for asked in world.outside.asked if asked.path.endswith("/users")]) == 1, "gitlab.com has millions"
    assert [one for one in GITLAB.probe(world.config, world.outside) if one.works is None and "by hand" in one.words]


def test_a_project_whose_members_cannot_be_read_opens_to_nobody() -> None:
    world = filled()
    world.hidden = True
    told = [event.users for event in fetch(world) if isinstance(event, Members) and event.group != "everybody"]
    assert told == [None, None]
    assert [one for one in GITLAB.probe(world.config, world.outside) if one.works is False and "hidden" in one.words]


def test_a_project_by_its_path_and_one_that_is_gone() -> None:
    world = filled()
    world.config |= {"groups": [], "projects": ["/acme/docs/"]}
    assert "#1001 Crash" in items(fetch(world))
    world.config["projects"] = ["acme/gone"]
    with pytest.raises(SourceMissing):
        fetch(world)


def test_projects_are_there_to_choose_from_where_none_was_named() -> None:
    world = filled()
    world.config |= {"groups": [], "projects": []}
    browse = GITLAB.browse
    assert browse
    assert [one.line for one in browse(world.config, "", world.outside)] == [("projects", "acme/docs")]


def test_an_oauth_applications_refresh_token_is_used_and_kept() -> None:
    world = filled()
    world.config |= {"access": "refresh", "refresh": "r1", "client_id": "c", "client_secret": "s"}
    given = Said.json({"access_token": "t", "refresh_token": "r2"})
    world.outside.faults = [lambda asked: given if asked.path == "/oauth/token" and b"refresh_token=r1" in asked.body else None]
    assert items(fetch(world)) and world.outside.kept == {"refresh": "r2"}
