"""Questions in SQL to sheets: what they answer, and what they must never reach."""

from __future__ import annotations

import time
from typing import Any

import pytest

from retrieval.errors import TooLarge, TooSlow, UnknownType, Unreadable
from retrieval.reading import query
from tests.retrieval import files

SALES = b"Region,Units sold,Price\nNorth,10,2.50\nSouth,30,3.00\nNorth,5,2.00\n"


def ask(sql: str, data: bytes = SALES, **limits: Any) -> dict[str, Any]:
    return query("sales.csv", data, sql, **limits)


def test_a_sheet_says_which_tables_it_holds() -> None:
    table = query("sales.csv", SALES)["tables"][0]
    assert (table["name"], table["rows"]) == ("sales", 3)
    assert [(column["name"], column["type"]) for column in table["columns"]] == [
        ("region", "VARCHAR"), ("units_sold", "BIGINT"), ("price", "DOUBLE"),
    ]  # fmt: skip
    assert table["columns"][0]["samples"] == ["North", "South"]


def test_numbers_are_added_up_and_not_joined_as_words() -> None:
    found = ask("SELECT region, sum(units_sold) AS units FROM sales GROUP BY region ORDER BY region")
    assert found == {"columns": ["region", "units"], "rows": [["North", 15], ["South", 30]], "more": False}


def test_every_visible_sheet_of_a_workbook_is_a_table() -> None:
    book = files.xlsx({"Staff": [["Name", "Days"], ["Ann", 30], ["Ben", 28]], "Sites": [["City", "Rent"], ["Bonn", 900]]})
    assert [table["name"] for table in query("book.xlsx", book)["tables"]] == ["staff", "sites"]
    assert query("book.xlsx", book, "SELECT max(days) FROM staff")["rows"] == [[30]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "COPY sales TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.db'",
        "SET enable_external_access=true",
        "SELECT 1; DROP TABLE sales",
        "not SQL at all",
    ],
)
def test_what_is_no_question_to_the_sheet_is_an_error_in_words(sql: str) -> None:
    assert set(ask(sql)) == {"error"}


def test_an_endless_question_ends_in_time() -> None:
    begun = time.monotonic()
    with pytest.raises(TooSlow):
        ask("SELECT count(*) FROM range(100000000000) a, range(100000) b WHERE a.range % 7 = b.range % 11", seconds=1)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("sql", ["SELECT repeat('x', 2000000000)", "SELECT list(range) FROM range(100000000)"])
def test_a_giant_answer_is_refused(sql: str) -> None:
    try:
        found = ask(sql)
    except (TooLarge, Unreadable, TooSlow):
        return
    assert set(found) == {"error"}


def test_a_long_answer_is_cut_and_says_so() -> None:
    found = ask("SELECT range, repeat('y', 5000) FROM range(1000)")
    assert (len(found["rows"]), found["more"], len(found["rows"][0][1])) == (200, True, 500)


def test_what_is_no_table_is_said() -> None:
    with pytest.raises(UnknownType):
        query("a.txt", b"Thirty days.", "SELECT 1")
    with pytest.raises(Unreadable):
        query("a.csv", b"1,2\n3,4\n", "SELECT 1")
