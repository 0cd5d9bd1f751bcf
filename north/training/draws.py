"""In which order a model sees its examples: by chance that only the seed decides, so that a run goes on where it was. Needs the extra
"gpu"."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from transformers import Trainer

from north.training.examples import Draw, Example, draw
from north.training.plans import Plan

SORTED = 50
"""Batches that are sorted by length together: near lengths share a batch, and the order stays one of chance."""


class Draws(Dataset[Draw]):
    """Each example once an epoch, with other passages each time: as many epochs as the plan's steps need."""

    def __init__(self, examples: Sequence[Example], plan: Plan) -> None:
        self.examples, self.plan = examples, plan
        self.epochs = -(-plan.steps_of(len(examples)) * plan.batch // len(examples))

    def __len__(self) -> int:
        return len(self.examples) * self.epochs

    def __getitem__(self, at: int) -> Draw:
        rng = random.Random(self.plan.seed * 1_000_003 + at)  # noqa: S311
        return draw(self.examples[at % len(self.examples)], self.plan.candidates, rng)


class ByLength(Sampler[int]):
    """Epoch after epoch in an order of chance, so that the lists of a batch are about as long; not `alike`: of any length."""

    def __init__(self, draws: Draws, *, alike: bool = True) -> None:
        self._draws = draws
        self._lengths = np.array([min(4 * draws.plan.tokens, _letters(example)) if alike else 0 for example in draws.examples])

    def __len__(self) -> int:
        return len(self._draws)

    def __iter__(self) -> Iterator[int]:
        rng, batch = np.random.default_rng(self._draws.plan.seed), self._draws.plan.batch
        count = len(self._draws.examples)
        for epoch in range(self._draws.epochs):
            order = rng.permutation(count)
            for start in range(0, count, batch * SORTED):
                together = order[start : start + batch * SORTED]
                together = together[np.argsort(self._lengths[together], kind="stable")]
                batches = [together[at : at + batch] for at in range(0, len(together), batch)]
                whole = [one for one in batches if len(one) == batch]
                shorter = batches[len(whole) :]
                for one in [whole[number] for number in rng.permutation(len(whole))] + shorter:
                    yield from (int(at) + epoch * count for at in one)


def _letters(example: Example) -> int:
    return len(example.query) + sum(map(len, example.passages)) // len(example.passages)


class ListTrainer(Trainer):
    """transformers' own loop (checkpoints, schedules, several GPUs), fed with draws in their order; `loss` is the subclass's part."""

    def __init__(self, *, draws: Draws, **given: Any) -> None:
        super().__init__(train_dataset=draws, **given)
        self.draws = draws

    def _get_train_sampler(self, *_: Any) -> ByLength:
        return ByLength(self.draws)

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        return self.loss(model, inputs)

    def loss(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        raise NotImplementedError
