"""What the reading child says to its parent, as bytes. The parent trusts none of it: `unpack` checks every field before it is a Parsed.

    READY                     the child is confined and its parser loaded
    {"error": "Encrypted", "message": "..."}\\n      or      {}\\n and a payload: a packed Parsed, or a picture

A packed Parsed is a header of four lengths, then JSON (title, author, times, places, notes), the text as UTF-8, and the words
as fixed records.
Never pickle: unpickling what a child says would run it.
"""

from __future__ import annotations

import json
import struct
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from retrieval.parsers.cleaning import MAX_CHARACTERS, clean
from retrieval.types import Parsed, Place, Word

READY: Final = b"ready\n"
HEADER: Final = struct.Struct("<4I")
WORD: Final = struct.Struct("<3I4f")
MAX_JSON: Final = 32_000_000
KINDS: Final = frozenset(("page", "slide", "row", "heading"))


class Malformed(ValueError):
    """The bytes are not what an honest child says."""


def pack(parsed: Parsed) -> bytes:
    about = {
        "media_type": parsed.media_type,
        "title": parsed.title,
        "author": parsed.author,
        "created_at": _said(parsed.created_at),
        "updated_at": _said(parsed.updated_at),
        "places": [(place.start, place.end, place.kind, place.label) for place in parsed.places],
        "notes": parsed.notes,
    }
    head, text = json.dumps(about).encode(), parsed.text.encode()
    words = b"".join(WORD.pack(word.start, word.end, word.page, *word.box) for word in parsed.words)
    return HEADER.pack(len(head), len(text), len(words), parsed.pages) + head + text + words


def unpack(data: bytes) -> Parsed:
    """The Parsed that was packed. Raises Malformed."""
    if len(data) < HEADER.size:
        raise Malformed("no header")
    head_size, text_size, words_size, pages = HEADER.unpack_from(data)
    head_end = HEADER.size + head_size
    text_end = head_end + text_size
    if head_size > MAX_JSON or text_end + words_size != len(data) or words_size % WORD.size:
        raise Malformed("lengths")
    try:
        text = data[head_end:text_end].decode()
        about = json.loads(data[HEADER.size : head_end])
    except (ValueError, RecursionError) as error:
        raise Malformed("encoding") from error
    if len(text) > MAX_CHARACTERS or clean(text) != text:
        raise Malformed("text")
    words = tuple(_word(record, len(text), pages) for record in WORD.iter_unpack(data[text_end:]))
    places = _places(_field(about, "places", list), len(text))
    notes = _field(about, "notes", list)
    if not all(isinstance(note, str) and clean(note) == note for note in notes):
        raise Malformed("notes")
    return Parsed(
        text,
        _line(about, "media_type"),
        _line(about, "title"),
        places,
        words,
        pages,
        tuple(notes),
        author=_line(about, "author"),
        created_at=_moment(about, "created_at"),
        updated_at=_moment(about, "updated_at"),
    )


def _said(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _moment(about: object, name: str) -> datetime | None:
    said = _line(about, name)
    try:
        at = datetime.fromisoformat(said) if said else None
    except ValueError as error:
        raise Malformed(name) from error
    if at and not at.tzinfo:
        raise Malformed(name)
    return at


def _field(about: object, name: str, kind: type) -> Any:
    value = about.get(name) if isinstance(about, dict) else None
    if not isinstance(value, kind):
        raise Malformed(name)
    return value


def _line(about: object, name: str) -> str:
    value: str = _field(about, name, str)
    if len(value) > 1000 or clean(value) != value or "\n" in value:
        raise Malformed(name)
    return value


def _places(rows: list[Any], length: int) -> tuple[Place, ...]:
    places = tuple(_place(row, length) for row in rows)
    if any(before.start > after.start for before, after in pairwise(places)):
        raise Malformed("places")
    return places


def _place(row: Any, length: int) -> Place:
    match row:
        case [int(start), int(end), str(kind), str(label)] if 0 <= start < end <= length and kind in KINDS and clean(label) == label:
            return Place(start, end, kind, label)  # type: ignore[arg-type]
    raise Malformed("places")


def _word(record: tuple[Any, ...], length: int, pages: int) -> Word:
    start, end, page, left, top, right, bottom = record
    if not (start < end <= length and 1 <= page <= pages and 0 <= left <= right <= 1 and 0 <= top <= bottom <= 1):
        raise Malformed("words")
    return Word(start, end, page, (left, top, right, bottom))
