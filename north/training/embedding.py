"""Fine-tunes an embedder: a question's vector must be nearer to its answer's than to those of every other passage of the batch, among them
its own hard negatives (InfoNCE, https://arxiv.org/abs/2004.04906; the prefixes stay the base's). Where another model's scores of a list
are known, the order within it must be like that model's too. Needs the extra "gpu".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from transformers import PreTrainedModel

from north.training.bases import Base
from north.training.draws import ListTrainer
from north.training.examples import Draw
from north.training.leaks import folded
from north.training.reranking import NEVER, by_list, listed
from north.training.vectors import pooled


class Collator:
    """Lists to tensors: the questions first, then all passages, each behind its prefix. `pooling` goes with them."""

    def __init__(self, tokenizer: Tokenizer, base: Base, tokens: int) -> None:
        self._words, self._base = tokenizer, base
        tokenizer.enable_truncation(min(tokens, base.context))
        tokenizer.enable_padding()

    def __call__(self, draws: Sequence[Draw]) -> dict[str, Tensor]:
        """`input_ids`, `attention_mask` (questions + passages, longest); `places`, `scores` as a reranker's; `answers` (lists, passages):
        whether a passage answers a list's question: its own positive, and other answers to the same question."""
        places, scores = listed(draws)
        texts = [self._base.query + one.query for one in draws] + [self._base.passage + text for one in draws for text in one.passages]
        encoded = self._words.encode_batch_fast(texts)
        return {
            "input_ids": torch.tensor([one.ids for one in encoded]),
            "attention_mask": torch.tensor([one.attention_mask for one in encoded]),
            "places": places,
            "scores": scores,
            "answers": torch.from_numpy(answers(draws)),
        }


def answers(draws: Sequence[Draw]) -> np.ndarray:
    """bool (lists, passages of all lists)."""
    positives: dict[str, set[str]] = {}
    for one in draws:
        positives.setdefault(folded(one.query), set()).add(one.passages[0])
    everything = [text for one in draws for text in one.passages]
    return np.array([[text in positives[folded(one.query)] for text in everything] for one in draws])


def contrast(questions: Tensor, passages: Tensor, places: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """The mean over lists, a scalar. Vectors of length 1; other passages that answer a question do not count against it."""
    logits = questions @ passages.T / temperature
    own = places[:, 0]
    others = answers.clone()
    others[torch.arange(len(own), device=own.device), own] = False
    return cross_entropy(logits.masked_fill(others, NEVER), own)


class EmbedderTrainer(ListTrainer):
    def __init__(self, *, base: Base, **given: Any) -> None:
        super().__init__(**given)
        self.base = base

    def loss(self, model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
        plan, places, scores, right = self.draws.plan, inputs.pop("places"), inputs.pop("scores"), inputs.pop("answers")
        vectors = pooled(model(**inputs).last_hidden_state.float(), inputs["attention_mask"], self.base.pooling)
        questions, passages = vectors[: len(places)], vectors[len(places) :]
        hard = contrast(questions, passages, places, right, plan.temperature)
        known = ~scores[:, 0].isnan()
        if not plan.distil or not bool(known.any()):
            return hard
        near = by_list((questions.repeat_interleave((places >= 0).sum(dim=1), dim=0) * passages).sum(dim=1) / plan.temperature, places)
        target = softmax(scores[known].nan_to_num(NEVER), dim=1)
        soft = kl_div(log_softmax(near[known], dim=1), target, reduction="batchmean")
        return (1 - plan.distil) * hard + plan.distil * soft
