"""Secrets that North must say again, encrypted where they lie: by Fernet (AES-128-CBC with HMAC-SHA256). What is only compared is hashed
instead (`workspaces.models.digest`).

The newest key seals, and all of them open: those of NORTH_SEALING_KEYS, then those of the file `sealing-keys` in the data folder, a line
each, and last a key made of the installation's secret key. The file is looked at each time, so processes that run take a new key at once.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """It was sealed under a key that is gone, or changed since."""

    permanent = True

    def __init__(self) -> None:
        super().__init__("A stored secret cannot be read: the key that sealed it is gone. Enter the secret again.")


def seal(secret: str) -> str:
    return boxes()[0].encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises `Unreadable`."""
    try:
        return MultiFernet(boxes()).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable from error


def is_fresh(sealed: str) -> bool:
    """Whether the newest key sealed it."""
    try:
        boxes()[0].decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def boxes() -> list[Fernet]:
    """The newest first."""
    made = [derived(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return [Fernet(key) for key in (*settings.SEALING_KEYS, *kept())] + made


def derived(secret: str | bytes) -> Fernet:
    given = secret.encode() if isinstance(secret, str) else secret
    key = HKDF(algorithm=SHA256(), length=32, salt=b"north", info=b"sealed secrets").derive(given)
    return Fernet(base64.urlsafe_b64encode(key))


def kept() -> list[str]:
    try:
        return [line.strip() for line in file().read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        return []


def add_key() -> None:
    """A new newest key, in the file; readable by its owner only, and whole or not at all."""
    write([Fernet.generate_key().decode(), *kept()])


def forget_old_keys() -> None:
    """All but the newest one of the file."""
    write(kept()[:1])


def write(keys: list[str]) -> None:
    beside = file().with_suffix(".new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write("".join(f"{key}\n" for key in keys))
        handle.flush()
        os.fsync(handle.fileno())
    beside.replace(file())


def file() -> Path:
    return Path(settings.DATA_DIR) / "sealing-keys"
