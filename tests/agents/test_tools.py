"""Tools, whatever they do: what they give, and how they fail."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.calling import MOST_CHARACTERS, call
from agents.card import Limits
from agents.context import Context
from agents.errors import ToolFailed
from agents.tool import Outcome
from agents.tools import TOOLS
from agents.tools.calculate import shown, value_of
from tests.agents.conftest import Make
from tests.agents.consenting import Papers, tool
from tests.scripted import in_turn


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("17.5 % of 2,340", "409.5"), ("0.1 + 0.2", "0.3"), ("3 × 140 + 20", "440"), ("2^10", "1024"), ("round(10/3, 2)", "3.33"),
        ("sum(1, 2, 3) / 2", "3"), ("-5 % 3", "-2"), ("1,000,000 - 1", "999999"), ("sqrt(2)**2 =", "2"), ("10 − 4", "6"),
    ],
)  # fmt: skip
def test_numbers_are_worked_out_exactly(expression: str, value: str) -> None:
    assert shown(value_of(expression)) == value


@pytest.mark.parametrize(
    "expression",
    [
        "1/0",
        "9**9**9", "__import__('os')", "(1).__class__", "'a' * 9", "[1] * 9", "x", "1 <", "1 < 2", "open('/etc/passwd')", "", "sqrt(-1)",
        "1 +" * 200, "((" * 90, "lambda: 1", "10 ** 1001", "f'{1}'", "decimal('1e999999999') ** 2", "round(5, 99999999999)",
    ],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused_in_words(expression: str) -> None:
    with pytest.raises(ToolFailed, match=r"worked out|division"):
        value_of(expression)


@given(st.text(max_size=40))
def test_any_text_is_worked_out_or_refused(text: str) -> None:
    try:
        shown(value_of(text))
    except ToolFailed as error:
        assert str(error)


def failing(error: Exception) -> Any:
    def run(arguments: Any, context: Context) -> Outcome:
        raise error

    return run


class OfTheHouse(Exception):
    permanent = False


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (failing(KeyError("secret-detail")), "broke (KeyError)"),
        (failing(ToolFailed("The shelf is empty.")), "The shelf is empty."),
        (lambda arguments, context: time.sleep(60), "took longer than 0.2 seconds"),
        (lambda arguments, context: Outcome("<!DOCTYPE html><html><body>Login</body></html>"), "a web page"),
        (lambda arguments, context: {"rows": 1}, "nothing that can be used"),
        (lambda arguments, context: None, "nothing that can be used"),
    ],
)
def test_a_tool_that_misbehaves_ends_in_words(make: Make, run: Any, said: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ToolFailed) as caught:
        call(tool("odd", run), {"input": "x"}, make(in_turn(), limits=Limits(tool_seconds=0.2)))
    assert said in str(caught.value)
    assert "secret-detail" not in str(caught.value)
    assert time.monotonic() - begun < 20


def test_ten_megabytes_are_cut_and_control_characters_go(make: Make) -> None:
    found = call(tool("long", lambda arguments, context: Outcome("a\x00\u202eb" * 2_500_000)), {"input": "x"}, make(in_turn()))
    assert len(found.text) < MOST_CHARACTERS + 100
    assert "10,000,000 characters" in found.text
    assert found.text.startswith("abab")


def test_errors_with_words_of_their_own_are_not_the_tools_failure(make: Make) -> None:
    with pytest.raises(OfTheHouse):
        call(tool("away", failing(OfTheHouse("The index is away."))), {"input": "x"}, make(in_turn()))


@pytest.mark.parametrize(
    "arguments", [{}, {"expression": 7}, {"expression": ""}, {"expression": "1", "more": 1}, {"expression": "1" * 301}]
)
def test_wrong_arguments_are_refused_before_anything_is_done(make: Make, arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolFailed):
        call(TOOLS["calculate"], arguments, make(in_turn()))


def test_a_table_that_cannot_be_asked_says_why(make: Make) -> None:
    context = make(in_turn(), shelf=Papers())
    with pytest.raises(ToolFailed, match="Column not found"):
        call(TOOLS["query_table"], {"document": "sales", "sql": "SELECT nothing"}, context)
    found = call(TOOLS["query_table"], {"document": "sales", "sql": "SELECT sum(units)"}, context)
    assert (found.text, found.sources[0].text) == ("total: 45", "Region, Units")
