from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from north.outside.arguments import Unfitting, checked, of_form, plain_schema

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
    assert set(json.loads(of_form(SCHEMA, given))) <= set(plain_schema(SCHEMA)["properties"])
