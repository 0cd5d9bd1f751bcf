"""System checks: what is misconfigured, and how to mend it. `manage.py check`, `up` and `doctor` run them."""

from __future__ import annotations

import ctypes
import ipaddress
import math
import re
import shutil
import stat
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from north.inference import catalogue
from retrieval.types import VECTOR_KINDS

TAG = "north"
HOST = re.compile(r"(?!\d+(\.\d+)*$)[\w-]+(\.[\w-]+)*\.?")
ENOUGH_DISK = 2_000_000_000
REMOTE = "north.inference.chat.remote"
ENGINES: dict[str, dict[str, str]] = {
    "chat": {"north.inference.llama.local": ".gguf", "north.inference.transformers_chat.local": ".safetensors", REMOTE: ""},
    "embed": {"north.inference.embedding.load": ".onnx", "north.inference.torch_encoder.load": ".safetensors"},
    "score": {"north.inference.embedding.load_scorer": ".onnx", "north.inference.torch_encoder.load_scorer": ".safetensors"},
}
"""North's own, by role, and the weights that each reads; the default one first."""


def local(host: str | None) -> bool:
    if host in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@register(TAG)
def secrets_are_kept(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    if len(settings.SECRET_KEY) < 50:
        problems.append(
            Error(
                "NORTH_SECRET_KEY is shorter than 50 characters.",
                id="north.E001",
                hint="Leave it out, and North makes one and keeps it in its data folder.",
            )
        )
    for name in ("secret-key", "vectors-key"):
        path = settings.DATA_DIR / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            problems.append(Error(f"{path} can be read by others.", id="north.E002", hint=f"chmod 600 {path}"))
    return problems


@register(TAG)
def strangers_cannot_reach_the_parts(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    if settings.DEBUG and not local(settings.HOST):
        problems.append(
            Error(
                "NORTH_DEBUG is on while the web process listens to other machines.",
                id="north.E003",
                hint="Take NORTH_DEBUG away, or set NORTH_HOST=127.0.0.1.",
            )
        )
    redis = urlsplit(settings.REDIS_URL)
    if redis.scheme != "unix" and not local(redis.hostname) and not redis.password:
        problems.append(
            Error(
                "The broker of NORTH_REDIS_URL has no password.",
                id="north.E004",
                hint="Set one in the server and write rediss://:PASSWORD@host:port/0.",
            )
        )
    if not local(urlsplit(settings.QDRANT_URL).hostname) and len(settings.QDRANT_API_KEY) < 20:
        problems.append(
            Error(
                "The Qdrant server of NORTH_QDRANT_URL has no key.",
                id="north.E005",
                hint="Set service.api_key in the server and NORTH_QDRANT_API_KEY here.",
            )
        )
    if not local(settings.HOST) and not settings.HTTPS:
        problems.append(
            Warning(
                "Other machines reach North without encryption.",
                id="north.W001",
                hint="Put a proxy with TLS before it and set NORTH_PUBLIC_URL=https://... and NORTH_BEHIND_PROXY=1.",
            )
        )
    return problems


@register(TAG)
def engines_exist(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    for role, config in settings.MODELS.items():
        engine = str(config["engine"])
        if not is_there(role, engine):
            ours = [path for path in ENGINES[role] if path != REMOTE]
            problems.append(
                Error(
                    f"The engine of the {role} model, {engine}, is not installed.",
                    id="north.E006",
                    hint=f"Set NORTH_{role.upper()}_ENGINE to one of {', '.join(ours)}, or leave it out for {ours[0]}.",
                )
            )
        elif engine in ENGINES[role] and "models_dir" in config:
            problems += model_fits(role, engine, str(config["model"]))
    return problems


def is_there(role: str, engine: str) -> bool:
    """Whether this dotted path leads to a module; of ours, to an engine of this role. A web process loads no model library, so nothing is
    imported."""
    module = engine.rpartition(".")[0]
    if module.startswith("north.inference."):
        return engine in ENGINES[role]
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def model_fits(role: str, engine: str, name: str) -> list[CheckMessage]:
    known = {model.name: model for model in catalogue.known(*settings.MODEL_FOLDERS) if model.role == role}
    setting, weights = f"NORTH_{role.upper()}_MODEL", ENGINES[role][engine]
    fitting = [model.name for model in known.values() if any(file.name.endswith(weights) for file in model.files)]
    mend = f"Set {setting} to one of: {', '.join(fitting)}. Or bring one" if fitting else "Bring one"
    hint = f"{mend}: python manage.py models add FOLDER --role {role}."
    if role == "chat" and Path(name).exists() and "/" in name:
        return []
    if name not in known:
        return [Error(f"The catalogue knows no {role} model {name!r}.", id="north.E007", hint=hint)]
    if name not in fitting:
        told = f"The engine {engine} reads {weights} files, and the model {name} has none."
        return [Error(told, id="north.E008", hint=hint)]
    return []


@register(TAG)
def gpu_can_be_used(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    """An error where everything runs on one machine; else only a warning, since the model worker may run on another."""
    engines = [str(config["engine"]) for config in settings.MODELS.values() if config["engine"] in settings.GPU_ENGINES]
    level = Error if settings.REDIS_URL.startswith("unix:") else Warning
    if not engines:
        return []
    missing = [library for library in ("torch", "transformers", "accelerate") if find_spec(library) is None]
    if missing:
        told = f"{engines[0]} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed here."
        return [level(told, id="north.E009", hint="Where the model worker runs: pip install -e '.[gpu]'")]
    if settings.DEVICE.startswith("cuda") and not gpus():
        hint = "Install its driver (nvidia-smi shows it; in a container, its runtime: --gpus all), or set engines for the CPU."
        return [level(f"{engines[0]} is set to run on {settings.DEVICE}, and no GPU is found here.", id="north.E010", hint=hint)]
    return []


def gpus() -> int:
    """How many NVIDIA's driver sees (CUDA driver API, cuDeviceGetCount)."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


@register(TAG)
def weights_are_numbers(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    given = settings.FUSION_WEIGHTS
    if given and (len(given) != 3 or not all(finite(part) for part in given)):
        hint = "Give three, as cosine,words,offset, or leave it out for those that suit the embedding model."
        problems.append(Error("NORTH_FUSION_WEIGHTS is not three numbers between commas.", id="north.E011", hint=hint))
    if settings.RERANK_BLEND and (not finite(settings.RERANK_BLEND) or float(settings.RERANK_BLEND) < 0):
        hint = "Give 0 or more, or leave it out."
        problems.append(Error(f"NORTH_RERANK_BLEND, {settings.RERANK_BLEND!r}, is no such number.", id="north.E012", hint=hint))
    return problems


@register(TAG)
def vectors_are_known(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    if settings.VECTORS not in VECTOR_KINDS or not settings.VECTORS_EXACT.isdigit() or int(settings.VECTORS_EXACT) < 1:
        hint = f"Give NORTH_VECTORS one of {', '.join(VECTOR_KINDS)} and NORTH_VECTORS_EXACT a number of 1 or more, or leave them out."
        said = f"Vectors cannot be kept as {settings.VECTORS!r} from {settings.VECTORS_EXACT!r} chunks on."
        return [Error(said, id="north.E013", hint=hint)]
    return []


@register(TAG)
def chunks_are_of_some_length(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    if settings.CHUNK_CHARACTERS.isdigit() and 200 <= int(settings.CHUNK_CHARACTERS) <= 4000:
        return []
    hint = "Give NORTH_CHUNK_CHARACTERS a number from 200 to 4000, or leave it out: 1000 suits most documents."
    return [Error(f"Documents cannot be cut into chunks of {settings.CHUNK_CHARACTERS!r} characters.", id="north.E020", hint=hint)]


def finite(part: str) -> bool:
    try:
        return math.isfinite(float(part))
    except ValueError:
        return False


@register(TAG)
def webhooks_go_where_they_may(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    """What stands in the list and is neither a network nor a host's name allows nothing."""
    return [
        Error(
            f"{entry!r} of NORTH_OUTBOUND_ALLOWED is neither a host's name nor a network.",
            id="north.E014",
            hint="Write names and networks, separated by commas: NORTH_OUTBOUND_ALLOWED=hooks.internal,10.1.0.0/16",
        )
        for entry in settings.OUTBOUND_ALLOWED
        if not (network(entry) or HOST.fullmatch(entry))
    ]


def network(entry: str) -> bool:
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True


@register(TAG)
def folders_can_be_used(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < ENOUGH_DISK:
        problems.append(
            Warning(
                f"Only {free / 1e9:.1f} GB are free in {settings.DATA_DIR}.",
                id="north.W002",
                hint="Free some space, or move the data: NORTH_DATA_DIR=/a/larger/disk.",
            )
        )
    problems += [
        Warning(f"{root} of NORTH_FOLDER_ROOTS is not there.", id="north.W003", hint="Mount it, or take it out of the list.")
        for root in settings.FOLDER_ROOTS
        if not root.is_dir()
    ]
    return problems
