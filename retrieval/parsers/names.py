"""One function for every file name that enters: an upload's, an attachment's, a source's. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from retrieval.parsers.cleaning import clean

MAX_BYTES: Final = 255
SLASHES: Final = re.compile("[/\\\\\u2044\u2215\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c]")
NOT_IN_NAMES: Final = re.compile('[<>:"|?*]')
RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE)


def clean_name(name: str) -> str:
    """The name as every system can keep and every page can show it: 1 to 255 bytes of UTF-8, no path, no control or direction mark.

    The extension is kept. What is left of nothing is "file". `clean_name(clean_name(x)) == clean_name(x)`.
    """
    last = [part for part in SLASHES.split(clean(name)) if part.strip(" .")][-1:]
    plain = NOT_IN_NAMES.sub("_", " ".join(unicodedata.normalize("NFC", "".join(last)).split()))
    plain = plain.strip(" .") if plain.startswith("..") else plain.rstrip(" .")
    if RESERVED.fullmatch(plain):
        plain = f"_{plain}"
    return _shortened(plain) or "file"


def clean_folder(path: str) -> list[str]:
    """The folders of a path inside of another file, each a clean name, at most ten: nothing leads out of it."""
    parts = [part for part in SLASHES.split(clean(path)) if part.strip(" .")]
    return [clean_name(part)[:80].rstrip(" .") or "_" for part in parts[:10]]


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > 20:
        stem, dot, extension = name, "", ""
    room = MAX_BYTES - len((dot + extension).encode())
    return (stem.encode()[:room].decode(errors="ignore").rstrip(" .") or "file") + dot + extension
