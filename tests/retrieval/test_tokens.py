from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import tokens


def terms(text: str) -> list[str]:
    return list(tokens.terms(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cat", ["cat"]),
        ("contracts", ["contracts", "contr"]),
        ("AB-12345678_x", ["ab", "12345678", "x"]),
        ("Ｆｕｌｌ ﬁx", ["full", "fix"]),
        ("Müller", ["müller", "mulle"]),
        ("Straße", ["strasse", "stras"]),
        ("हिन्दी", ["हिन्दी", "हिन्द"]),
        ("東京都", ["東", "京", "都", "東京", "京都"]),
        ("駅", ["駅"]),
        ("データ", ["デー", "ータ"]),
        ("한국어", ["한국", "국어"]),
        ("ข้อมูล", ["ข้อ", "้อม", "อมู", "มูล"]),
        ("كِتَاب", ["كِتَاب", "كتاب"]),
        ("Ёлка", ["ёлка", "елка"]),
        ("AI戦略2025", ["ai", "戦", "略", "戦略", "2025"]),
        ("?! … 🎉 \x00 \ud800", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_words_of_one_stem_meet() -> None:
    assert set(terms("kündigen")) & set(terms("Kündigung"))
    assert set(terms("договор")) & set(terms("договора"))


def test_numbers_of_terms_never_change() -> None:
    assert tokens.query("cat") == ([2656977832], [1.0])


def test_a_question_counts_each_term_once() -> None:
    assert tokens.query("cat cat Cat")[1] == [1.0]


def test_a_document_weighs_by_bm25() -> None:
    (numbers, weights), empty = tokens.documents(["cat cat dog", "..."])
    by_term = dict(zip(numbers, weights, strict=True))
    longer = 1.2 * (0.25 + 0.75 * 3 / 250)
    assert by_term[tokens.query("cat")[0][0]] == pytest.approx(2 * 2.2 / (2 + longer))
    assert by_term[tokens.query("dog")[0][0]] == pytest.approx(1 * 2.2 / (1 + longer))
    assert empty == ([], [])


@given(st.text(st.characters(), max_size=200))
def test_any_text_gives_a_vector(text: str) -> None:
    [(numbers, weights)] = tokens.documents([text])
    assert numbers == sorted(set(numbers)) == tokens.query(text)[0]
    assert all(0 <= number < 2**32 for number in numbers)
    assert all(0 < weight < 2.2 for weight in weights)
