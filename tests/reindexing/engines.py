"""Embedding engines beside the hashing one: what happens in the middle of an embedding, and what no embedding gets right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from north.inference.errors import ModelUnavailable
from tests.hashing import HashingEmbedder

MEANWHILE: list[Callable[[], object]] = []
"""What happens while the next passages are embedded, once each."""


class Interrupted(HashingEmbedder):
    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        if MEANWHILE:
            MEANWHILE.pop()()
        return super().embed_passages(texts)


def load(**_arguments: object) -> Interrupted:
    return Interrupted()


class Broken(HashingEmbedder):
    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        raise ModelUnavailable("The model broke.")


def load_broken(**_arguments: object) -> Broken:
    return Broken()
