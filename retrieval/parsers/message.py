"""What the reading child says to its parent, as bytes. The parent trusts none of it: `unpack` checks every field before it is a Parsed.

    READY                     the child is confined and its parser loaded
    {"error": "Encrypted", "message": "..."}\\n      or      {}\\n and a payload: a packed Parsed, or a picture

A packed Parsed is a header of four lengths, then JSON (title, author, times, places, notes, what is attached), the text as UTF-8, the words
as fixed records, and the attached files' bytes.
Never pickle: unpickling what a child says would run it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from retrieval.parsers.cleaning import MAX_CHARACTERS, clean
from retrieval.parsers.names import clean_folder, clean_name
from retrieval.types import Attached, Parsed, Place, Word

READY: Final = b"ready\n"
HEADER: Final = struct.Struct("<4I")
WORD: Final = struct.Struct("<3I4f")
MAX_JSON: Final = 32_000_000
MAX_ATTACHED: Final = 1000
KINDS: Final = frozenset(("page", "slide", "row", "heading", "table"))
LEVELS: Final = range(100)


class Malformed(ValueError):
    """The bytes are not what an honest child says."""


def pack(parsed: Parsed) -> bytes:
    about = {
        "media_type": parsed.media_type,
        "title": parsed.title,
        "author": parsed.author,
        "created_at": _said(parsed.created_at),
        "updated_at": _said(parsed.updated_at),
        "places": [(place.start, place.end, place.kind, place.label, place.level) for place in parsed.places],
        "notes": parsed.notes,
        "attached": [(one.name, one.folder, len(one.data)) for one in parsed.attached],
    }
    head, text = json.dumps(about).encode(), parsed.text.encode()
    words = b"".join(WORD.pack(word.start, word.end, word.page, *word.box) for word in parsed.words)
    attached = b"".join(one.data for one in parsed.attached)
    return b"".join((HEADER.pack(len(head), len(text), len(words), parsed.pages), head, text, words, attached))


def unpack(data: bytes) -> Parsed:
    """The Parsed that was packed. Raises Malformed."""
    if len(data) < HEADER.size:
        raise Malformed("no header")
    head_size, text_size, words_size, pages = HEADER.unpack_from(data)
    head_end = HEADER.size + head_size
    text_end = head_end + text_size
    words_end = text_end + words_size
    if head_size > MAX_JSON or words_end > len(data) or words_size % WORD.size:
        raise Malformed("lengths")
    try:
        text = data[head_end:text_end].decode()
        about = json.loads(data[HEADER.size : head_end])
    except (ValueError, RecursionError) as error:
        raise Malformed("encoding") from error
    if len(text) > MAX_CHARACTERS or clean(text) != text:
        raise Malformed("text")
    words = tuple(_word(record, len(text), pages) for record in WORD.iter_unpack(data[text_end:words_end]))
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
        attached=tuple(_attached(_field(about, "attached", list), data, words_end)),
    )


def _attached(rows: list[Any], data: bytes, start: int) -> Iterator[Attached]:
    for row in rows[: MAX_ATTACHED + 1]:
        match row:
            case [str(name), str(folder), int(size)] if 0 < size <= len(data) - start and clean_name(name) == name:
                if "/".join(clean_folder(folder)) != folder:
                    raise Malformed("attached")
                yield Attached(name, data[start : start + size], folder)
                start += size
            case _:
                raise Malformed("attached")
    if start != len(data) or len(rows) > MAX_ATTACHED:
        raise Malformed("attached")


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
        case [int(start), int(end), str(kind), str(label), int(level)] if (
            0 <= start < end <= length and kind in KINDS and clean(label) == label and level in LEVELS
        ):
            return Place(start, end, kind, label, level)  # type: ignore[arg-type]
    raise Malformed("places")


def _word(record: tuple[Any, ...], length: int, pages: int) -> Word:
    start, end, page, left, top, right, bottom = record
    if not (start < end <= length and 1 <= page <= pages and 0 <= left <= right <= 1 and 0 <= top <= bottom <= 1):
        raise Malformed("words")
    return Word(start, end, page, (left, top, right, bottom))
