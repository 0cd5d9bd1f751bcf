"""What may stand in a text, and the draft in which a parser writes it down. Knows no file format.

Left out: control characters, and what a reader does not see but a model does, since text is hidden in it (zero-width characters,
Unicode tags, variation selectors, marks that turn the direction of writing). Joiners stay inside words of scripts written with them.
Every piece is cleaned as it is written, so places and words are right from the start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from retrieval.errors import NoText, TooLarge
from retrieval.types import Attached, Parsed, Place, Word

MAX_CHARACTERS: Final = 10_000_000
MAX_LABEL: Final = 200
BETWEEN_CELLS: Final = " | "
Kind = Literal["page", "slide", "row", "heading", "table"]

LINE_ENDS: Final = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
UNSEEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
STRAY_JOINERS: Final = re.compile(
    "(?<![^\x00-\u02ff\u200c\u200d\\s])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\u02ff\\s])|[\u200c\u200d]{2,}"
)
SPACES: Final = re.compile(r"\s+")


def clean(text: str) -> str:
    """The same text with `\\n` as its only line end and without what is not to be seen. Idempotent; O(n)."""
    if text.isascii() and text.isprintable():
        return text
    return STRAY_JOINERS.sub("", UNSEEN.sub("", LINE_ENDS.sub("\n", text)))


def one_line(text: str) -> str:
    return SPACES.sub(" ", clean(text)).strip()


class Draft:
    """A text in the making: what is written is cleaned, and `write` says where it stands."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type
        self.title = ""
        self.author = ""
        self.created_at: datetime | None = None
        self.updated_at: datetime | None = None
        self.notes: list[str] = []
        self.attached: list[Attached] = []
        self.length = 0
        self._pieces: list[str] = []
        self._tail = ""
        self._places: list[Place] = []
        self._section: tuple[int, str, int] | None = None

    def write(self, text: str) -> tuple[int, int]:
        """Adds the text and gives its start and end. Raises TooLarge."""
        text = clean(text)
        start = self.length
        self.length += len(text)
        if self.length > MAX_CHARACTERS:
            raise TooLarge("The file's text is very long", f"{MAX_CHARACTERS:,} characters")
        if text:
            self._pieces.append(text)
            self._tail = (self._tail + text[-2:])[-2:]
        return start, self.length

    def line(self, text: str) -> tuple[int, int]:
        """Adds the text as a line of its own."""
        self.end_line()
        span = self.write(text)
        self.end_line()
        return span

    def end_line(self) -> None:
        if self._tail and not self._tail.endswith("\n"):
            self.write("\n")

    def paragraph(self, text: str = "") -> tuple[int, int]:
        """An empty line, and then the text as a line of its own."""
        self.end_line()
        if self._tail and self._tail != "\n\n":
            self.write("\n")
        return self.line(text) if text else (self.length, self.length)

    def heading(self, text: str, level: int = 0) -> None:
        """A heading as a paragraph of its own; its place reaches to the next heading."""
        label = one_line(text)
        if label:
            self.paragraph()
            self.section(label, level)
            self.line(label)

    def section(self, label: str, level: int = 0) -> None:
        """What follows, up to the next section, stands under this heading."""
        self.close_section()
        self._section = (self.length, label, level)

    def close_section(self) -> None:
        self._end_section(self.length)

    def _end_section(self, end: int) -> None:
        if self._section is not None:
            start, label, level = self._section
            self.place("heading", label, start, end, level)
            self._section = None

    def mark(self, headings: Sequence[tuple[str, int]], start: int) -> None:
        """Sections of what was written since `start`, each from where its words stand, else from where the one before does."""
        text = self._since(start) if headings else ""
        at = 0
        for label, level in headings:
            words = [re.escape(word) for word in label.split()]
            found = re.compile(r"\s*".join(words), re.IGNORECASE).search(text, at)
            at = found.start() if found else at
            self._end_section(start + at)
            self._section = (start + at, label, level)

    def table(self, start: int) -> None:
        """What was written since `start` is a table, if it is rows of cells."""
        text = self._since(start)
        rows = text.strip().split("\n")
        if len(rows) > 1 and all(BETWEEN_CELLS in row for row in rows[:2]):
            self.place("table", rows[0], start + len(text) - len(text.lstrip()), start + len(text.rstrip()))

    def _since(self, start: int) -> str:
        count, length = 0, 0
        while length < self.length - start:
            count += 1
            length += len(self._pieces[-count])
        return "".join(self._pieces[len(self._pieces) - count :])[length - (self.length - start) :]

    def place(self, kind: Kind, label: str, start: int, end: int, level: int = 0) -> None:
        label = one_line(label)[:MAX_LABEL].strip()
        if start < end and label:
            self._places.append(Place(start, end, kind, label, level))

    def note(self, sentence: str) -> None:
        """A sentence for a person on what could not be read; said once."""
        sentence = one_line(sentence)[:500]
        if sentence not in self.notes and len(self.notes) < 100:
            self.notes.append(sentence)

    @property
    def blank(self) -> bool:
        return not any(piece.strip() for piece in self._pieces)

    def parsed(self, *, words: Sequence[Word] = (), pages: int = 0, nothing: str = "") -> Parsed:
        """What was written. Raises NoText, with `nothing` as its reason, where that is only white space."""
        if self.blank:
            raise NoText(nothing)
        self.close_section()
        places = tuple(sorted(self._places, key=lambda place: (place.start, -place.end)))
        title = one_line(self.title)[:MAX_LABEL]
        return Parsed(
            "".join(self._pieces),
            self.media_type,
            title,
            places,
            tuple(words),
            pages,
            tuple(self.notes),
            author=self.author,
            created_at=self.created_at,
            updated_at=self.updated_at,
            attached=tuple(self.attached),
        )
