from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retrieval.fusion import NAMED, VERDICTS, Verdict, probability, verdict_of
from retrieval.reranking import BEARERS, LINK, NAMING, OLDEST, VERIFIED, affordable, best, by_document, judge, linked, recency, weighed
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


LOGITS = st.lists(st.tuples(st.floats(-8, 8), st.floats(-8, 8)), min_size=1, max_size=20)


def candidates(pairs: Sequence[tuple[float, float]]) -> list[Passage]:
    return [Passage(str(n), "", 0, 0, 1, str(logit), 0.5, why={"fused": fused}) for n, (fused, logit) in enumerate(pairs)]


def read(query: str, texts: Sequence[str]) -> list[float]:
    return [float(text) for text in texts]


def test_a_model_and_the_first_search_judge_together() -> None:
    """Worked by hand: fused 1, 2, 3 and logits 4, 0, 2 have the deviations -1.22, 0, 1.22 and 1.22, -1.22, 0."""
    found = candidates([(1, 4), (2, 0), (3, 2)])
    assert [one.document for one in judge("q", found, read, how=0)] == ["0", "2", "1"]
    assert [one.document for one in judge("q", found, read, how=0.5)] == ["0", "2", "1"]
    assert [one.document for one in judge("q", found, read, how=2)] == ["2", "0", "1"]
    best = judge("q", found, read, how=0)[0]
    assert best.why == {"fused": 1, "rerank": 4.0, "final": pytest.approx(2 + math.sqrt(2 / 3) * math.sqrt(1.5))}
    assert best.score == pytest.approx(1 / (1 + math.exp(-best.why["final"])))


@given(LOGITS, st.floats(0, 3), st.floats(0.01, 100), st.floats(-50, 50))
def test_the_scale_of_the_models_logits_does_not_matter(
    pairs: list[tuple[float, float]], blend: float, scale: float, offset: float
) -> None:
    other = lambda query, texts: [scale * float(text) + offset for text in texts]  # noqa: E731
    one = {passage.document: passage.why["final"] for passage in judge("q", candidates(pairs), read, how=blend)}
    same = {passage.document: passage.why["final"] for passage in judge("q", candidates(pairs), other, how=blend)}
    assume(len({logit for _, logit in pairs}) == 1 or np.std([logit for _, logit in pairs]) > 1e-3)
    assert same == pytest.approx(one, abs=1e-3)


@given(LOGITS, st.floats(0, 3))
def test_the_log_odds_keep_the_level_and_the_spread_of_the_first_search(pairs: list[tuple[float, float]], blend: float) -> None:
    fused = np.array([one for one, _ in pairs])
    final = np.array([passage.why["final"] for passage in judge("q", candidates(pairs), read, how=blend)])
    assert final.mean() == pytest.approx(fused.mean(), abs=1e-6)
    assert final.std() <= fused.std() + 1e-6 and list(final) == sorted(final, reverse=True)


@pytest.mark.parametrize("verdicts", [[], [1.0, 2.0], [float("nan")], [float("inf")], [[1.0]]])
def test_a_model_that_gives_no_number_for_each_is_refused(verdicts: list[float]) -> None:
    with pytest.raises(ValueError, match="1 passages"):
        judge("q", candidates([(1, 1)]), lambda query, texts: verdicts)


HOW = Verdict(logit=0.5, scale=2.0, offset=-1.0, usual=-4.0)


def test_a_calibrated_model_adds_its_logits_and_is_told_against_what_else_was_found() -> None:
    """Worked by hand: fused -2, -4, -6 and logits 0, 6, 2 are worth -2, -1, -5; with three of -4 the mean is -20 / 6."""
    found = judge("q", candidates([(-2, 0), (-4, 6), (-6, 2)]), read, HOW)
    assert [one.document for one in found] == ["1", "0", "2"]
    assert [one.why["final"] for one in found] == pytest.approx([2 * (worth + 20 / 6) - 1 for worth in (-1, -2, -5)])
    assert [one.score for one in found] == pytest.approx([1 / (1 + math.exp(-one.why["final"])) for one in found])


