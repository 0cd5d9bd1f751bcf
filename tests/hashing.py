"""An embedding engine without a model: words hashed into signed dimensions (Weinberger and others 2009, "Feature Hashing for Large Scale
Multitask Learning"). Real behind the real interface, deterministic and instant; near in words is near in vectors, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from north.inference.metering import note
from retrieval.tokens import terms


class HashingEmbedder:
    dimensions = 384

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (len(texts), dimensions), rows of length 1."""
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            note(len(text.split()), 0.001)
            for term in terms(text):
                number = crc32(term.encode())
                row[number % self.dimensions] += 1.0 if number & 0x80000000 else -1.0
            row[0] += 1e-3
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    embed_queries = embed_passages


def load(**_arguments: object) -> HashingEmbedder:
    return HashingEmbedder()
