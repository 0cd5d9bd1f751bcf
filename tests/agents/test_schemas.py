"""Of a stranger's schema what a grammar can hold a model to is kept, and nothing that could run away with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.schemas import DEPTH, WORDS, WRITTEN, bound, faults, narrowed, told

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["object", "array", "string"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "properties", "items", "enum", "required", "$ref", "a"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("schema", [{}, [], None, {"properties": []}, {"properties": {"a b": {"type": "string"}, "c": {"$ref": "#"}}}])
def test_what_is_no_schema_has_no_properties(schema: Any) -> None:
    assert narrowed(schema)["properties"] == {}


def test_kinds_known_values_lists_and_objects_are_kept_and_patterns_are_not() -> None:
    kept = narrowed({
        "properties": {
            "n": {"type": "integer", "pattern": "(a+)+", "default": 3}, "unit": {"type": "string", "enum": ["m", "km"]},
            "names": {"type": "array", "items": {"type": "string"}}, "to": {"type": "object", "properties": {"street": {"type": "string"}}},
            "odd": {"type": "object"},
        },
        "required": ["n", "n", "odd", 7],
    })  # fmt: skip
    assert kept["properties"]["n"] == {"type": "integer", "default": 3}
    assert kept["properties"]["unit"]["enum"] == ["m", "km"]
    assert kept["properties"]["names"]["items"]["type"] == "string"
    assert kept["properties"]["to"]["properties"].keys() == {"street"}
    assert kept.keys() == {"type", "properties", "required", "additionalProperties"}
    assert (kept["required"], "odd" in kept["properties"]) == (["n"], False)


@given(JSON)
def test_whatever_is_narrowed_is_plain_and_shallow(schema: Any) -> None:
    kept = narrowed(schema)
    assert "$ref" not in json.dumps(kept)
    assert depth(kept) <= DEPTH + 1
    assert narrowed(kept) == kept, "what was narrowed once stays"
    assert isinstance(told(kept), list)


def depth(schema: Any) -> int:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return 1 + max(map(depth, inner), default=0)


@pytest.mark.parametrize(("value", "said"), [
    ({"n": 1}, []), ({}, ["n is missing"]), ({"n": "1"}, ["n must be an integer"]), ({"n": True}, ["n must be an integer"]),
    ({"n": 1, "x": 2}, ["x is not known"]), ({"n": 1, "unit": "mile"}, ["unit must be one of m, km"]),
    ({"n": 1, "all": "a"}, ["all must be a list"]), ({"n": 1, "all": [1, 2]}, ["all must be a string"]),
    ([], ["the whole must be an object"]),
])  # fmt: skip
def test_what_is_wrong_is_said_in_words(value: Any, said: list[str]) -> None:
    unit, texts = {"type": "string", "enum": ["m", "km"]}, {"type": "array", "items": {"type": "string"}}
    properties = {"n": {"type": "integer"}, "unit": unit, "all": texts}
    assert faults(value, narrowed({"properties": properties, "required": ["n"]})) == said


def test_a_model_writes_shorter_texts_than_a_person_may() -> None:
    texts = {"type": "array", "items": {"type": "string"}}
    given = narrowed({"properties": {"a": {"type": "string"}, "b": texts, "c": {"type": "integer"}}})["properties"]
    said = bound({"properties": given})["properties"]
    assert given["a"]["maxLength"] == given["b"]["items"]["maxLength"] == WORDS
    assert said["a"]["maxLength"] == said["b"]["items"]["maxLength"] == WRITTEN
    assert said["c"] == given["c"]
