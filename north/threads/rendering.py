"""An answer as HTML: markdown, its cited words as links, what rests on nothing marked, and all of it sanitised last.

The words of an answer come from a model that has read documents of strangers: nothing in them is trusted. Markdown without HTML and
images goes in, an allow-list comes out, and no address of another origin is ever fetched. Knows no database.

Where a span begins and ends is carried through markdown by characters of a private use area, put beside a letter or digit inside the
span, where they change no markup. If one gets lost all the same (in the address of a link, say), the answer is shown as plain text
with the same spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit

import nh3
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

FIRST_MARK = 0xF0000  # Supplementary Private Use Area-A: 2 * n opens span n, 2 * n + 1 closes it
LAST_MARK = 0xFFFFD
PRIVATE = re.compile("[\U000f0000-\U000ffffd]")
LIST_MARKER = re.compile(r"^[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+", re.MULTILINE)
DESTINATION = re.compile(r"\]\([^)\n]*\)|^[ \t]*(?:```|~~~)[^\n]*", re.MULTILINE)
WORD = re.compile(r"[^\W_]")
PLAIN = r"[^\s*_~`\[\]()<>#|\\!+=&-]"
"""What can stand beside a word without being markup."""
# Matches anywhere, if only nothing.
BEFORE, AFTER = re.compile(PLAIN), re.compile(rf"(?: ?{PLAIN})*")
BLOCKS = {"p", "li", "ul", "ol", "blockquote", "pre", "table", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6"}
TAGS = {*BLOCKS, "thead", "tbody", "strong", "em", "s", "code", "hr", "br", "a", "span", "sup"}
ATTRIBUTES = {
    "a": {"href", "title", "data-pane", "data-sources", "tabindex", "aria-hidden"},
    "span": {"tabindex", "title", "data-tip", "data-sources"}, "ol": {"start"},
}  # fmt: skip
CLASSES = {"a": {"cite", "outside"}, "span": {"cite", "closed", "unsupported", "sr-only", "host"}}


@dataclass(frozen=True, slots=True)
class Mark:
    """Answer characters `start` to `end` (code points, exclusive) that are to stand out; without sources: that rest on nothing."""

    start: int
    end: int
    sources: tuple[int, ...] = ()
    """The numbers under which the page lists them."""
    href: str = ""
    """Where the first source is read; empty where the reader may open none."""
    title: str = ""
    """For people: the source's name and its words."""


def render(text: str, marks: Sequence[Mark] = ()) -> SafeString:
    """Safe HTML of `text`. Marks that overlap an earlier one lose what they share with it."""
    text = PRIVATE.sub("\N{REPLACEMENT CHARACTER}", text)
    apart = list(disjoint(marks, len(text)))
    marked = Marker(apart)
    marked.feed(MARKDOWN.render(planted(text, apart)))
    marked.close()
    if marked.opened != len(apart) or marked.open is not None:
        marked = Marker(apart)
        marked.feed(f"<p>{plain(text, apart)}</p>")
        marked.close()
    return sanitised("".join(marked.out))


def sanitised(html: str) -> SafeString:
    clean = nh3.clean(
        html, tags=TAGS, attributes=ATTRIBUTES, allowed_classes=CLASSES, url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )  # fmt: skip
    return mark_safe(clean)  # noqa: S308  (what nh3 has just cleaned)


def disjoint(marks: Sequence[Mark], length: int) -> Iterator[Mark]:
    before = 0
    for mark in sorted(marks, key=lambda mark: (mark.start, -mark.end)):
        start, end = max(mark.start, before), min(mark.end, length)
        if start < end:
            yield Mark(start, end, mark.sources, mark.href, mark.title)
            before = end


def planted(text: str, marks: Sequence[Mark]) -> str:
    """The text with a private character before the first and after the last word character of each mark; marks that hold none are
    left to the plain rendering."""
    hidden = sorted(match.span() for pattern in (LIST_MARKER, DESTINATION) for match in pattern.finditer(text))
    pieces, done = [], 0
    for number, mark in enumerate(marks):
        inside = [at for at in range(mark.start, mark.end) if WORD.match(text[at]) and not any(a <= at < b for a, b in hidden)]
        if inside:
            first, last = inside[0], inside[-1] + 1
            while first > mark.start and BEFORE.match(text[first - 1]):
                first -= 1
            last = AFTER.match(text, last, mark.end).end()  # type: ignore[union-attr]
            pieces += [text[done:first], chr(FIRST_MARK + 2 * number), text[first:last], chr(FIRST_MARK + 2 * number + 1)]
            done = last
    return "".join([*pieces, text[done:]])


