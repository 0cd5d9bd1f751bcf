"""HTML: all that a reader of the page sees, block by block. Headings become places; table rows become lines "a | b | c".

Scripts, styles, comments and hidden elements are never text, and links and forms are not followed. Menus (`nav`) are left out where there
is other text. (Main-text extraction by trafilatura lost a sixth of the words of small tables and whole short pages: for a company's own
pages a menu too many is better than a missing row.)
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from lxml import etree
from lxml.html import HtmlElement, HTMLParser

from retrieval.errors import NoText, Unreadable
from retrieval.parsers.cleaning import SPACES, Draft
from retrieval.parsers.properties import describe
from retrieval.parsers.text import MARKS, decode
from retrieval.types import Parsed

# fmt: off
NEVER: Final = frozenset((
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed", "applet", "canvas", "audio", "video", "head",
    "datalist",
))
HEADINGS: Final = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
BLOCKS: Final = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "optgroup", "option",
    "p", "pre", "section", "select", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
))
# fmt: on
APART: Final = frozenset(("p", "table", "ul", "ol", "dl", "section", "article", "pre", "blockquote"))
HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?![.\d]*[1-9])", re.IGNORECASE)
CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE)
META: Final = re.compile(r"<meta\s[^>]{1,2000}>", re.IGNORECASE)
META_WITHIN: Final = 50_000
ATTRIBUTE: Final = re.compile(r"""([\w:-]{1,40})\s*=\s*(["'])(.*?)\2""", re.DOTALL)
SAID: Final = {
    "author": ("author", "dc.creator", "dcterms.creator"),
    "created": ("article:published_time", "dcterms.created", "dc.date", "date"),
    "updated": ("article:modified_time", "dcterms.modified", "last-modified"),
}
XML_DECLARATION: Final = re.compile(r"\s*<\?xml[^>]{0,200}>")


def parse(data: bytes) -> Parsed:
    draft, source = Draft("text/html"), _decoded(data)
    draft.title = write_html(draft, source)
    _describe(draft, source)
    return draft.parsed(nothing="the page shows its content by script only, or shows none")


def write_html(draft: Draft, source: str) -> str:
    """Writes what the page shows into the draft, and gives the page's title. Raises Unreadable."""
    parser = HTMLParser(remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(XML_DECLARATION.sub("", source.replace("\0", ""), count=1).strip() or "<p></p>", parser)
    except (etree.LxmlError, ValueError) as error:
        raise Unreadable("it is not HTML that can be read") from error
    if root is None:
        raise NoText
    start = draft.length
    _Writer(draft, NEVER | {"nav"}).write(root)
    if draft.length == start:
        _Writer(draft, NEVER).write(root)
    return SPACES.sub(" ", root.findtext(".//title") or "").strip()


def _describe(draft: Draft, source: str) -> None:
    """By the page's own `meta` elements, as far as they name an author and times."""
    said: dict[str, str] = {}
    for tag in META.findall(source[:META_WITHIN]):
        given = {name.lower(): value for name, _, value in ATTRIBUTE.findall(tag)}
        said.setdefault((given.get("name") or given.get("property") or "").lower(), unescape(given.get("content", "")))
    first = {kind: next((said[name] for name in names if said.get(name)), "") for kind, names in SAID.items()}
    describe(draft, authors=[first["author"]], created=first["created"], updated=first["updated"])


def _decoded(data: bytes) -> str:
    named = CHARSET.search(data, 0, 4096)
    if named and not data.startswith(tuple(mark for mark, _ in MARKS)):
        try:
            return data.decode(named[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            return decode(data)
    return decode(data)


class _Writer:
    """Walks a tree once, without recursion, and writes its blocks as lines."""

    def __init__(self, draft: Draft, never: frozenset[str]) -> None:
        self._draft = draft
        self._never = never
        self._line: list[str] = []
        self._cells = 0
        """How many table cells the walk is in: inside one, a block's end is a space."""
        self._table = 0
        """Where the table begins that the walk is in, or was in last."""
        self._pre = 0
        self._apart = False
        """Whether an empty line is due before the next words."""

    def write(self, root: HtmlElement) -> None:
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            if event == "end":
                self._end(element)
                self._text(element.tail)
            elif self._left_out(element):
                walk.skip_subtree()
            else:
                self._start(element)
                self._text(element.text)
        self._flush()

    def _left_out(self, element: HtmlElement) -> bool:
        if element.tag in self._never:
            return True
        hidden = "hidden" in element.attrib or HIDDEN.search(element.get("style", "")) is not None
        if hidden and element.tag not in ("html", "body"):
            self._draft.note("Hidden text of the page was left out.")
            return True
        return False

    def _start(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag in ("td", "th"):
            if element.getprevious() is not None:
                self._line.append(" | ")
            self._cells += 1
        elif tag == "br":
            self._text_as_it_is(" " if self._cells else "\n")
        elif tag == "img":
            self._text(element.get("alt"))
        elif tag in BLOCKS or tag in HEADINGS:
            self._border(tag)
            if tag == "table" and not self._cells:
                self._table = self._draft.length
            self._pre += tag == "pre"
            self._text_as_it_is("- " if tag == "li" and not self._cells else "")

    def _end(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag in self._never:
            return
        if tag in ("td", "th"):
            self._cells = max(0, self._cells - 1)
        elif tag in HEADINGS and not self._cells:
            self._draft.heading("".join(self._line), int(tag[1]))
            self._line.clear()
        elif tag in BLOCKS:
            self._border(tag)
            if tag == "table" and not self._cells:
                self._draft.table(self._table)
            self._pre = max(0, self._pre - (tag == "pre"))

    def _border(self, tag: str) -> None:
        if self._cells:
            self._line.append(" ")
            return
        self._flush()
        self._apart = self._apart or tag in APART

    def _text(self, text: str | None) -> None:
        if text:
            self._line.append(text if self._pre else SPACES.sub(" ", text))

    def _text_as_it_is(self, text: str) -> None:
        if text:
            self._line.append(text)

    def _flush(self) -> None:
        text = "".join(self._line)
        self._line.clear()
        if not self._pre:
            text = "\n".join(SPACES.sub(" ", line).strip() for line in text.split("\n"))
        if text.strip(" \t\n-|"):
            if self._apart:
                self._draft.paragraph()
            self._apart = False
            self._draft.line(text.strip("\n") if self._pre else text.strip())
