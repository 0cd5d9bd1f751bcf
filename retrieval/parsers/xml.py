"""XML of any kind (articles, patents, business reports, feeds): the words of its elements, block by block. Titles become headings.

Entities are not resolved and nothing is fetched; a document whose entities are made of entities (billion laughs) is refused.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from retrieval.errors import Unreadable
from retrieval.parsers.cleaning import SPACES, Draft
from retrieval.types import Parsed

TITLES: Final = frozenset(("title", "article-title", "heading", "head", "invention-title", "subtitle"))
INLINE: Final = frozenset(
    (
        "b",
        "i",
        "u",
        "em",
        "strong",
        "span",
        "a",
        "sub",
        "sup",
        "italic",
        "bold",
        "xref",
        "ext-link",
        "emphasis",
        "link",
        "br",
        "figref",
        "claim-ref",
    )
)
ROWS: Final = frozenset(("row", "tr"))
CELLS: Final = frozenset(("entry", "td", "th", "cell"))
TABLES: Final = frozenset(("table", "tgroup", "table-wrap"))
LEFT_OUT: Final = frozenset(("script", "style", "math", "binary", "svg"))
NESTED: Final = re.compile(rb"""<!ENTITY\s+(?:%\s+)?[^\s<>]{1,100}\s+(?:"[^"<>]{0,100000}?&|'[^'<>]{0,100000}?&)""")
MAX_DEPTH: Final = 9


def parse(data: bytes) -> Parsed:
    if NESTED.search(data, 0, 1_000_000):
        raise Unreadable("its XML entities unpack to far more than its size")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True, remove_comments=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable("its XML is damaged") from error
    if root is None:
        raise Unreadable("its XML is damaged")
    draft = Draft("application/xml")
    _Writer(draft).write(root)
    return draft.parsed(nothing="its elements hold no words")


class _Writer:
    """Walks the tree once: what stands in one block is a line, a row's cells are parted by " | "."""

    def __init__(self, draft: Draft) -> None:
        self._draft, self._line, self._depth, self._table = draft, list[str](), 0, 0

    def write(self, root: etree._Element) -> None:
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            name = _name(element)
            if event == "start" and name in LEFT_OUT:
                walk.skip_subtree()
            elif event == "start":
                self._start(name)
                self._line.append(element.text or "")
            elif name in LEFT_OUT:
                self._line.append(element.tail or "")
            else:
                self._end(name)
                self._line.append(element.tail or "")
        self._flush()

    def _start(self, name: str) -> None:
        self._depth += 1
        if name in CELLS:
            self._line.append(" | " if "".join(self._line).strip() else "")
        elif name not in INLINE:
            self._flush()
        if name in TABLES:
            self._table = self._draft.paragraph()[0]

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name in TITLES:
            self._title()
        elif name in TABLES:
            self._flush()
            self._draft.table(self._table)
        elif name not in INLINE and name not in CELLS:
            self._flush()

    def _title(self) -> None:
        words = SPACES.sub(" ", "".join(self._line)).strip()
        self._line.clear()
        self._draft.title = self._draft.title or words
        self._draft.heading(words, min(max(self._depth, 1), MAX_DEPTH))

    def _flush(self) -> None:
        words = SPACES.sub(" ", "".join(self._line)).strip(" |")
        self._line.clear()
        if words:
            self._draft.line(words)


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else "script"
