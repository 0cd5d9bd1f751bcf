from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.reranking import best, by_document, judge
from retrieval.types import Passage


def passage(document: str, score: float, text: str = "") -> Passage:
    return Passage(document, document, 0, 0, len(text), text, score, why={"fused": score})


FOUND = st.lists(st.builds(passage, st.sampled_from("abcd"), st.floats(0, 1)), max_size=30)


@given(FOUND, st.integers(1, 12), st.integers(1, 4))
def test_the_best_come_first_and_no_document_takes_all_places(found: list[Passage], limit: int, per_document: int) -> None:
    kept = best(found, limit=limit, per_document=per_document)
    assert [one.score for one in kept] == sorted((one.score for one in kept), reverse=True)
    assert len(kept) <= limit
    assert all(len([one for one in kept if one.document == name]) <= per_document for name in "abcd")
    if found:
        assert kept[0].score == max(one.score for one in found)


@given(FOUND)
def test_a_document_is_worth_its_best_chunk(found: list[Passage]) -> None:
    worth = [passages[0].score for passages in by_document(found).values()]
    assert worth == sorted(worth, reverse=True)
    for name, passages in by_document(found).items():
        assert passages[0].score == max(one.score for one in found if one.document == name)
    assert sum(map(len, by_document(found).values())) == len(found)


def test_a_model_judges_the_texts_and_its_verdict_is_between_0_and_1() -> None:
    by_length = lambda query, texts: [len(text) * 1000.0 - 2000 for text in texts]  # noqa: E731
    judged = judge("q", [passage("a", 0.9, "x"), passage("b", 0.1, "xxxx")], by_length)
    assert [one.score for one in judged] == pytest.approx([0, 1])
    assert judged[1].why == {"fused": 0.1, "rerank": 2000.0}
    assert best(judged, limit=1)[0].document == "b"


def test_a_model_that_judges_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="1 passages"):
        judge("q", [passage("a", 1)], lambda query, texts: [])


def test_nothing_found_is_nothing_judged() -> None:
    assert judge("q", [], lambda query, texts: pytest.fail("asked for nothing")) == []
