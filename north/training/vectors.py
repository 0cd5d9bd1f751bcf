"""Vectors of an encoder as transformers runs it, on a GPU where there is one: what lies near, for hard negatives, for a teacher's word and
for measuring. Needs the extra "gpu"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import normalize
from transformers import PreTrainedModel

from north.training.bases import Base
from north.training.errors import BadBase
from north.training.models import encoder

AT_ONCE = 2048


class Vectors:
    """`prefix + text` -> float32 (texts, dimensions) on its device, rows of length 1; of a text what fits into `tokens`."""

    def __init__(self, base: Base, *, tokens: int = 512, batch: int = 64, model: PreTrainedModel | None = None) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        half = torch.float16 if device == "cuda" and model is None else torch.float32
        self.base, self.batch = base, batch
        self.model = (model or encoder(base)).to(device, half).eval()
        self.tokenizer = Tokenizer.from_file(str(base.folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(min(tokens, base.context))
        self.tokenizer.enable_padding()

    def queries(self, texts: Sequence[str]) -> Tensor:
        return self([self.base.query + text for text in texts])

    def passages(self, texts: Sequence[str]) -> Tensor:
        return self([self.base.passage + text for text in texts])

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> Tensor:
        order = np.argsort([len(text) for text in texts], kind="stable")
        found = torch.zeros(len(texts), self.model.config.hidden_size, device=self.model.device)
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            encoded = self.tokenizer.encode_batch_fast([texts[at] for at in chosen])
            ids = torch.tensor([each.ids for each in encoded], device=self.model.device)
            mask = torch.tensor([each.attention_mask for each in encoded], device=self.model.device)
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            found[torch.from_numpy(chosen).to(found.device)] = pooled(states, mask, self.base.pooling)
        if not bool(found.isfinite().all()):
            raise BadBase(f"{self.base.name} gives vectors that are no numbers: its weights are damaged, or do not fit float16.")
        return found


def pooled(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """(texts, dimensions) of length 1, of states (texts, tokens, dimensions)."""
    return normalize(states[:, 0] if pooling == "cls" else (states * mask[:, :, None]).sum(dim=1), dim=1)


@torch.inference_mode()
def nearest(queries: Tensor, passages: Tensor, count: int) -> np.ndarray:
    """int64 (queries, count): rows of `passages`, nearest first."""
    count = min(count, len(passages))
    parts = [(part @ passages.T).topk(count, dim=1).indices.cpu() for part in queries.split(AT_ONCE)]
    return torch.cat(parts).numpy() if parts else np.zeros((0, count), np.int64)


@torch.inference_mode()
def cosines(left: Tensor, right: Tensor, pairs: np.ndarray) -> np.ndarray:
    """float32 (rows, columns): of row r of `left` with the rows pairs[r] of `right`; -1 stands for none and gives NaN."""
    found = np.full(pairs.shape, np.nan, np.float32)
    for start in range(0, len(pairs), AT_ONCE):
        part = torch.from_numpy(pairs[start : start + AT_ONCE]).to(left.device)
        near = torch.einsum("rd,rcd->rc", left[start : start + AT_ONCE], right[part.clamp(min=0)])
        found[start : start + AT_ONCE] = torch.where(part >= 0, near, torch.nan).float().cpu().numpy()
    return found
