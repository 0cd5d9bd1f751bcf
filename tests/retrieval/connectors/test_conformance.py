"""Every connector that there is, through every case that its source can have."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors.conformance import CASES, World

EXAMPLE = "shelf"
BY_CONSENT = [f"{kind}_by_consent" for kind in ("confluence", "google_drive", "jira")]
"""The same connectors with a person's tokens, which expire all the time."""
KINDS = [EXAMPLE, *CONNECTORS, *BY_CONSENT]


def world_of(kind: str, folder: Path) -> World:
    return importlib.import_module(f"tests.retrieval.connectors.worlds.{kind}").world(folder)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_contract(kind: str, case: str, tmp_path: Path) -> None:
    world = world_of(kind, tmp_path)
    if reason := world.impossible.get(case):
        pytest.skip(reason)
    CASES[case](world)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_source_cannot_do_has_a_reason_in_words(kind: str, tmp_path: Path) -> None:
    impossible = world_of(kind, tmp_path).impossible
    assert set(impossible) <= set(CASES)
    assert all(reason.endswith(".") and len(reason) > 20 for reason in impossible.values())


def test_the_example_can_do_everything(tmp_path: Path) -> None:
    assert not world_of(EXAMPLE, tmp_path).impossible
