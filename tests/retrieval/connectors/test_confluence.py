from __future__ import annotations

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import SourceMissing
from retrieval.types import Item, Rights
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.confluence import ConfluenceWorld

SPACE = frozenset({"space:7"})


def items(world: ConfluenceWorld) -> dict[str, Item]:
    events = CONNECTORS["confluence"].fetch(world.config, None, world.outside)
    return {event.name: event for event in events if isinstance(event, Item)}


def inner(world: ConfluenceWorld, kind: str) -> None:
    """The page "inner" lies in the page or folder "outer"."""
    world.put("outer", "1")
    world.put("inner", "2")
    world.parents[world.there("inner").id] = kind, world.there("outer").id if kind == "page" else "f1"


def test_who_may_not_see_the_page_around_it_does_not_see_the_inner_one() -> None:
    world = ConfluenceWorld()
    inner(world, "page")
    world.allow("outer", users=["ann"])
    world.allow("inner", groups=["staff"])
    found = items(world)["inner"]
    assert found.rights == Rights(groups=SPACE, within=(Rights(groups=frozenset({"staff"})), Rights(users=frozenset({"ann"}))))
    assert found.folder == "People/outer" and found.link == "https://acme.atlassian.net/wiki/spaces/HR/pages/1003"


def test_a_folder_whose_restrictions_cannot_be_read_hides_what_is_in_it() -> None:
    world = ConfluenceWorld()
    inner(world, "folder")
    world.folders["f1"] = {"id": "f1", "title": "Drafts", "parentId": None}
    found = items(world)
    assert found["inner"].rights is None and found["inner"].folder == "People/Drafts"
    assert found["outer"].rights == Rights(groups=SPACE)


def test_the_restrictions_of_many_pages_are_asked_for_at_once() -> None:
    world = ConfluenceWorld()
    for name in "abcdefgh":
        world.put(name, name)
    items(world)
    assert not [asked for asked in world.outside.asked if "byOperation" in asked.path]


def test_a_space_that_is_not_to_be_seen_any_more_ends_the_pass() -> None:
    world = ConfluenceWorld()
    world.config["spaces"] = ["HR", "FIN"]
    with pytest.raises(SourceMissing, match="space FIN"):
        items(world)


def test_the_probe_says_which_right_is_missing() -> None:
    world = ConfluenceWorld()
    world.put("a", "b")
    world.config["spaces"] = ["HR", "FIN"]
    world.outside.faults = [lambda asked: Said(403) if asked.path.endswith(("/group", "/permissions")) else None]
    probe = CONNECTORS["confluence"].probe
    wrong = [found.words for found in probe(world.config, world.outside) if found.works is False]
    assert len(wrong) == 3 and "FIN" in wrong[0] and "would be hidden" in wrong[1] and "Nobody would be known" in wrong[2]


def test_its_tree_has_spaces_and_their_pages() -> None:
    world = ConfluenceWorld()
    world.put("a", "b")
    browse = CONNECTORS["confluence"].browse
    assert browse
    (space,) = browse(world.config, "", world.outside)
    assert (space.path, space.name) == ("7", "People (HR)")
    assert [branch.name for branch in browse(world.config, space.path, world.outside)] == ["a"]