def test_a_passage_found_alone_is_not_measured_by_itself() -> None:
    good, poor = (judge("q", candidates([pair]), read, HOW)[0].score for pair in ((1, 3), (-8, -3)))
    assert good > 0.9 and poor < 0.05


@given(LOGITS, st.integers(0, 20))
def test_what_is_not_judged_keeps_its_place_behind_what_is(pairs: list[tuple[float, float]], first: int) -> None:
    found = candidates(sorted(pairs, reverse=True))
    asked: list[int] = []

    def counted(query: str, texts: Sequence[str]) -> list[float]:
        asked.append(len(texts))
        return read(query, texts)

    for how in (HOW, 0.8):
        told = judge("q", found, counted, how, first=first)
        assert [one.document for one in told[first:]] == [one.document for one in found[first:]]
        assert all(("rerank" in one.why) == (number < first) for number, one in enumerate(told))
    finals = [one.why["final"] for one in judge("q", found, read, HOW, first=first) if first]
    assert finals == sorted(finals, reverse=True) and set(asked) <= {min(first, len(found))}


def test_the_models_that_north_trained_are_calibrated_and_no_other() -> None:
    assert verdict_of("north-reranker-12-int8") == verdict_of("north-reranker-12") == VERDICTS["north-reranker-12"]
    assert verdict_of("north-reranker-6-int8") == VERDICTS["north-reranker-6"] and verdict_of("somebody-elses") is None


def test_the_model_reads_a_passage_under_its_heading() -> None:
    seen: list[str] = []
    found = [
        replace(passage("a", 0.5, "Thirty days."), heading="Handbook > Leave"),
        replace(passage("b", 0.4, "Leave: none"), heading="Leave"),
    ]
    judge("q", found, lambda query, texts: seen.extend(texts) or [1.0, 2.0])
    assert seen == ["Handbook > Leave\nThirty days.", "Leave: none"]


def called(document: str, final: float, text: str, *names: str) -> Passage:
    return replace(passage(document, probability(final), text), names=names, why={"fused": final, "final": final})


PLANT = called("plant", 4, "The Nordhafen plant lies in Kiel Harbour. Its report is yearly.", "nordhafen plant")


def test_what_the_best_passages_name_comes_before_what_nobody_names() -> None:
    found = [PLANT, called("other", 0.5, "Taxes rose.", "lübeck"), called("town", 0, "Taxes fell.", "kiel harbour")]
    told = linked("Which taxes hold where the Nordhafen plant lies?", found)
    assert [one.document for one in told] == ["plant", "town", "other"]
    assert told[1].why["linked"] == LINK * 2 * NAMED == told[1].why["final"] and told[1].score == probability(LINK * 2 * NAMED)
    assert "linked" not in told[0].why and "linked" not in told[2].why


@pytest.mark.parametrize(
    ("question", "names"),
    [("Kiel Harbour's taxes?", "kiel harbour"), ("taxes?", "report"), ("taxes?", "nordhafen plant"), ("taxes?", "the plant")],
)
def test_what_the_question_says_and_common_words_and_a_documents_own_name_link_nothing(question: str, names: str) -> None:
    found = [PLANT, called("other", 0.5, "Taxes rose."), called("town", 0, "Taxes fell.", names)]
    assert linked(question, found) == found


def test_what_is_named_is_worth_no_more_than_what_names_it() -> None:
    told = linked("taxes?", [called("first", 4.5, ""), PLANT, called("town", 3.5, "Taxes.", "kiel harbour")])
    assert [one.document for one in told] == ["first", "plant", "town"] and told[2].why["linked"] == 0.5


def test_a_name_that_many_bear_links_nothing() -> None:
    towns = [called(f"town{number}", -number, "Taxes.", "kiel harbour") for number in range(BEARERS + 1)]
    assert linked("taxes?", [PLANT, *towns]) == [PLANT, *towns]
    assert all("linked" in one.why for one in linked("taxes?", [PLANT, *towns[1:]])[1:])


