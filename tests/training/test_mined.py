"""What the recipe's questions are compared with, and which of them are learnt from. Needs PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from north.training.default.lists import Asked, Library, Passage

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[gpu]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install -e '.[gpu]'")
mining = importlib.import_module("north.training.default.mining")

KNOWN = Library({f"en/{n}": Passage(f"en/{n}", "en", f"g{n}", "", "", f"passage {n}", "help") for n in range(60)}, {})


class Encoder:
    """Texts on a circle, by the number they end with."""

    base = SimpleNamespace(name="multilingual-e5-small", query="query: ", passage="passage: ")

    def tokens(self, text: str) -> np.ndarray:
        return np.array([ord(letter) for letter in text], np.int32)

    def __call__(self, _: str, texts: Sequence[str]) -> Any:
        angles = torch.tensor([int(text.split()[-1]) / 60 for text in texts])
        return torch.stack([angles.cos(), angles.sin()], dim=1)


def mined(asked: list[Asked]) -> Any:
    return mining.mine(asked, KNOWN, Encoder(), None, seed=1, say=lambda _: None)


def test_a_written_question_is_learnt_from_only_if_its_passage_is_near_to_it() -> None:
    asked = [Asked("about 5", "en", "told", "en/5"), Asked("about 5", "en", "told", "en/50"), Asked("rule 5", "en", "heading", "en/50")]
    assert mined(asked).places[:, 0].tolist() == [5, -1, 50]
    learnt = mining.examples(asked, KNOWN, mined(asked), seed=1)
    assert [one.positives[0] for one in learnt] == ["passage 5", "passage 5", "passage 50"], "written ones twice"


def test_of_what_was_made_by_rule_a_share_is_learnt_again_and_all_that_people_asked() -> None:
    asked = [Asked(f"q {n}", "en", kind, f"en/{n}") for n in range(60) for kind in ("sentence", "question", "told")]
    found = mining.examples(asked, KNOWN, mined(asked), seed=1, made=0.25)
    assert 240 + 5 <= len(found) <= 240 + 28
