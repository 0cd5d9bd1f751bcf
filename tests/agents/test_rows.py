"""What tools found, as rows: read, ordered, narrowed."""

from __future__ import annotations

import json
from datetime import date, datetime, time

import pytest

from agents import rows

NOW = datetime(2023, 11, 30)
MEETINGS = [
    {"event_id": "2", "name": "Review", "event_start": "2023-12-14 13:00:00"},
    {"event_id": "1", "name": "Plan", "event_start": "2023-12-02 09:00:00"},
]


def test_lists_objects_and_counts_become_rows_and_words_none() -> None:
    assert rows.rows_in(json.dumps(MEETINGS)) == MEETINGS
    assert rows.rows_in(json.dumps({"items": MEETINGS})) == MEETINGS
    assert rows.rows_in('["lena@acme.org"]') == [{"value": "lena@acme.org"}]
    assert rows.numbers(rows.rows_in('{"2023-11-01": 4, "2023-11-02": 7.5}')) == [4, 7.5]
    assert rows.rows_in("No events found.") == rows.rows_in("{}") == rows.rows_in("[]") == []


def test_the_first_the_last_or_all_are_meant_as_the_request_says() -> None:
    def ids(request: str) -> list[str]:
        return [row["event_id"] for row in rows.picked(MEETINGS, request, NOW)]

    assert ids("Cancel my next meeting") == ["1"]
    assert ids("Rename the last event on December 14") == ["2"]
    assert ids("Cancel all future meetings") == ["2", "1"]
    assert ids("Delete what came in the last 4 days") == ["2", "1"], "a date asks for no last one"
    assert ids("Rename the meetings to 'The last one'") == ["2", "1"], "nor does a title"


def test_rows_are_narrowed_by_tests_on_their_columns() -> None:
    tasks = [{"id": "1", "list": "Completed", "due": "2023-11-01"}, {"id": "2", "list": "In Progress", "due": "2023-12-24"},
             {"id": "3", "list": "Backlog", "due": "2023-11-02"}]  # fmt: skip

    def kept(field: str, test: str, *values: str) -> list[str]:
        return [row["id"] for row in rows.narrowed(tasks, [{"field": field, "test": test, "values": list(values)}])]

    assert kept("list", "is not", "completed") == ["2", "3"]
    assert kept("list", "is", "in-progress", "Backlog") == ["2", "3"]
    assert kept("due", "before", "2023-11-30") == ["1", "3"]
    assert kept("nothing", "is", "x") == ["1", "2", "3"]


def test_known_values_are_heard_in_the_text_without_regard_to_their_form() -> None:
    assert rows.values_said(["Back end", "Front end"], "a task on the front-end board") == ["Front end"]
    assert rows.values_said(["Lead", "Won"], "all of Nadia's leads") == ["Lead"]
    assert rows.values_said(["Lead", "Won"], "a mail titled 'We won'") == []


def test_moments_are_written_as_an_argument_takes_them() -> None:
    moment = datetime(2023, 12, 1, 9)
    assert rows.written(moment, 'Format: "YYYY-MM-DD"') == "2023-12-01"
    assert rows.written(moment, "Not before. YYYY-MM-DD HH:MM:SS") == "2023-12-01 09:00:00"


@pytest.mark.parametrize(
    ("test", "number", "values", "is_met"),
    [
        ("any above", 5, [1, 7], True), ("any above", 7, [1, 7], False), ("any below", 2, [1, 7], True),
        ("rose by more than", 10, [10, 3, 12], True), ("rose by more than", 20, [10, 12], False), ("fell by more than", 10, [10, 8], True),
        ("something found", 0, [], False), ("nothing found", 0, [], True),
    ],
)  # fmt: skip
def test_conditions_on_numbers(test: str, number: int, values: list[float], is_met: bool) -> None:
    assert rows.met(test, number, [{"name": str(place), "value": one} for place, one in enumerate(values)]) == is_met


def test_a_free_slot_is_between_what_is_there_already() -> None:
    busy = [{"event_start": "2023-12-01 10:00:00", "duration": "60"}, {"event_start": "2023-12-01 09:00:00", "duration": "30"}]
    hours, day = (time(9), time(18)), date(2023, 12, 1)
    assert rows.free_at(busy, day, 30, hours) == datetime(2023, 12, 1, 9, 30)
    assert rows.free_at(busy, day, 60, hours) == datetime(2023, 12, 1, 11)
    assert rows.free_at([], day, 60, hours) == datetime(2023, 12, 1, 9)
    assert rows.free_at([{"event_start": "2023-12-01 09:00:00", "duration": "540"}], day, 30, hours) is None


def test_rows_of_somebody_else_are_left_out_where_the_text_says_whose_it_means() -> None:
    mails = [{"id": "1", "sender": "nia.johnson@acme.org"}, {"id": "2", "sender": "bo@acme.org"}]
    assert rows.of_whom(mails, "Reply to nia's last email") == mails[:1]
    assert rows.of_whom(mails, "Delete the mails from bo") == mails[1:]
    assert rows.of_whom(mails, "Delete the mails from the last 6 days") == rows.of_whom(mails, "Delete Kim's mails") == mails


def test_a_known_value_may_be_said_the_other_way_round() -> None:
    known = ["user_engaged", "total_visits", "visits_direct"]
    assert rows.values_said(known, "Plot engaged users and total visits") == ["user_engaged", "total_visits"]
