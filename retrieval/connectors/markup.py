"""XML and HTML from strangers: read without network, entities or DTDs, into trees or into a sentence on what is wrong with them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree, html

from retrieval.errors import SourceGarbled

MOST_BYTES: Final = 50_000_000
HTML_BEGINS: Final = re.compile(rb"\s*(?:<\?xml[^>]*>\s*|<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)


def xml(data: bytes, where: str) -> Any:
    """The root of an XML document. Raises SourceGarbled for what is none, such as half of one."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceGarbled(where, "no XML, or only a part of it") from error
    if root.getroottree().docinfo.internalDTD is not None and root.getroottree().docinfo.internalDTD.entities():
        raise SourceGarbled(where, "XML that defines entities, which are not taken from strangers")
    return root


def named(root: Any, *names: str) -> Iterator[Any]:
    """The elements below that have one of these names, whatever their namespace."""
    return (one for one in root.iter(*(f"{{*}}{name}" for name in names)))


def child(element: Any, *names: str) -> Any | None:
    """The first child of the first of these names that has one."""
    return next((one for name in names for one in element.iterchildren(f"{{*}}{name}")), None)


def text(element: Any, *names: str) -> str:
    """What stands in such a child, without the white space around it."""
    found = child(element, *names)
    return "".join(found.itertext()).strip() if found is not None else ""


def page(data: bytes, encoding: str = "") -> Any | None:
    """The root of an HTML page, or None for what holds nothing of one."""
    try:
        return html.document_fromstring(data, parser=html.HTMLParser(encoding=_known(encoding), no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def whole_page(data: bytes) -> bytes:
    """The same, beginning so that it is told to be HTML whatever its name."""
    return data if HTML_BEGINS.match(data[:4096]) else b"<!doctype html>\n" + data


def _known(encoding: str) -> str | None:
    try:
        return codecs.lookup(encoding).name if encoding else None
    except (LookupError, ValueError):
        return None
