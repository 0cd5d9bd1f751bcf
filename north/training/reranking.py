"""Fine-tunes a cross-encoder, list by list: of a question's passages the one that answers it must win (listwise softmax,
https://dl.acm.org/doi/10.1145/1273496.1273513), and, where another model's scores are known, the order must be like that model's (its
softmax as target, https://arxiv.org/abs/2010.02666). Needs the extra "gpu".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from transformers import PreTrainedModel

from north.inference.encoding import QUESTION_SHARE, padded
from north.inference.encoding import Row as Tokens
from north.training.draws import ListTrainer
from north.training.examples import Draw

NEVER = -1e4
"""The logit of a place in a list that no passage has."""


class Collator:
    """Lists to tensors. `tokens`: of question and passage together; both are cut as `north.inference.encoding.Scorer` cuts them."""

    def __init__(self, tokenizer: Tokenizer, tokens: int, types: bool) -> None:
        self._words, self.tokens, self.types = tokenizer, tokens, types
        tokenizer.no_padding()

    def __call__(self, draws: Sequence[Draw]) -> dict[str, Tensor]:
        """`input_ids`, `attention_mask` (pairs, longest); `places` (lists, candidates): which pair, or -1; `scores` alike, NaN if none."""
        places, scores = listed(draws)
        pairs = [(question, passage) for one in draws for question in [self.cut(one.query)] for passage in one.passages]
        return {**self.pairs(pairs), "places": places, "scores": scores}

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
        self._words.enable_truncation(self.tokens, strategy="only_second")
        encoded = self._words.encode_batch_fast(list(pairs))
        batch = padded([Tokens(np.array(each.ids, np.int64), np.array(each.type_ids, np.int64)) for each in encoded])
        tensors = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.mask)}
        return tensors | ({"token_type_ids": torch.from_numpy(batch.types)} if self.types else {})

    def cut(self, question: str) -> str:
        most = int(self.tokens * QUESTION_SHARE)
        if len(question) <= most:
            return question
        self._words.no_truncation()
        encoding = self._words.encode(question, add_special_tokens=False)
        return question if len(encoding.ids) <= most else question[: encoding.offsets[most - 1][1]]


def collator(model: PreTrainedModel, tokenizer: Tokenizer, tokens: int) -> Collator:
    return Collator(tokenizer, tokens, model.config.type_vocab_size > 1)


def listed(draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
    """Of lists one after the other: which passage stands where, int64 (lists, candidates), -1 for none; and their scores, NaN for none."""
    longest, at = max(len(one.passages) for one in draws), 0
    places, scores = np.full((len(draws), longest), -1), np.full((len(draws), longest), np.nan, np.float32)
    for row, one in enumerate(draws):
        places[row, : len(one.passages)] = np.arange(at, at + len(one.passages))
        scores[row, : len(one.scores)] = one.scores
        at += len(one.passages)
    return torch.from_numpy(places), torch.from_numpy(scores)


def by_list(flat: Tensor, places: Tensor) -> Tensor:
    """float32 (lists, candidates) of what was said of each passage, float (passages,)."""
    return torch.where(places >= 0, flat.float()[places.clamp(min=0)], torch.full_like(flat[:1].float(), NEVER))


def list_loss(logits: Tensor, scores: Tensor, distil: float) -> Tensor:
    """The mean over lists, a scalar. Both (lists, candidates); the answer stands first. `distil`: the share of the other model's word."""
    hard = cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device), reduction="none")
    known = ~scores[:, 0].isnan()
    target = softmax(scores.nan_to_num(NEVER), dim=1)
    soft = kl_div(log_softmax(logits, dim=1), target, reduction="none").sum(dim=1)
    return torch.where(known, (1 - distil) * hard + distil * soft, hard).mean()


class RerankerTrainer(ListTrainer):
    def loss(self, model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
        places, scores = inputs.pop("places"), inputs.pop("scores")
        return list_loss(by_list(model(**inputs).logits.reshape(-1), places), scores, self.draws.plan.distil)


@torch.inference_mode()
def scored(model: PreTrainedModel, collate: Collator, pairs: Sequence[tuple[str, str]], batch: int = 64) -> np.ndarray:
    """float32 (pairs,): a logit each. On a GPU in float16, whose steps are finer than bf16's."""
    model.eval()
    order = np.argsort([min(len(question) + len(passage), 4 * collate.tokens) for question, passage in pairs], kind="stable")
    found = np.zeros(len(pairs), np.float32)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        cut = [(collate.cut(pairs[at][0]), pairs[at][1]) for at in chosen]
        inputs = {name: tensor.to(model.device) for name, tensor in collate.pairs(cut).items()}
        with torch.autocast("cuda", torch.float16, enabled=model.device.type == "cuda"):
            found[chosen] = model(**inputs).logits.float().reshape(-1).cpu().numpy()
    return found
