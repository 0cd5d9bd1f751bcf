"""Secrets that North must say again, encrypted where they lie: by Fernet (AES-128-CBC with HMAC-SHA256), under a key made of the
installation's secret key. What is only compared is hashed instead (`workspaces.models.digest`)."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """It was sealed under another secret key, or changed since."""

    permanent = True


def seal(secret: str) -> str:
    return box().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises `Unreadable`."""
    try:
        return box().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable from error


def box() -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=b"north", info=b"sealed secrets").derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))
