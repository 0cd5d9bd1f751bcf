"""Whatever a service answers, a pass ends well or in words: each answer of a pass in turn is replaced by one that makes no sense."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.connectors.contract import checked
from retrieval.errors import SourceError
from retrieval.types import Item
from tests.retrieval.connectors.cloud import Cloud
from tests.retrieval.connectors.conformance import run
from tests.retrieval.connectors.mirror import Mirror
from tests.retrieval.connectors.outside import Asked, Said
from tests.retrieval.connectors.test_conformance import world_of


def is_cloud(kind: str) -> bool:
    named = vars(import_module(f"tests.retrieval.connectors.worlds.{kind}")).values()
    return any(isinstance(one, type) and issubclass(one, Cloud) for one in named)


CLOUDS = [kind for kind in CONNECTORS if is_cloud(kind)]
GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[null]",
    b'{"results": null, "value": [7], "issues": "x", "files": {}, "ok": true}',
    b"\xff\xfe<html>",
]


def ended(world: Any, at: int, answer: Said) -> Mirror:
    """A first pass whose request number `at` gets this answer."""
    count = iter(range(10_000))

    def instead(asked: Asked) -> Said | None:
        return answer if next(count) == at else None

    world.outside.faults = [instead]
    return run(world, Mirror())


@pytest.mark.parametrize("kind", CLOUDS)
def test_an_answer_that_makes_no_sense_ends_a_pass_in_words_or_not_at_all(kind: str, tmp_path: Path) -> None:
    world: Any = world_of(kind, tmp_path)
    world.put("a.txt", "text")
    world.put("b.txt", "text")
    world.put("c.txt", "text")
    world.allow("a.txt", users=["ann"])
    run(world, Mirror())
    asked = len(world.outside.asked)
    for at in range(asked):
        for body in GARBAGE:
            error = ended(world, at, Said(200, body)).error
            assert error is None or (isinstance(error, SourceError) and str(error).endswith("."))


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500])
def test_a_refusal_at_any_place_does_so_too(kind: str, status: int, tmp_path: Path) -> None:
    world: Any = world_of(kind, tmp_path)
    world.put("a.txt", "text")
    world.put("b.txt", "text")
    world.put("c.txt", "text")
    run(world, Mirror())
    for at in range(len(world.outside.asked)):
        error = ended(world, at, Said(status, b"<p>secret inner answer</p>")).error
        assert error is None or "secret" not in str(error)


@pytest.mark.parametrize("kind", CLOUDS)
def test_so_does_a_probe(kind: str, tmp_path: Path) -> None:
    world: Any = world_of(kind, tmp_path)
    world.put("a.txt", "text")
    values = {**checked(world.connector.settings, world.config).values, **world.config}
    assert [one for one in world.connector.probe(values, world.outside) if one.works]
    for at in range(len(world.outside.asked)):
        for body in GARBAGE:
            count = iter(range(10_000))
            world.outside.faults = [lambda asked, at=at, body=body, count=count: Said(200, body) if next(count) == at else None]
            with suppress(SourceError):
                assert all(one.words.endswith(".") for one in world.connector.probe(values, world.outside))


@pytest.mark.parametrize("kind", [kind for kind in CLOUDS if CONNECTORS[kind].again])
def test_single_things_come_once_more_and_those_that_are_gone_do_not(kind: str, tmp_path: Path) -> None:
    world: Any = world_of(kind, tmp_path)
    world.put("a.txt", "text")
    world.put("b.txt", "text")
    mirror = run(world, Mirror())
    world.delete("b.txt")
    before = dict(mirror.held)
    told = {event.external_id: event for event in world.connector.again(world.config, list(before), world.outside)}
    for id, held in before.items():
        if mirror.name_seen(held.name) == "a.txt":
            assert (told[id].name, told[id].rights, told[id].revision) == (held.name, held.rights, held.revision)
        else:
            assert not isinstance(told.get(id), Item)
