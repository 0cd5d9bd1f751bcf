"""Models of transformers as training takes them: float32, on the processor, from safetensors and nothing else. Needs the extra "gpu"."""

from __future__ import annotations

from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging

from north.inference.torch_encoder import FAMILIES
from north.inference.torch_loading import GIVEN
from north.training.bases import Base
from north.training.errors import BadBase

logging.disable_progress_bar()
logging.set_verbosity_error()

HEAD = ("classifier", "pooler")
"""What a cross-encoder has and an encoder need not have: it begins anew where it is missing."""


def cross_encoder(base: Base, layers: int = 0) -> PreTrainedModel:
    """With a head of one logit, new where the base is an encoder. `layers`: 0 for all. Raises BadBase."""
    known(base)
    model, missing = _read(AutoModelForSequenceClassification, base, num_labels=1)
    if base.judges and missing:
        raise BadBase(f"{base.folder}: weights are missing: {', '.join(missing[:4])}.")
    return shallower(model, layers) if layers else model


def known(base: Base) -> None:
    """Raises BadBase for a family that North's engines do not load."""
    if base.config.get("model_type") not in FAMILIES:
        raise BadBase(f"{base.name} is of the family {base.config.get('model_type')}; {', '.join(FAMILIES)} can be trained.")


def encoder(base: Base) -> PreTrainedModel:
    """Raises BadBase."""
    return _read(AutoModel, base, add_pooling_layer=False)[0]


def _read(loader: Any, base: Base, **more: Any) -> tuple[PreTrainedModel, list[str]]:
    """The model, and the names of weights that its files do not hold (of the head, at most)."""
    try:
        model, said = loader.from_pretrained(
            base.folder, dtype=torch.float32, use_safetensors=True, attn_implementation="sdpa", output_loading_info=True, **more, **GIVEN
        )
    except (OSError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
        raise BadBase(f"{base.folder} holds no model that transformers can read: {error}") from error
    missing = sorted(said["missing_keys"])
    if lost := [name for name in missing if not any(part in name for part in HEAD)]:
        raise BadBase(f"{base.folder}: weights are missing: {', '.join(lost[:4])}.")
    return model, missing


def shallower(model: PreTrainedModel, layers: int) -> PreTrainedModel:
    """With so many of its layers, evenly taken, the last one among them (https://arxiv.org/abs/1910.01108). Raises BadBase."""
    stack = model.base_model.encoder.layer
    if not 0 < layers <= len(stack):
        raise BadBase(f"{layers} layers cannot be taken of a model that has {len(stack)}.")
    kept = [round((number + 1) * len(stack) / layers) - 1 for number in range(layers)]
    model.base_model.encoder.layer = torch.nn.ModuleList(stack[number] for number in kept)
    model.config.num_hidden_layers = layers
    return model
