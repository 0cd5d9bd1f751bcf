"""How much of an expected Markdown a reader found: its words, and the cells of its tables. Pure.

Both are compared as bags, so that the order of columns on a page, and how a format writes emphasis, do not count.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from html import unescape
from unicodedata import normalize

from retrieval.types import Parsed

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>|~$&])")
TAG = re.compile(r"</?[a-zA-Z][^>\n]*>")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
RULE = re.compile(r"[\s|:=-]+")
LINE = re.compile(r"[^\n]+")


def plain(markdown: str) -> str:
    """Without comments, the addresses of links, tags and escapes."""
    return unescape(ESCAPED.sub(r"\1", TAG.sub(" ", LINK.sub(r"\1", COMMENT.sub(" ", markdown)))))


def words(text: str) -> Counter[str]:
    return Counter(WORD.findall(normalize("NFKC", text).casefold()))


def recall(expected: Counter[str], found: Counter[str]) -> float:
    return (expected & found).total() / expected.total() if expected else 1.0


def f1(expected: Counter[str], found: Counter[str]) -> float:
    shared = (expected & found).total()
    return 2 * shared / (expected.total() + found.total()) if expected or found else 1.0


def cells(markdown: str) -> Counter[str]:
    """The filled cells of all pipe tables."""
    lines = [line.strip() for line in markdown.split("\n")]
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|") and line.count("|") > 1 and not RULE.fullmatch(line)]
    return cleaned(cell for row in rows for cell in row)


def cells_of(parsed: Parsed) -> Counter[str]:
    """The same of what North read: a row's cells are parted by " | " or, where it is a place, each behind its column's name."""
    rows = {(place.start, place.end) for place in parsed.places if place.kind == "row"}
    spans = [match.span() for match in LINE.finditer(parsed.text)]
    lines = [parsed.text[start:end] for start, end in spans if (start, end) in rows or " | " in parsed.text[start:end]]
    return cleaned(cell for line in lines for cell in split(line))


def split(line: str) -> list[str]:
    if " | " in line:
        return line.split(" | ")
    return [cell.partition(": ")[2] or cell for cell in line.split("; ")]


def cleaned(found: Iterable[str]) -> Counter[str]:
    return Counter(text for cell in found if (text := " ".join(WORD.findall(normalize("NFKC", plain(cell)).casefold()))))
