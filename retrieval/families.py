"""The kinds of documents as people tell them apart: families of media types. Knows no parser."""

from __future__ import annotations

from typing import Final

OPENXML: Final = "application/vnd.openxmlformats-officedocument"
OPENDOCUMENT: Final = "application/vnd.oasis.opendocument"

MEDIA_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "pdf": ("application/pdf",),
    "word": (f"{OPENXML}.wordprocessingml.document", "application/msword", f"{OPENDOCUMENT}.text", "application/rtf"),
    "slides": (f"{OPENXML}.presentationml.presentation", "application/vnd.ms-powerpoint", f"{OPENDOCUMENT}.presentation"),
    "sheet": (f"{OPENXML}.spreadsheetml.sheet", "application/vnd.ms-excel", f"{OPENDOCUMENT}.spreadsheet", "text/csv"),
    "text": ("text/plain", "text/markdown"),
    "page": ("text/html",),
    "mail": ("message/rfc822", "application/vnd.ms-outlook"),
    "book": ("application/epub+zip",),
    "data": ("application/json", "application/yaml", "application/xml"),
    "archive": ("application/zip", "application/x-tar"),
    "picture": ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff", "image/webp"),
}
FAMILIES: Final = {media_type: family for family, media_types in MEDIA_TYPES.items() for media_type in media_types}


def family_of(media_type: str) -> str:
    """A key of MEDIA_TYPES; empty for what no parser reads."""
    return FAMILIES.get(media_type, "")
