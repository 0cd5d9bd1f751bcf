"""The same amount is the same however it is written, another one is another, and values keep their owners."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.contradiction import dates, without_dates
from agents.matching import digits_of, holds, scaled
from agents.quantities import other_unit, quantities, same_by_conversion, swapped


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,200", "1.2 thousand"), ("1.200", "1,2 Tsd."), ("3 million", "3,000,000"), ("3 Mio. Euro", "3.000.000 Euro"),
        ("1,5 milliard", "1 500 000 000"), ("4万", "40,000"), ("2億円", "200,000,000"),
        ("2.5bn", "2,500,000,000"), ("1,200 million", "1.2 billion"),
    ],
)  # fmt: skip
def test_scales_are_written_out(one: str, other: str) -> None:
    (number,) = digits_of(one)
    assert holds(digits_of(other), number)


@given(st.integers(1, 999), st.sampled_from(["thousand", "Millionen", "milliards", "万", "億"]))
def test_writing_out_twice_is_once_and_leaves_no_scale(number: int, scale: str) -> None:
    assert scaled(scaled(f"{number} {scale}")) == scaled(f"{number} {scale}") and scale not in scaled(f"{number} {scale}")


@pytest.mark.parametrize(
    ("claim", "source"),
    [("24 months", "2 years"), ("two weeks", "14 days"), ("90 Minuten", "1,5 Stunden"), ("1.5 km", "1,500 m"), ("500 g", "0.5 kg")],
)
def test_other_units_are_converted(claim: str, source: str) -> None:
    ours, theirs = quantities(claim), quantities(source)
    assert ours[0].equals(theirs[0]) and same_by_conversion(ours[0].number, ours, theirs) and not other_unit(ours, theirs)


def test_the_same_number_in_another_unit_is_another_amount() -> None:
    assert other_unit(quantities("Leave is 28 days."), quantities("Leave is 28 weeks.")) == "28 days / 28 weeks"
    assert other_unit(quantities("It costs €5."), quantities("It costs 5 dollars.")) == "€5 / 5 dollars"
    assert not other_unit(quantities("It costs €5."), quantities("Es kostet 5 Euro.")) and not other_unit(
        quantities("5 %"), quantities("5 percent")
    )
    assert not quantities("on 3 March 2026") and not quantities("In the year 2026")


@pytest.mark.parametrize(
    ("claim", "source", "found"),
    [
        ("Berlin grew by 5 percent, Paris by 7 percent.", "Berlin grew by 7 percent, Paris by 5 percent.", True),
        ("Berlin grew by 5 percent and Paris by 7.", "While Paris grew by 7 percent, Berlin grew by 5 percent.", False),
        ("Umsatz in Lyon 12 Mio., in Osaka 8 Mio.", "In Osaka 12 Mio., Umsatz in Lyon 8 Mio.", True),
        ("Berlin grew by 5 percent.", "Berlin grew by 5 percent, Paris by 7.", False),
    ],
)  # fmt: skip
def test_values_keep_their_owners(claim: str, source: str, found: bool) -> None:
    assert bool(swapped(claim, source)) == found


@given(st.lists(st.sampled_from(["Berlin 5", "Paris 7", "Lyon 9", "Osaka 11"]), unique=True, min_size=1))
def test_no_order_of_the_same_statements_is_swapped(parts: list[str]) -> None:
    assert not swapped(", ".join(parts), ", ".join(parts[::-1]))


@pytest.mark.parametrize("text", ["2026年3月3日", "3 March 2026", "3. März 2026", "le 3 mars 2026", "2026-03-03", "03.03.2026"])
def test_a_date_is_read_and_is_no_number(text: str) -> None:
    assert dates(text) == {(2026, 3, 3)} and not digits_of(without_dates(text))
