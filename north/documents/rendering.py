"""Documents' text as HTML, with the words of a span marked. What comes out is escaped, or sanitised as the very last step. Knows no
database: text, places and spans in, HTML out. Offsets are code points of the document's text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from retrieval.tokens import WORDS, terms
from retrieval.types import Place

PART = 30_000
"""Characters of a long text that are shown at once."""
OPEN, CLOSE = "\ue000", "\ue001"
TAGS = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "code",
    "em",
    "strong",
    "s",
    "hr",
    "br",
    "a",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "mark",
}
SANITISER = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
PIECE = re.compile(r"<[^>]*>|[^<]+")
SENTENCE = re.compile(r"[.!?]\s|[。！？]|\n")
SIGNS = re.compile(r"[#*|`>_]+|-{3,}")
SYNTAX = " \t\n#>*_`~[]()|!-+=\\:"


@dataclass(frozen=True)
class Span:
    start: int
    end: int

    def within(self, start: int, end: int) -> Span | None:
        """What of it lies between, or `None`."""
        cut = Span(max(self.start, start), min(self.end, end))
        return cut if cut.start < cut.end else None


@dataclass(frozen=True)
class Part:
    """A piece of a long text: its number (1 is the first) of how many, and where it lies."""

    number: int
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class Row:
    label: str
    html: SafeString
    marked: bool


def part_of(text: str, *, number: int = 0, around: int = 0) -> Part:
    """The part with this number, or, without one, that in which the character `around` lies. Parts end at line ends."""
    starts = [0]
    while len(text) - starts[-1] > PART:
        cut = text.rfind("\n", starts[-1] + 1, starts[-1] + PART)
        starts.append(cut + 1 if cut > 0 else starts[-1] + PART)
    index = min(number, len(starts)) - 1 if number > 0 else bisect_right(starts, max(around, 0)) - 1
    return Part(index + 1, len(starts), starts[index], starts[index + 1] if index + 1 < len(starts) else len(text))


def plain(text: str, start: int, end: int, span: Span | None, headings: Iterable[Place] = ()) -> SafeString:
    """Characters `start` to `end`, escaped, headings strong, the span's marked."""
    strong = [Span(place.start, _line_end(text, place.start)) for place in headings if start <= place.start < end]
    cut = span.within(start, end) if span else None
    edges = {start, end, *(edge for piece in strong for edge in (piece.start, min(piece.end, end)))}
    if cut:
        edges |= {cut.start, cut.end}
    html = []
    borders = sorted(edges)
    for left, right in pairwise(borders):
        piece = str(escape(text[left:right]))
        if any(heading.within(left, right) for heading in strong):
            piece = f"<strong>{piece}</strong>"
        html.append(f"<mark>{piece}</mark>" if cut and cut.within(left, right) else piece)
    return mark_safe("".join(html))  # noqa: S308


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if end >= 0 else len(text)


def markdown(text: str, start: int, end: int, span: Span | None) -> SafeString | None:
    """The rendered Markdown with the span's words marked; `None` where the marks could not be put at the right words.

    Two characters that no text needs stand for the marks while it is rendered. They are trusted only if the result without them is the
    same as the rendering of the text without them."""
    source = text[start:end]
    if OPEN in source or CLOSE in source:
        return None
    whole = MARKDOWN.render(source)
    cut = span.within(start, end) if span else None
    if cut is None:
        return mark_safe(SANITISER.clean(whole))  # noqa: S308
    first, last = _inside(source, cut.start - start, cut.end - start)
    html = MARKDOWN.render(source[:first] + OPEN + source[first:last] + CLOSE + source[last:])
    if html.replace(OPEN, "").replace(CLOSE, "") != whole or html.count(OPEN) != 1 or html.count(CLOSE) != 1:
        return None
    marked = _marked(html)
    return mark_safe(SANITISER.clean(marked)) if marked else None  # noqa: S308


def _inside(source: str, start: int, end: int) -> tuple[int, int]:
    """The span without the signs of Markdown at its ends."""
    while start < end and source[start] in SYNTAX:
        start += 1
    while end > start and source[end - 1] in SYNTAX:
        end -= 1
    return start, end


def _marked(html: str) -> str | None:
    """The text between the two signs in marks of its own for each element; `None` where a sign stands inside a tag."""
    out, on = [], False
    for piece in PIECE.findall(html):
        if piece.startswith("<"):
            if OPEN in piece or CLOSE in piece:
                return None
            out.append(piece)
            continue
        before, opened, rest = piece.partition(OPEN)
        if not opened:
            before, rest = ("", piece) if on else (piece, "")
        on = on or bool(opened)
        inside, closed, after = rest.partition(CLOSE)
        out.append(before + (f"<mark>{inside}</mark>" if inside.strip() else inside) + after)
        on = on and not closed
    return "".join(out)


