"""What another model thinks of each list, as logits: a cross-encoder's verdicts, or an encoder's cosines, sharpened. Needs the extra
"gpu"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from tokenizers import Tokenizer

from north.training.bases import Base
from north.training.examples import Example
from north.training.models import cross_encoder
from north.training.reranking import collator, scored
from north.training.vectors import Vectors, cosines

TEMPERATURES = {"multilingual-e5": 0.01}
"""By which an embedder's cosines were divided as it was trained, by how its name begins; OTHERS for the rest."""
OTHERS = 0.05
SOFTER = 2.5
"""A teacher's cosines are divided by so much more: who is all but sure of one passage says nothing of the others."""


def temperature(name: str) -> float:
    return next((value for start, value in TEMPERATURES.items() if name.startswith(start)), OTHERS)


def taught(examples: Sequence[Example], teacher: Base, tokens: int, vectors: Vectors | None = None) -> list[Example]:
    """With the teacher's scores, where an example brings none."""
    asked = [at for at, one in enumerate(examples) if not one.scores]
    some = [examples[at] for at in asked]
    flat = verdicts(some, teacher, tokens) if teacher.judges else near(some, vectors or Vectors(teacher, tokens=tokens))
    found, start = list(examples), 0
    for at, one in zip(asked, some, strict=True):
        stop = start + len(one.passages)
        found[at], start = replace(one, scores=tuple(map(float, flat[start:stop]))), stop
    return found


def verdicts(examples: Sequence[Example], teacher: Base, tokens: int) -> np.ndarray:
    model = cross_encoder(teacher).to("cuda" if torch.cuda.is_available() else "cpu")
    words = Tokenizer.from_file(str(teacher.folder / "tokenizer.json"))
    pairs = [(one.query, passage) for one in examples for passage in one.passages]
    return scored(model, collator(model, words, tokens), pairs)


def near(examples: Sequence[Example], vectors: Vectors) -> np.ndarray:
    rows = {passage: row for row, passage in enumerate(dict.fromkeys(text for one in examples for text in one.passages))}
    longest = max((len(one.passages) for one in examples), default=0)
    places = np.full((len(examples), longest), -1)
    for row, one in enumerate(examples):
        places[row, : len(one.passages)] = [rows[text] for text in one.passages]
    found = cosines(vectors.queries([one.query for one in examples]), vectors.passages(list(rows)), places)
    return found[places >= 0] / (SOFTER * temperature(vectors.base.name))
