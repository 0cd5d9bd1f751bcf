from __future__ import annotations

from typing import Any

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.connectors.contract import Setting, checked

SETTINGS = (
    Setting("url", "Address", kind="url"),
    Setting("token", "Token", kind="secret", when=("by", "token")),
    Setting("by", "Sign in by", kind="choice", choices=(("token", "a token"), ("nothing", "nothing")), required=False, default="token"),
    Setting("spaces", "Spaces", kind="list", required=False),
    Setting("depth", "Depth", kind="number", required=False, default=3, least=1, most=9),
    Setting("archived", "Archived, too", kind="switch", required=False, default=False),
    Setting("notes", "Notes", kind="long", required=False, check=lambda value: "Too rude." if "fool" in value else ""),
)
GIVEN = {"url": "https://wiki.example/", "token": " t "}


def test_values_come_as_their_kinds_with_defaults() -> None:
    found = checked(SETTINGS, GIVEN | {"spaces": " A \n\nB", "depth": "4"})
    assert not found.wrong
    assert found.values == {
        "url": "https://wiki.example", "token": "t", "by": "token", "spaces": ["A", "B"], "depth": 4, "archived": False, "notes": "",
    }  # fmt: skip


def test_what_is_not_asked_for_is_not_needed() -> None:
    assert not checked(SETTINGS, {"url": "https://wiki.example", "by": "nothing"}).wrong
    assert set(checked(SETTINGS, {"url": "https://wiki.example"}).wrong) == {"token"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("url", bad)
            for bad in ("wiki.example", "file:///etc", "https://a:b@c", "https://a b", "javascript:1", 7, ["https://a"], "https://a\nb")
        ),
        *(("depth", bad) for bad in ("0", 10, "many", True, 1.5, [1])),
        *(("by", bad) for bad in ("force", 1, ["token"])),
        *(("spaces", bad) for bad in ({"a": 1}, [1], 5, ["a\0"])),
        *(("archived", bad) for bad in ("yes", 1)),
        *(("token", bad) for bad in (5, "\0")),
        ("notes", "you fool"),
        ("roots", ["/"]),
        ("anything", "else"),
    ],
)
def test_wrong_input_is_answered_in_words(name: str, value: Any) -> None:
    wrong = checked(SETTINGS, GIVEN | {name: value}).wrong
    assert set(wrong) == {name} and wrong[name].endswith(".")


@pytest.mark.parametrize("kind", CONNECTORS)
def test_the_settings_of_a_connector_make_sense(kind: str) -> None:
    settings = CONNECTORS[kind].settings
    names = [setting.name for setting in settings]
    assert len(set(names)) == len(names)
    for setting in settings:
        assert setting.when is None or setting.when[0] in names
        if setting.default != "" or not setting.required:
            assert setting.name not in checked(settings, {}).wrong
