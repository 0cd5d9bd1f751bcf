"""Dates said in words, made exact by the day that it is: a Thursday, at midnight."""

from __future__ import annotations

from datetime import datetime

import pytest

from agents import dates

NOW = datetime(2023, 11, 30)
NOON = datetime(2023, 11, 30, 12)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("on December 13", "2023-12-13", "2023-12-13"),
        ("on 2023-10-14", "2023-10-14", "2023-10-14"),
        ("on January 5", "2024-01-05", "2024-01-05"),
        ("on September 3rd, 2021", "2021-09-03", "2021-09-03"),
        ("tomorrow", "2023-12-01", "2023-12-01"),
        ("for Wednesday at 2:30", "2023-12-06", "2023-12-06"),
        ("on Friday", "2023-12-01", "2023-12-01"),
        ("due next Friday", "2023-12-08", "2023-12-08"),
        ("last Friday", "2023-11-24", "2023-11-24"),
        ("since Saturday", "2023-11-25", "2023-11-29"),
        ("since September 29", "2023-09-29", "2023-11-29"),
        ("between November 5 and November 21", "2023-11-05", "2023-11-21"),
        ("from friday to the previous friday, it was lower", "2023-11-17", "2023-11-24"),
        ("in the last 6 days", "2023-11-24", "2023-11-29"),
        ("in the next four days", "2023-11-30", "2023-12-04"),
        ("in the past two weeks", "2023-11-16", "2023-11-29"),
        ("sent last week", "2023-11-20", "2023-11-26"),
        ("if it has been longer than 2 days", "2023-11-28", "2023-11-29"),
        ("3 days ago", "2023-11-27", "2023-11-27"),
        ("more than 5% lower than September 28", "2023-09-28", "2023-11-29"),
    ],
)
def test_days_are_found_from_the_day_that_it_is(text: str, first: str, last: str) -> None:
    span = dates.span_of(text, NOW)
    assert span.first and span.last
    assert (f"{span.first.date()}", f"{span.last.date()}") == (first, last)


def test_a_day_that_has_begun_counts_in_what_was() -> None:
    assert dates.span_of("since Monday", NOON).last == datetime(2023, 11, 30, 23, 59, 59)


def test_the_next_one_is_not_before_now_and_the_last_one_not_after() -> None:
    assert dates.span_of("Cancel my next meeting with Lena", NOW) == dates.Span(NOW, None)
    assert dates.span_of("Delete the latest mail of Lena", NOW) == dates.Span(None, NOW)
    assert dates.span_of("Delete the mail of Lena", NOW) == dates.Span()


def test_hours_bound_a_day() -> None:
    assert dates.span_of("Cancel my meetings on Tuesday before 9", NOW).last == datetime(2023, 12, 5, 9)
    assert dates.span_of("Cancel my meetings tomorrow after 14:30", NOW).first == datetime(2023, 12, 1, 14, 30)


def test_what_is_quoted_speaks_of_no_date() -> None:
    assert dates.said_in("Send a mail saying 'See you tomorrow'", NOW) == []
    assert dates.said_in("Send Lena's mail, titled 'That isn't tomorrow'", NOW) == []


def test_the_model_is_told_the_date_behind_the_words() -> None:
    text = "Book a room for Wednesday at 2:30, due next Friday, called 'Until Monday'"
    told = "Book a room for Wednesday (2023-12-06) at 2:30 (14:30), due next Friday (2023-12-08), called 'Until Monday'"
    assert dates.told(text, NOW) == told
    assert dates.told("on 2023-10-14", NOW) == "on 2023-10-14"


def test_a_date_that_there_is_not_is_none() -> None:
    assert dates.said_in("on February 31", NOW) == []
    assert dates.said_in("on 2023-13-41", NOW) == []


def test_today_is_as_the_instructions_say() -> None:
    other = datetime(2020, 1, 1)
    assert dates.now_in("Today is Thursday, 2023-11-30, 00:00. Be kind.", other) == NOW
    assert dates.now_in("Today is 2023-11-30 12:00", other) == NOON
    assert dates.now_in("Today is 2023-99-30", other) == other
    assert dates.now_in("Be kind.", other) == other
