"""A cross-encoder from its files to its verdicts, against its forward pass in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from north.inference.embedding import BUDGET, OnnxBackend, load_scorer
from north.inference.encoding import QUESTION_SHARE, Row, Scorer, windows
from north.inference.errors import ModelBroken, ModelMissing, UnknownModel
from tests.inference import tiny

QUESTION = "how many days of leave do i get?"
PASSAGES = ["employees have thirty days of leave.", "the canteen opens at noon.", "", "leave " * 500, "?", "Unheard words", "i do."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tiny")
    tiny.save(made / "bert", head=True)
    tiny.save(made / "xlm-r", head=True, kind="xlm-r")
    return made


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    return tiny.load(str(folder / "bert"), "tiny")


def expected(question: str, passage: str, kind: str = "bert") -> float:
    """Of the best window: words are tokens here."""
    tokens = tiny.tokenizer(kind)
    asked, words = (tokens.encode(text, add_special_tokens=False).tokens for text in (question, passage))
    room = tiny.CONTEXT - tokens.num_special_tokens_to_add(True) - len(asked)
    parts = windows(np.arange(len(words)), room)
    texts = [passage] if len(parts) == 1 else [" ".join(words[part[0] : part[-1] + 1]) for part in parts]
    pairs = [tokens.encode(question, text) for text in texts]
    return max(tiny.verdict(tiny.weights(), pair.ids, pair.type_ids) for pair in pairs)


@pytest.mark.parametrize("kind", ["bert", "xlm-r"])
def test_each_passage_has_the_logit_of_its_own_pair(folder: Path, kind: str) -> None:
    """Batched, padded, sorted by length; with the token types that the model's own template gives (none of 1 in XLM-R)."""
    logits = tiny.load(str(folder / kind), "tiny")(QUESTION, PASSAGES)
    assert logits.dtype == np.float32 and logits.shape == (len(PASSAGES),)
    assert np.allclose(logits, [expected(QUESTION, passage, kind) for passage in PASSAGES], atol=1e-4)
    assert len({round(float(logit), 3) for logit in logits}) == len(PASSAGES), "random weights tell these apart"


def test_which_text_is_the_question_matters(scorer: Scorer) -> None:
    assert abs(scorer("leave", ["canteen"])[0] - scorer("canteen", ["leave"])[0]) > 1e-3


@settings(max_examples=40, deadline=None)
@given(some.lists(some.lists(some.sampled_from(tiny.WORDS), max_size=60), max_size=12), some.booleans())
def test_verdicts_come_in_the_order_of_the_passages(scorer: Scorer, texts: list[list[str]], hurry: bool) -> None:
    passages = [" ".join(words) for words in texts]
    assert np.allclose(scorer(QUESTION, passages, hurry=hurry), [expected(QUESTION, one) for one in passages], atol=1e-4)


@pytest.mark.parametrize("question", ["leave " * 400, "leave " * 24, "leave " * 25, ""], ids=["long", "just fits", "one too many", "none"])
def test_a_long_question_is_cut_to_its_share_and_the_passage_has_the_rest(scorer: Scorer, question: str) -> None:
    most = int(tiny.CONTEXT * QUESTION_SHARE)
    kept = " ".join(question.split()[:most])
    passages = ["the canteen opens at noon.", "employees have " * 300]
    assert np.allclose(scorer(question, passages), [expected(kept, one) for one in passages], atol=1e-4)
    assert scorer(question, ["noon"])[0] != scorer(question, ["thirty"])[0], "the passage is read"


def test_no_passages_have_no_verdicts(scorer: Scorer) -> None:
    assert scorer(QUESTION, []).shape == (0,)


def test_only_who_waits_for_it_goes_first(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    batcher, lanes = scorer.batcher, []

    def handed_in(items: list[Row], lengths: list[int], *, hurry: bool) -> list[np.ndarray]:
        lanes.append(hurry)
        return batcher(items, lengths, hurry=hurry)

    monkeypatch.setattr(scorer, "batcher", handed_in)
    scorer(QUESTION, PASSAGES)
    scorer(QUESTION, PASSAGES, hurry=False)
    assert lanes == [True, False]


def test_a_model_that_is_no_cross_encoder_with_one_logit_is_refused(tmp_path: Path) -> None:
    tiny.save(tmp_path / "two", head=True, logits=2)
    tiny.save(tmp_path / "none", head=False)
    for name in ("two", "none"):
        with pytest.raises(ModelBroken, match="not the right one"):
            tiny.load(str(tmp_path / name), "tiny")
    tiny.save(tmp_path / "verdicts", head=True)
    with pytest.raises(ModelBroken):
        OnnxBackend(tiny.spec("embed"), tmp_path / "verdicts")


def test_what_is_missing_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UnknownModel):
        load_scorer("verdicts-9", tmp_path)
    with pytest.raises(ModelMissing, match="models pull tiny"):
        OnnxBackend(tiny.spec(), tmp_path)
    with pytest.raises(ModelMissing):
        Scorer(tiny.spec(), tmp_path, OnnxBackend(tiny.spec(), folder / "bert"), budget=BUDGET)
