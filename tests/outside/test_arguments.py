from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.schemas import narrowed
from north.outside.arguments import Unfitting, checked, of_form

SCHEMA = {
    "properties": {"words": {"type": "string"}, "most": {"type": "integer"}, "share": {"type": "number"}, "open": {"type": "boolean"}},
    "required": ["words"],
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no", "no JSON"), ("[1]", "one JSON object"), ("{}", "words is needed"), ('{"words": ""}', "words is needed"),
        ('{"words": 3}', "words must be of the kind string"), ('{"words": "a", "most": true}', "most must be of the kind integer"),
        ('{"words": "a", "most": "many"}', "kind integer"), ('{"words": "a", "x": 1}', "takes no x"), ("[" * 100_000, "no JSON"),
        (json.dumps({"words": "a" * 2001}), "at most 2000 characters"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(text: str, said: str) -> None:
    with pytest.raises(Unfitting, match=said):
        checked(SCHEMA, text)


def test_a_form_becomes_arguments_of_the_right_kinds() -> None:
    given = {"words": " a b ", "most": "3", "share": "0.5", "open": "False"}
    assert checked(SCHEMA, of_form(SCHEMA, given)) == {"words": "a b", "most": 3, "share": 0.5, "open": False}
    with pytest.raises(Unfitting, match="most must be"):
        checked(SCHEMA, of_form(SCHEMA, {**given, "most": "three"}))


@given(st.dictionaries(st.sampled_from(["words", "most", "share", "open", "x"]), st.text(max_size=8)))
def test_no_form_sends_what_the_schema_does_not_know(given: dict[str, str]) -> None:
    assert set(json.loads(of_form(SCHEMA, given))) <= set(narrowed(SCHEMA)["properties"])


def test_lists_and_objects_are_written_as_json_and_checked_whole() -> None:
    schema = {"properties": {"to": {"type": "array", "items": {"type": "string"}}, "how": {"type": "string", "enum": ["now", "later"]}}}
    assert checked(schema, of_form(schema, {"to": '["a@b.c"]', "how": "now"})) == {"to": ["a@b.c"], "how": "now"}
    for wrong in ({"to": "a@b.c"}, {"to": "[3]"}, {"to": "[" * 5000}, {"how": "never"}):
        with pytest.raises(Unfitting, match=next(iter(wrong))):
            checked(schema, of_form(schema, wrong))