def rows(text: str, start: int, end: int, span: Span | None, places: Sequence[Place]) -> list[Row]:
    """A sheet's rows that begin between, with their labels."""
    found = [place for place in places if place.kind == "row" and start <= place.start < end]
    return [
        Row(place.label, plain(text, place.start, place.end, span), bool(span and span.within(place.start, place.end))) for place in found
    ]


def place_at(places: Sequence[Place], start: int) -> Place | None:
    """The page in which this character lies, else the narrowest of what can be opened there."""
    around = [place for place in places if place.start <= start < place.end and place.kind != "table"]
    return min(around, key=lambda place: (place.kind != "page", place.end - place.start)) if around else None


def matches(text: str, query: str) -> list[Span]:
    """The words of the text that the query asks for, as the sparse search sees them: by their stems, or by n-grams."""
    words = [word.group() for word in WORDS.finditer(query)]
    telling = [word for word in words if tells(word, shouted=query.isupper())]
    asked = {term for word in telling or words for term in terms(word)}
    found: list[Span] = []
    for match in WORDS.finditer(text):
        if match.lastgroup == "word":
            pieces = [match.span()] if asked & set(terms(match.group())) else []
        else:
            length = 2 if match.lastgroup == "pairs" else 3
            pieces = [(at, at + length) for at in range(match.start(), match.end() - length + 1) if text[at : at + length] in asked]
        for left, right in pieces:
            if found and left <= found[-1].end:
                found[-1] = Span(found[-1].start, right)
            else:
                found.append(Span(left, right))
    return found


def tells(word: str, *, shouted: bool) -> bool:
    """Whether it is more than a word like "the": long enough, of another script, with a digit (E17), or in capitals (VAT) where not all is
    `shouted`."""
    return len(word) > 3 or not word.isascii() or any(map(str.isdigit, word)) or (word.isupper() and len(word) > 1 and not shouted)


def excerpt(text: str, query: str, *, length: int = 320, signs: bool = True) -> tuple[Span, SafeString]:
    """Where in a passage most of the query's words stand near each other, as a span of whole sentences, and the stretch around it as HTML
    with the words marked. `signs` False: without the signs of Markdown."""
    found = matches(text, query)
    start, end = _sentences(text, _densest(text, found, length), length)
    first = max(0, min(start - length // 8, len(text) - length))
    first = text.rfind(" ", 0, first + 1) + 1 if first else 0
    last = min(len(text), max(first + length, end))
    last = last if last == len(text) else max(text.rfind(" ", end, last), end)
    html, at = ["… " if first else ""], first
    for span in (span for span in found if first <= span.start and span.end <= last):
        html.append(f"{_shown(text[at : span.start], signs)}<mark>{escape(text[span.start : span.end])}</mark>")
        at = span.end
    html.append(f"{_shown(text[at:last], signs)}{' …' if last < len(text) else ''}")
    return Span(start, end), mark_safe("".join(html))  # noqa: S308


def _densest(text: str, found: Sequence[Span], length: int) -> Span:
    """The shortest stretch that holds the most different ones of the words."""
    best, most = Span(0, min(length, len(text))), (0, 0)
    for number, first in enumerate(found):
        seen: set[str] = set()
        for other in found[number:]:
            if other.end > first.start + length:
                break
            seen.add(text[other.start : other.end].casefold())
            worth = (len(seen), first.start - other.end)
            if worth > most or not most[0]:
                best, most = Span(first.start, other.end), worth
    return best


def _sentences(text: str, span: Span, length: int) -> tuple[int, int]:
    """The span made as long as the sentences or lines that it begins and ends in, if they are near."""
    before, after = text[max(0, span.start - length) : span.start], text[span.end : span.end + length]
    starts = [match.end() for match in SENTENCE.finditer(before)]
    start = span.start - len(before) + starts[-1] if starts else span.start - (len(before) if span.start <= length else 0)
    if end := SENTENCE.search(after):
        return start, span.end + len(after[: end.start() + (not end.group().isspace())])
    return start, span.end + (len(after.rstrip()) if len(after) < length else 0)


def _shown(text: str, signs: bool) -> str:
    return str(escape(text if signs else SIGNS.sub(" ", text)))
