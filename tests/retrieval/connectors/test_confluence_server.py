from __future__ import annotations

from retrieval.connectors import CONNECTORS
from retrieval.types import Fetched, Item, Members, Rights
from tests.retrieval.connectors.worlds.confluence_server import ConfluenceServerWorld

CONFLUENCE = CONNECTORS["confluence_server"]
SPACE = frozenset({"space:HR"})


def fetch(world: ConfluenceServerWorld) -> list[Fetched]:
    return list(CONFLUENCE.fetch(world.config, None, world.outside))


def filled() -> ConfluenceServerWorld:
    world = ConfluenceServerWorld()
    world.put("outer", "1")
    world.put("inner", "2")
    world.ancestors["inner"] = ["outer"]
    world.allow("outer", users=["ann"])
    return world


def test_who_may_not_see_the_page_around_it_does_not_see_the_inner_one() -> None:
    found = {event.name: event for event in fetch(filled()) if isinstance(event, Item)}["inner"]
    assert found.rights == Rights(groups=SPACE, within=(Rights(users=frozenset({"ann"})),))
    assert found.folder == "People/outer" and found.link == "https://wiki.example.com/confluence/display/HR/1003"


def test_a_restriction_with_more_readers_than_are_told_hides_the_page_and_what_is_in_it() -> None:
    world = filled()
    world.there("outer").users = {f"user{number}" for number in range(100)}
    assert [event.rights for event in fetch(world) if isinstance(event, Item)] == [None, None]


def test_a_space_whose_viewers_cannot_be_read_is_hidden_and_the_probe_says_so() -> None:
    world = filled()
    world.hidden = True
    events = fetch(world)
    assert [event.rights for event in events if isinstance(event, Item)] == [None, None]
    assert [event.users for event in events if isinstance(event, Members) and event.group == "space:HR"] == [None]
    assert [one for one in CONFLUENCE.probe(world.config, world.outside) if one.works is False and "remote API" in one.words]
