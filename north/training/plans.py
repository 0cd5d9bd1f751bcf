"""How a run goes, in numbers. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from north.training.errors import BadPlan

Kind = Literal["reranker", "embedder"]
DEFAULTS: dict[str, dict[str, Any]] = {
    "reranker": {"batch": 16, "rate": 5e-5, "distil": 0.5},
    "embedder": {"batch": 32, "rate": 2e-5, "distil": 0.0},
}
RANGES = {
    "epochs": (1, 100), "steps": (0, 10_000_000), "batch": (2, 4096), "candidates": (2, 64), "tokens": (16, 8192), "rate": (1e-8, 1.0),
    "warm": (0.0, 0.9), "decay": (0.0, 1.0), "distil": (0.0, 1.0), "layers": (0, 200), "keep_every": (0, 10**6), "temperature": (0.0, 10.0),
    "dev_share": (0.01, 0.5), "dev_most": (1, 100_000), "seed": (0, 2**31 - 1), "workers": (0, 256),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """`batch`: lists in a step; `candidates`: passages in a list; `tokens`: of question and passage together (an embedder: of each);
    `steps`: 0 for as many as `epochs` give; `warm`: the share of steps in which the rate rises; `decay`: of weights; `distil`: the share
    of a teacher's word, where one has spoken; `layers`: 0 for all of the base's, else so many, evenly taken; `frozen_words`: the table of
    words stays as it is, and other languages with it; `keep_every`: steps between checkpoints, 0 for none; `temperature`: by which an
    embedder's cosines are divided, 0 for the base's own; `dev_share`, `dev_most`: of the examples, how many are kept to judge by;
    `workers`: processes that tokenise. Raises BadPlan."""

    kind: Kind = "reranker"
    seed: int = 1
    epochs: int = 2
    steps: int = 0
    batch: int = 16
    candidates: int = 8
    tokens: int = 256
    rate: float = 5e-5
    warm: float = 0.05
    decay: float = 0.01
    distil: float = 0.5
    layers: int = 0
    frozen_words: bool = True
    keep_every: int = 200
    temperature: float = 0.0
    dev_share: float = 0.05
    dev_most: int = 500
    workers: int = 0

    def __post_init__(self) -> None:
        if self.kind not in DEFAULTS:
            raise BadPlan(f"A {self.kind} cannot be trained: reranker or embedder.")
        for field in fields(self):
            if field.name in RANGES:
                low, high = RANGES[field.name]
                value = getattr(self, field.name)
                if not (math.isfinite(value) and low <= value <= high):
                    raise BadPlan(f"--{field.name.replace('_', '-')} is {value}; it must lie between {low} and {high}.")

    def steps_of(self, examples: int) -> int:
        return self.steps or self.epochs * max(1, examples // self.batch)
