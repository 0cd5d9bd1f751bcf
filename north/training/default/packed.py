"""A cross-encoder's and an encoder's passes over rows of tokens that lie one after the other without padding (the attention is
`north.inference.torch_encoder`'s), and learning from lists in that way. Needs the extra "gpu".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss, normalize
from transformers import PreTrainedModel

from north.inference.torch_encoder import PACKED
from north.training.default.tokens import Tokens
from north.training.draws import ByLength, ListTrainer
from north.training.examples import Draw
from north.training.reranking import by_list, list_loss, listed

BUDGET = 131_072
"""Tokens of a pass in which nothing is learnt."""
Inputs = dict[str, Any]


def ready(model: PreTrainedModel) -> PreTrainedModel:
    model.set_attn_implementation(PACKED)
    return model


def laid(rows: Sequence[np.ndarray]) -> Inputs:
    """int32 `input_ids` and `position_ids` (tokens,), `bounds` (rows + 1,): row r is the tokens from bounds[r] to bounds[r + 1]."""
    lengths = np.array([len(row) for row in rows])
    ends = lengths.cumsum()
    places = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    numbers = {"input_ids": np.concatenate(rows), "position_ids": places, "bounds": np.concatenate([[0], ends])}
    return {name: torch.from_numpy(each.astype(np.int32)) for name, each in numbers.items()} | {"longest": int(lengths.max())}


def states(model: PreTrainedModel, inputs: Inputs, **how: Any) -> Any:
    """What transformers gives, with states (1, tokens, size)."""
    ids, places = inputs["input_ids"][None], inputs["position_ids"][None]
    return model.base_model(ids, position_ids=places, token_type_ids=torch.zeros_like(ids), bounds=inputs["bounds"],
                            longest=inputs["longest"], **how)  # fmt: skip


def verdicts(model: PreTrainedModel, last: Tensor, inputs: Inputs) -> Tensor:
    """float32 (rows,), of the last states."""
    first = last[0][inputs["bounds"][:-1].long()]
    return model.classifier(model.base_model.pooler(first[:, None]))[:, 0].float()


class Collator:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, draws: Sequence[Draw]) -> Inputs:
        places, scores = listed(draws)
        rows = [self._tokens.pair(one.query, passage) for one in draws for passage in one.passages]
        return {**laid(rows), "places": places, "scores": scores}


class PackedTrainer(ListTrainer):
    """`teacher`: a cross-encoder whose verdicts on a list are its target; with `share` of it, and the rest what the scores say (none where
    it is 1). `layers`: which of its layers' states the model's own are to be like; none if empty."""

    def __init__(self, *, teacher: PreTrainedModel | None = None, share: float = 1.0, layers: Sequence[int] = (), **given: Any) -> None:
        super().__init__(**given)
        self.share, self.layers = share, layers
        self.teacher = ready(teacher).to(self.args.device).eval().requires_grad_(False) if teacher else None

    def _get_train_sampler(self, *_: Any) -> ByLength:
        return ByLength(self.draws, alike=False)

    def loss(self, model: PreTrainedModel, inputs: Inputs) -> Tensor:
        """In bf16 on a GPU: the trainer sees to that in a model's own `forward`, which is not called here."""
        with torch.autocast("cuda", torch.bfloat16, enabled=self.args.bf16):
            return self._loss(model, inputs)

    def _loss(self, model: PreTrainedModel, inputs: Inputs) -> Tensor:
        told = states(model, inputs, output_hidden_states=bool(self.layers))
        logits = by_list(verdicts(model, told.last_hidden_state, inputs), inputs["places"])
        if not self.teacher:
            return list_loss(logits, inputs["scores"], self.draws.plan.distil)
        with torch.no_grad():
            known = states(self.teacher, inputs, output_hidden_states=bool(self.layers))
            target = by_list(verdicts(self.teacher, known.last_hidden_state, inputs), inputs["places"])
        loss = list_loss(logits, mixed(target, inputs["scores"], self.share), self.draws.plan.distil)
        if self.layers:
            own, theirs = told.hidden_states[1:], [known.hidden_states[at] for at in self.layers]
            loss = loss + sum(mse_loss(one.float(), other.float()) for one, other in zip(own, theirs, strict=True)) / len(theirs)
        return loss


def mixed(target: Tensor, scores: Tensor, share: float) -> Tensor:
    """Of each list what the teacher says above the answer, and so much of the scores where there are any."""
    target, known = target - target[:, :1], ~scores[:, :1].isnan()
    return torch.where(known & (share < 1), share * target + (1 - share) * (scores - scores[:, :1]).nan_to_num(-1e4), target)


@torch.inference_mode()
def over(model: PreTrainedModel, rows: Sequence[np.ndarray], read: Callable[[Inputs], Tensor]) -> Tensor:
    """What `read` makes of all rows, in their order, on the model's device; rows of about one length share a pass."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    parts = []
    for some in _passes(order, [len(rows[at]) for at in order]):
        inputs = {key: each.to(model.device) if isinstance(each, Tensor) else each for key, each in laid([rows[at] for at in some]).items()}
        with torch.autocast("cuda", torch.float16, enabled=model.device.type == "cuda"):
            parts.append(read(inputs))
    found = torch.cat(parts)
    return torch.empty_like(found).index_copy_(0, torch.from_numpy(order).to(found.device), found)


def _passes(order: np.ndarray, lengths: Sequence[int]) -> Iterator[np.ndarray]:
    start, held = 0, 0
    for at, length in enumerate(lengths):
        if held and held + length > BUDGET:
            yield order[start:at]
            start, held = at, 0
        held += length
    yield order[start:]


def scored(model: PreTrainedModel, rows: Sequence[np.ndarray]) -> np.ndarray:
    """float32 (rows,)."""
    return over(model, rows, lambda inputs: verdicts(model, states(model, inputs).last_hidden_state, inputs)).cpu().numpy()


def embedded(model: PreTrainedModel, rows: Sequence[np.ndarray]) -> Tensor:
    """float32 (rows, size) of length 1: the mean of the last states, on the model's device."""

    def read(inputs: Inputs) -> Tensor:
        last = states(model, inputs).last_hidden_state[0].float()
        return torch.segment_reduce(last, "sum", offsets=inputs["bounds"].long(), axis=0, unsafe=True)

    return normalize(over(model, rows, read), dim=1)
