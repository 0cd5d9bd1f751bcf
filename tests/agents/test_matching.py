from __future__ import annotations

import pytest

from agents.matching import Rarity, digits_of, holds, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,500 euros", "1.500 Euro"),
        ("1 500 euros", "1500"),
        ("4,80 Euro", "4.8"),
        ("0.5 percent", "0,5 %"),
        ("3万円", "30,000 yen"),
        ("３０日", "30 days"),
        ("six months", "6 Monate"),
        ("drei Tage", "three days"),
        ("0800 555 019", "0800 555 019"),
    ],
)
def test_the_same_number_is_recognised_however_it_is_written(one: str, other: str) -> None:
    there = words_of(other).numbers
    assert words_of(one).numbers
    assert all(holds(there, number) for number in words_of(one).numbers)


@pytest.mark.parametrize(("one", "other"), [("15", "150"), ("1.5", "15"), ("2,000", "2"), ("0.5", "5"), ("31", "13")])
def test_different_numbers_stay_different(one: str, other: str) -> None:
    assert not any(holds(digits_of(other), number) for number in digits_of(one))


def test_number_words_need_not_stand_in_a_source() -> None:
    assert digits_of("one of the two") == frozenset()


def test_plural_and_case_do_not_part_words() -> None:
    assert words_of("passages").words == words_of("passage").words
    assert words_of("Dokumente").words == words_of("dokument").words


def test_japanese_words_are_pairs_of_neighbours() -> None:
    assert words_of("通勤手当").words == {"通勤", "勤手", "手当"}


def test_a_rare_word_counts_more_than_a_frequent_one() -> None:
    texts = [words_of(text) for text in ("leave policy", "travel policy", "pension policy")]
    rarity = Rarity(texts)
    assert rarity.of("pension") > rarity.of("policy")
    asked = words_of("pension policy")
    assert rarity.overlap(asked, words_of("pension").words) > 0.5 > rarity.overlap(asked, words_of("policy").words)
    assert rarity.overlap(asked, asked.words) == 1.0
    assert rarity.overlap(words_of(""), asked.words) == 0.0
