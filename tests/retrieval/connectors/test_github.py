from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import RateLimited, SourceMissing
from retrieval.types import PUBLIC, Account, Fetched, Item, Members
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.github import GitHubWorld

GITHUB = CONNECTORS["github"]


def fetch(world: GitHubWorld, cursor: Mapping[str, Any] | None = None) -> list[Fetched]:
    return list(GITHUB.fetch(world.config, cursor, world.outside))


def items(events: list[Fetched]) -> dict[str, Item]:
    return {event.name: event for event in events if isinstance(event, Item)}


def filled() -> GitHubWorld:
    world = GitHubWorld()
    world.put("Crash", "I see it, too.")
    return world


def test_an_issue_is_one_document_with_its_comments_and_a_pull_request_with_those_on_its_lines() -> None:
    world = filled()
    world.put("Mend it", "Looks good.")
    world.pulls.add(world.there("Mend it").id)
    found = {item.folder: item for item in items(fetch(world)).values()}
    issue, pull = found["acme/docs/issues"], found["acme/docs/pull requests"]
    text = issue.read().decode()
    assert issue.name == "#1001 Crash" and "State: open" in text and "<strong>see</strong>" in text and "ben, 2026-11-02" in text
    assert b"on a line" in pull.read() and b"ben, 2026-11-02, a.py" in pull.read()


@pytest.mark.parametrize("truncated", [False, True])
def test_text_files_are_read_also_where_the_tree_is_too_large_to_be_told_at_once(truncated: bool) -> None:
    world = filled()
    world.files = {"README.md": b"# Hello", "docs/guide/Setup.MD": b"one", "src/a.py": b"x"}
    world.truncated = truncated
    found = items(fetch(world))
    assert set(found) == {"#1001 Crash", "README.md", "Setup.MD"}
    assert found["README.md"].read() == b"# Hello" and found["README.md"].folder == "acme/docs"
    assert found["Setup.MD"].folder == "acme/docs/docs/guide" and found["Setup.MD"].revision == "docs/guide/Setup.MD"


def test_a_private_repository_is_for_its_collaborators_whose_addresses_the_organisation_vouches_for() -> None:
    world = filled()
    world.allow("Crash", users=["ann"])
    events = fetch(world)
    assert [event for event in events if isinstance(event, Account)] == [Account("1", "ann", "ann@acme.example")]
    assert [event.users for event in events if isinstance(event, Members)] == [{"1"}]
    assert items(events)["#1001 Crash"].rights != PUBLIC


def test_a_private_repository_whose_collaborators_cannot_be_read_opens_to_nobody_and_the_probe_says_so() -> None:
    world = filled()
    world.allow("Crash", users=["ann"])
    world.hidden = True
    assert [event.users for event in fetch(world) if isinstance(event, Members)] == [None]
    assert [one for one in GITHUB.probe(world.config, world.outside) if one.works is False and "push access" in one.words]


@pytest.mark.parametrize(
    ("headers", "body", "least"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "{soon}"}, b"{}", 80),
        ({}, b'{"message": "You have exceeded a secondary rate limit"}', 60),
    ],
)
def test_a_refusal_that_means_too_often_is_one(headers: dict[str, str], body: bytes, least: float) -> None:
    world = filled()
    said = {name: value.replace("{soon}", str(int(time.time()) + 90)) for name, value in headers.items()}
    world.outside.faults = [lambda asked: Said(403, body, type(asked.headers)(said)) if asked.path.endswith("/issues") else None]
    with pytest.raises(RateLimited) as raised:
        fetch(world)
    assert least <= raised.value.retry_after <= 90


def test_a_person_has_repositories_as_an_organisation_has() -> None:
    world = filled()
    repositories = [world.repository() | {"owner": {"login": "Acme"}}, world.repository() | {"owner": {"login": "other"}, "id": 8}]
    world.outside.faults = [
        lambda asked: Said(404) if asked.path.startswith("/orgs/") else Said.json(repositories) if asked.path == "/user/repos" else None
    ]
    assert set(items(fetch(world))) == {"#1001 Crash"}
    world.config["repositories"] = ["gone"]
    with pytest.raises(SourceMissing, match="repository gone"):
        fetch(world)
