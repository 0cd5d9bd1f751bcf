from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from north.evaluation.vectors import Kept
from tests.hashing import HashingEmbedder

TEXTS = ["one two", "three", "", "one two"]


class Counting:
    """The hashing embedder, which remembers what it was asked for after the probe."""

    def __init__(self, sign: float = 1.0) -> None:
        self.seen: list[str] = []
        self._sign = sign

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += texts
        return self._sign * HashingEmbedder().embed_passages(texts)


def kept(path: Path, embed: Counting, model: str = "m") -> Kept:
    made = Kept(path, model, embed, HashingEmbedder.dimensions)
    embed.seen.clear()
    return made


def test_each_text_is_embedded_once_and_never_again(tmp_path: Path) -> None:
    embed = Counting()
    first = kept(tmp_path / "v", embed)
    assert np.array_equal(first(TEXTS), HashingEmbedder().embed_passages(TEXTS))
    first.close()
    assert kept(tmp_path / "v", embed)(TEXTS).dtype == np.float32 and embed.seen == []


def test_filling_embeds_what_is_missing_and_says_how_far_it_is(tmp_path: Path) -> None:
    embed, told = Counting(), []
    made = kept(tmp_path / "v", embed)
    made(TEXTS[:1])
    embed.seen.clear()
    made.fill([f"text {number}" for number in range(150)] + TEXTS, lambda done, of: told.append((done, of)))
    assert len(embed.seen) == 152 and told[-1] == (152, 152) and len(told) == 3
    made.fill(TEXTS, lambda done, of: pytest.fail("nothing is missing"))


def test_another_model_and_other_weights_of_the_same_name_keep_their_own(tmp_path: Path) -> None:
    kept(tmp_path / "v", Counting())(TEXTS)
    for embed, model in ((Counting(), "other"), (Counting(-1), "m")):
        assert np.array_equal(kept(tmp_path / "v", embed, model)(TEXTS), embed(TEXTS)) and embed.seen


def test_no_texts_have_no_vectors(tmp_path: Path) -> None:
    assert kept(tmp_path / "v", Counting())([]).shape == (0, HashingEmbedder.dimensions)


def test_a_file_that_is_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"this is no database" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        kept(tmp_path / "v", Counting())