def test_only_the_best_passages_link_and_only_what_was_weighed_with_the_judge_is_raised() -> None:
    best = [called(f"best{number}", 9 - number, "") for number in range(NAMING)]
    town = called("town", 0, "Taxes.", "kiel harbour")
    assert linked("taxes?", [*best, PLANT, town]) == [*best, PLANT, town]
    behind = replace(town, why={"fused": 0.0})
    assert linked("taxes?", [PLANT, behind]) == [PLANT, behind]
    assert linked("taxes?", []) == []


def test_as_many_are_judged_as_can_be_read() -> None:
    found = [passage("a", 0.5, "é" * 10), passage("b", 0.4, "x" * 20), passage("c", 0.3, "x")]
    assert [affordable("", found, size) for size in (0, 1, 20, 39, 40, 41)] == [3, 1, 1, 1, 2, 3]
    assert affordable("question", found, 56) == 2 and affordable("q", [], 10) == affordable("q", [], 0) == 0


def test_nothing_found_is_nothing_judged() -> None:
    assert judge("q", [], lambda query, texts: pytest.fail("asked for nothing")) == []


def test_what_says_the_same_again_gives_way_to_the_better_one() -> None:
    twice = "the notice period is three months and is given in writing"
    found = [passage("a", 0.5, twice), passage("b", 0.9, twice.upper()), passage("c", 0.7, "something else")]
    kept = best(found, limit=5)
    assert [one.document for one in kept] == ["b", "c"]
    assert [(cut.document, cut.reason, cut.score) for cut in kept[0].cut] == [("a", "duplicate", 0.5)] and not kept[1].cut


def test_what_is_too_many_of_a_document_is_told_by_its_best_passage() -> None:
    found = [passage("a", 0.9 - number / 10, f"text {number}") for number in range(5)] + [passage("b", 0.85, "b")]
    kept = best(found, limit=10)
    assert [one.score for one in kept if one.document == "a"] == pytest.approx([0.9, 0.8, 0.7])
    assert [cut.reason for cut in kept[0].cut] == ["document"] * 2 and not any(one.cut for one in kept[1:])


@given(FOUND, st.integers(1, 12))
def test_a_duplicate_takes_no_place(found: list[Passage], limit: int) -> None:
    texts = [f"{'words and ' * 4}{number % 3}" for number in range(len(found))]
    kept = best([passage(one.document, one.score, text) for one, text in zip(found, texts, strict=True)], limit=limit)
    assert len({one.text for one in kept}) == len(kept)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.01, 1e5))
def test_age_costs_more_the_older_and_never_more_than_said(age: float, more: float, half_life: float) -> None:
    assert 1 >= recency(age, half_life) >= recency(age + more, half_life) >= OLDEST
    assert recency(age, 0) == 1


def test_after_the_half_life_half_of_it_is_lost() -> None:
    assert recency(90, 90) == pytest.approx(1 - (1 - OLDEST) / 2)
    assert recency(-5, 90) == 1


@given(st.floats(0, 1), st.floats(0.7, 1), st.booleans())
def test_weights_keep_a_score_between_0_and_1(score: float, age: float, verified: bool) -> None:
    why = {"recency": age} | ({"verified": 1.0} if verified else {})
    one = weighed([Passage("a", "a", 0, 0, 1, "", score, why=why)])[0]
    assert 0 <= one.score <= 1 and one.why == why
    expected = score * age
    assert one.score == pytest.approx(expected + VERIFIED * (1 - expected) if verified else expected)
    plain = passage("a", score)
    assert weighed([plain]) == [plain]


def test_the_newest_edition_takes_the_place_of_older_ones_and_names_them() -> None:
    old = Passage("old", "2024.pdf", 0, 0, 40, "The notice period is 3 months for all of the staff.", 0.9, edition="new")
    new = Passage("new", "2026.pdf", 0, 0, 40, "The notice period is 6 months for all of the staff.", 0.5, edition="new")
    alone = Passage("old", "2024.pdf", 1, 50, 90, "Bicycles may be leased by whoever asks.", 0.4, edition="new")
    kept = best([old, new, alone], limit=5)
    assert [(one.name, one.score) for one in kept] == [("2026.pdf", 0.9), ("2024.pdf", 0.4)]
    assert [(cut.name, cut.reason) for cut in kept[0].cut] == [("2024.pdf", "duplicate")]
    assert kept[1].text == alone.text
