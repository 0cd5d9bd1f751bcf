"""Models of transformers from a folder with config.json and safetensors, onto a device: bf16 on a GPU, float32 elsewhere. Nothing that came
with the weights is run, and no pickle is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel

from north.inference.errors import ModelBroken, ModelMissing, ModelUnavailable, OutOfMemory

GIVEN: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
"""To whatever of transformers reads from the folder."""


@contextmanager
def reading(name: str, folder: Path, device: str) -> Iterator[None]:
    """What is read of the folder in this block fails in words. Raises ModelMissing, ModelBroken, ModelUnavailable (no such device),
    OutOfMemory."""
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelMissing(name)
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelUnavailable(
            f"The model {name} is set to run on {device}, and PyTorch finds no GPU. Install its driver, or set an engine for the CPU."
        )
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(name) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelBroken(name, str(folder)) from error


def weights(kind: Any, name: str, folder: Path, device: str, **more: Any) -> PreTrainedModel:
    """`kind`: one of transformers' Auto classes. Within `reading`; raises ModelBroken where weights are missing or of another size."""
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    given = {**GIVEN, "use_safetensors": True, "output_loading_info": True, "device_map": device, "dtype": dtype, **more}
    model, said = kind.from_pretrained(folder, attn_implementation="sdpa", **given)
    if said["missing_keys"] or said["mismatched_keys"]:
        raise ModelBroken(name, str(folder))
    return model
