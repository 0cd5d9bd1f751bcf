from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agents.errors import StateUnreadable
from agents.events import StepFinished
from agents.state import PlainSerializer, checked, passage_from_plain, passage_to_plain, step_to_plain
from tests.agents.conftest import handbook


def test_passages_and_steps_survive_a_checkpoint() -> None:
    serializer = PlainSerializer()
    passage = handbook()[0]
    assert passage_from_plain(serializer.loads_typed(serializer.dumps_typed(passage_to_plain(passage)))) == passage
    step = StepFinished("search:1", "search", {"query": "x", "found": []}, "", 3, 4)
    assert StepFinished(**serializer.loads_typed(serializer.dumps_typed(step_to_plain(step)))) == step


def test_what_a_gadget_names_is_never_called(tmp_path: Path) -> None:
    sentinel = tmp_path / "touched"
    call = ormsgpack.packb(("pathlib", "Path.touch", [str(sentinel)]))
    for code in range(8):
        with pytest.raises(ValueError, match="ext_hook failed"):
            PlainSerializer().loads_typed(("msgpack", ormsgpack.packb({"question": ormsgpack.Ext(code, call)})))
    constructor = {"lc": 2, "type": "constructor", "id": ["pathlib", "Path"], "kwargs": {}}
    with pytest.raises(ValueError, match="is not read"):
        PlainSerializer().loads_typed(("json", json.dumps(constructor).encode()))
    with pytest.raises(ValueError, match="is not read"):
        PlainSerializer().loads_typed(("pickle", b"cos\nsystem\n(S'true'\ntR."))
    assert not sentinel.exists()


def test_the_stock_serializer_would_have_made_an_object() -> None:
    """Why there is one of our own: this is what LangGraph's does with the same bytes."""
    forged = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("pathlib", "PurePosixPath", "/etc"))))
    assert JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", forged)) is not None
    with pytest.raises(ValueError, match="ext_hook failed"):
        PlainSerializer().loads_typed(("msgpack", forged))


@pytest.mark.parametrize(
    "values",
    [
        {"question": "other"},
        {"question": "q", "steps": "not a list"},
        {"question": "q", "unknown": 1},
        {"question": "q", "found": [{"x": object()}]},
        {"question": "q", "found": [{1: "a number for a name"}]},
        {"question": "q", "refused": "yes"},
    ],
)
def test_a_state_that_is_not_what_was_saved_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(StateUnreadable):
        checked(values, "q")


def test_what_a_secret_looks_like_stays_plain_data() -> None:
    secret = {"lc": 1, "type": "secret", "id": ["SECRET_KEY"]}
    serializer = PlainSerializer()
    assert serializer.loads_typed(serializer.dumps_typed(secret)) == secret
