"""Plain text, Markdown, JSON and YAML: as they are, decoded right. Headings of Markdown become places."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from charset_normalizer import from_bytes

from retrieval.errors import Unreadable
from retrieval.parsers.cleaning import Draft, clean
from retrieval.types import Parsed

MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ATX: Final = re.compile(r" {0,3}#{1,6}[ \t]")
SETEXT: Final = re.compile(r" {0,3}(?:=+|-+)[ \t]*")
FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
NOT_A_TITLE: Final = re.compile(r"\s*$|[ \t]*(?:[-+*>|#]|\d+[.)])|\s{4}")


def decode(data: bytes) -> str:
    """The text in bytes of unknown encoding: by its mark, as UTF-8, as UTF-16 without a mark, by its letters. Raises Unreadable."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed(data)
    return _guessed(data) if "\0" in text else text


def _guessed(data: bytes) -> str:
    start = data[:4096]
    if b"\0" in start:
        even, odd = start[::2], start[1::2]
        for encoding, letters, zeros in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
            if zeros.count(0) > len(zeros) * 0.4 and letters.count(0) < len(letters) * 0.05:
                return data.decode(encoding, errors="replace")
        if start.count(0) > 8 or start.count(0) > len(start) / 10:
            raise Unreadable("it holds binary data, not text")
        return data.decode("utf-8", errors="replace")
    best = from_bytes(data[:200_000]).best() if len(data) > 200 else None
    return data.decode(best.encoding if best else "cp1252", errors="replace")


def parse_plain(data: bytes) -> Parsed:
    return _as_it_is(data, "text/plain")


def parse_json(data: bytes) -> Parsed:
    return _as_it_is(data, "application/json")


def parse_yaml(data: bytes) -> Parsed:
    return _as_it_is(data, "application/yaml")


def _as_it_is(data: bytes, media_type: str) -> Parsed:
    draft = Draft(media_type)
    draft.write(decode(data))
    return draft.parsed()


def parse_markdown(data: bytes) -> Parsed:
    """The source text, its marks included; the first heading is the title."""
    draft = Draft("text/markdown")
    text = clean(decode(data))
    position = 0
    for start, label, level in headings(text):
        draft.write(text[position:start])
        draft.section(label, level)
        draft.title = draft.title or label
        position = start
    draft.write(text[position:])
    return draft.parsed()


def headings(markdown: str) -> Iterator[tuple[int, str, int]]:
    """Start, words and level of each heading (`# ATX` and underlined) outside fenced code and front matter, in order."""
    fence = "---" if markdown.startswith("---\n") else ""
    position, above = 0, (0, "")
    for number, line in enumerate(markdown.split("\n")):
        mark = FENCE.match(line)
        if fence:
            fence = "" if number and line.strip().startswith(fence) and not line.strip(" `~-") else fence
            line_above = ""
        elif mark:
            fence, line_above = mark[1], ""
        else:
            line_above = line
            if ATX.match(line) and (label := _without_hashes(line)):
                yield position, label, len(line.strip()) - len(line.strip().lstrip("#"))
                line_above = ""
            elif SETEXT.fullmatch(line):
                if not NOT_A_TITLE.match(above[1]):
                    yield above[0], above[1].strip(), 1 if "=" in line else 2
                line_above = ""
        above = (position, line_above)
        position += len(line) + 1


def _without_hashes(line: str) -> str:
    label = line.strip().lstrip("#").strip()
    without = label.rstrip("#")
    return without.rstrip() if without != label and without[-1:] in ("", " ", "\t") else label