def plain(text: str, marks: Sequence[Mark]) -> str:
    pieces, done = [], 0
    for number, mark in enumerate(marks):
        words = escape(text[mark.start : mark.end])
        pieces += [escape(text[done : mark.start]), chr(FIRST_MARK + 2 * number), words, chr(FIRST_MARK + 2 * number + 1)]
        done = mark.end
    return "".join([*pieces, escape(text[done:])]).replace("\n", "<br>")


class Marker(HTMLParser):
    """Turns the private characters in the text of well-formed HTML into links, piece by piece where a mark crosses other elements."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        super().__init__(convert_charrefs=True)
        self.marks = marks
        self.out: list[str] = []
        self.open: Mark | None = None
        self.opened = 0
        self.shown = False
        """A piece of the open mark has been written."""
        self.piece: tuple[int, str, bool] | None = None
        """The newest piece: where it stands in `out`, its words, and whether it is not the first."""
        self.links = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += tag == "a"
        self.out.append(PRIVATE.sub("", self.get_starttag_text() or ""))

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.out.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self.links -= tag == "a"
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        for piece in re.split(f"({PRIVATE.pattern})", data):
            if PRIVATE.fullmatch(piece):
                self.boundary(ord(piece) - FIRST_MARK)
            elif piece:
                self.out.append(self.wrapped(piece))

    def boundary(self, code: int) -> None:
        number, closes = divmod(code, 2)
        if closes:
            self.number()
            self.open = None
        else:
            self.open, self.shown = self.marks[number], False
            self.opened += 1

    def wrapped(self, piece: str) -> str:
        words = escape(piece)
        if self.open is None or self.links or not piece.strip():
            return words
        self.piece, self.shown = (len(self.out), words, self.shown), True
        return element(self.open, words, self.piece[2])

    def number(self) -> None:
        """The numbers of the sources stand at the end of the mark, in its newest piece if nothing came after that."""
        if self.open is None or self.links or not self.open.sources:
            return
        numbers = f"<sup>{' '.join(map(str, self.open.sources))}</sup>"
        if self.piece and self.shown and self.piece[0] == len(self.out) - 1:
            self.out[-1] = element(self.open, self.piece[1] + numbers, self.piece[2])
        else:
            self.out.append(element(self.open, numbers, self.shown))


def element(mark: Mark, inner: str, again: bool) -> str:
    """One piece of a mark. Only its first is a stop for the keyboard."""
    sources, title = " ".join(map(str, mark.sources)), escape(mark.title)
    stop = ' tabindex="-1"' if again else ""
    if mark.href:
        return f'<a class="cite" data-pane data-sources="{sources}" href="{escape(mark.href)}" title="{title}"{stop}>{inner}</a>'
    if mark.sources:
        return f'<span class="cite closed" data-sources="{sources}" title="{title}">{inner}</span>'
    tip, said = escape(_("Nothing that was found supports these words.")), escape(_("(no source)"))
    reachable = "" if again else f'<span class="sr-only"> {said}</span>'
    return f'<span class="unsupported" tabindex="{-1 if again else 0}" data-tip="{tip}">{inner}{reachable}</span>'


class Renderer(RendererHTML):
    """Links say where they lead; pictures are their description in words."""

    def image(self, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
        return escape(self.renderInlineAsText(tokens[index].children, options, env))  # type: ignore[arg-type]

    def link_open(self, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
        address = str(tokens[index].attrGet("href") or "")
        return f'<a class="outside" href="{escape(address)}">' if host(address) else "<span>"

    def link_close(self, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
        address = opening(tokens, index)
        return f'</a><span class="host"> ({escape(host(address))})</span>' if host(address) else "</span>"


def opening(tokens: Sequence[Token], index: int) -> str:
    """The address of the link that is closed at `index`; links do not nest."""
    return next(str(token.attrGet("href") or "") for token in reversed(tokens[:index]) if token.type == "link_open")


def host(address: str) -> str:
    """Where an address really leads; empty for what is not to be a link."""
    try:
        parts = urlsplit(PRIVATE.sub("", address))
        return (parts.hostname or "") if parts.scheme in {"http", "https"} else parts.path if parts.scheme == "mailto" else ""
    except ValueError:
        return ""


MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "linkify": False}, renderer_cls=Renderer)
    .enable(["table", "strikethrough"])
    .disable(["html_block", "html_inline", "reference", "autolink"])
)
