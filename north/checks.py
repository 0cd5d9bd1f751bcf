"""System checks: what is misconfigured, and how to mend it. `manage.py check`, `up` and `doctor` run them."""

from __future__ import annotations

import ipaddress
import shutil
import stat
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from north.inference import catalogue

TAG = "north"
ENOUGH_DISK = 2_000_000_000


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
        module = str(config["engine"]).rpartition(".")[0]
        try:
            found = find_spec(module)  # not imported: a web process never loads a model library
        except ImportError:
            found = None
        if found is None:
            problems.append(
                Error(
                    f"The engine of the {role} model, {config['engine']}, is not installed.",
                    id="north.E006",
                    hint=f"Mend NORTH_{role.upper()}_ENGINE, or leave it out for the default.",
                )
            )
        known = [model.name for model in catalogue.MODELS if model.role == role]
        if str(config["engine"]).startswith("north.inference.") and "models_dir" in config and config["model"] not in known:
            problems.append(
                Error(
                    f"The catalogue knows no {role} model {config['model']!r}.",
                    id="north.E007",
                    hint=f"Set NORTH_{role.upper()}_MODEL to one of: {', '.join(known)}."
                    if known
                    else f"Take NORTH_{role.upper()}_MODEL away.",
                )
            )
    return problems


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
