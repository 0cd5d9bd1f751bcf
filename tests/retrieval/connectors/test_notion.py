from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import SourceMissing
from retrieval.parsers.html import parse
from retrieval.types import Fetched, Item
from tests.retrieval.connectors.worlds.notion import NotionWorld, block

NOTION = CONNECTORS["notion"]


def fetch(world: NotionWorld, cursor: Mapping[str, Any] | None = None) -> list[Fetched]:
    return list(NOTION.fetch(world.config, cursor, world.outside))


def items(events: list[Fetched]) -> dict[str, Item]:
    return {event.name: event for event in events if isinstance(event, Item)}


def filled() -> NotionWorld:
    world = NotionWorld()
    world.put("Plan", "text")
    return world


def text_of(world: NotionWorld) -> str:
    return parse(items(fetch(world))["Plan"].read()).text


def test_blocks_of_all_kinds_become_text_in_their_order() -> None:
    world = filled()
    world.blocks[world.there("Plan").id] = [
        block("heading_1", "First"),
        block("paragraph", "a <b> & c"),
        block("bulleted_list_item", "outer", id="l1"),
        block("to_do", "done", checked=True),
        block("table", id="t1"),
        block("code", "x = 1"),
        block("bookmark", url="https://x.example"),
        block("image", caption=[{"plain_text": "A chart"}], external={"url": "https://x.example/i.png"}),
        block("child_page", id="p2", title="Inner page"),
        block("divider"),
    ]
    world.blocks["l1"] = [block("bulleted_list_item", "inner")]
    world.blocks["t1"] = [block("table_row", cells=[[{"plain_text": "k"}], [{"plain_text": "v"}]])]
    wanted = ["First", "a <b> & c", "outer", "inner", "[x] done", "k | v", "x = 1", "https://x.example", "A chart", "Inner page"]
    text = text_of(world)
    assert [text.index(one) for one in wanted] == sorted(text.index(one) for one in wanted)


def test_a_row_of_a_database_is_known_by_its_properties() -> None:
    world = filled()
    page = world.page(world.there("Plan"))
    more = {
        "Status": {"type": "status", "status": {"name": "Open"}},
        "Tags": {"type": "multi_select", "multi_select": [{"name": "a"}, {"name": "b"}]},
        "Due": {"type": "date", "date": {"start": "2026-11-01", "end": "2026-11-03"}},
        "Price": {"type": "number", "number": 7.5},
        "Paid": {"type": "checkbox", "checkbox": True},
        "Owner": {"type": "people", "people": [{"name": "Ann"}]},
        "Empty": {"type": "select", "select": None},
        "Rows": {"type": "relation", "relation": [{"id": "x"}]},
    }
    world.more[page["id"]] = {"properties": {**page["properties"], **more}}
    text = text_of(world)
    assert all(
        line in text for line in ("Status: Open", "Tags: a, b", "Due: 2026-11-01 to 2026-11-03", "Price: 7.5", "Paid: yes", "Owner: Ann")
    )
    assert "Empty" not in text and "Rows" not in text


def test_a_page_that_was_edited_just_now_is_read_again_with_the_next_pass() -> None:
    world = filled()
    before = items(fetch(world))["Plan"].revision
    assert before == items(fetch(world))["Plan"].revision == "2026-11-01T08:02:00.000Z"
    edited = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:00.000Z")
    world.more[world.there("Plan").id] = {"last_edited_time": edited}
    assert items(fetch(world))["Plan"].revision.startswith(f"{edited} read ")


def test_pages_lie_in_pages_and_what_is_in_the_bin_is_gone() -> None:
    world = filled()
    world.put("Inner", "text")
    world.put("Gone", "text")
    world.more[world.there("Inner").id] = {"parent": {"type": "page_id", "page_id": world.there("Plan").id}}
    world.more[world.there("Gone").id] = {"in_trash": True}
    found = items(fetch(world))
    assert set(found) == {"Plan", "Inner"} and found["Inner"].folder == "Plan"
    browse = NOTION.browse
    assert browse
    (top,) = browse(world.config, "", world.outside)
    assert (top.name, top.inner) == ("Plan", True)
    assert [branch.name for branch in browse(world.config, top.path, world.outside)] == ["Inner"]


def test_an_integration_that_sees_nothing_any_more_deletes_nothing_and_the_probe_says_what_to_do() -> None:
    world = NotionWorld()
    with pytest.raises(SourceMissing):
        fetch(world)
    assert [one for one in NOTION.probe(world.config, world.outside) if one.works is False and "Connect the integration" in one.words]
