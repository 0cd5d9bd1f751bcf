"""The list of its pages that a web site gives in sitemaps (sitemaps.org, protocol 0.9): in one file or in many, as XML, text or gzip."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final

from retrieval.connectors import markup
from retrieval.connectors.webpages import plain
from retrieval.errors import SourceGarbled

MOST_FILES: Final = 500
MOST_BYTES: Final = 50_000_000
"""Of one sitemap, unpacked: the protocol's own limit."""

Place = tuple[str, str]
"""(address, time of its last change as the site writes it, or nothing)"""


def read(start: str, get: Callable[[str], bytes]) -> Iterator[Place]:
    """Every page of a sitemap and of those that it names. Raises SourceGarbled: a list that ends too soon is none."""
    waiting, seen = [start], {start}
    while waiting:
        url = waiting.pop()
        data = _unpacked(get(url), url)
        if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            yield from _lines(data, url)
            continue
        root = markup.xml(data, url)
        if _is(root, "sitemapindex"):
            found = [plain(url, markup.text(one, "loc")) for one in markup.named(root, "sitemap")]
            new = [one for one in dict.fromkeys(found) if one and one not in seen]
            if len(seen) + len(new) > MOST_FILES:
                raise SourceGarbled(url, f"more than {MOST_FILES} sitemaps")
            seen.update(new)
            waiting.extend(reversed(new))
        elif _is(root, "urlset"):
            yield from ((plain(url, markup.text(one, "loc")), markup.text(one, "lastmod")) for one in markup.named(root, "url"))
        else:
            raise SourceGarbled(url, "no sitemap")


def _lines(data: bytes, url: str) -> Iterator[Place]:
    lines = data.decode("utf-8", errors="replace").split()
    if not all(line.startswith(("http://", "https://")) for line in lines):
        raise SourceGarbled(url, "no sitemap")
    yield from ((plain(url, line), "") for line in lines)


def _is(root: object, name: str) -> bool:
    return str(getattr(root, "tag", "")).rpartition("}")[2] == name


def _unpacked(data: bytes, url: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        unpacker = zlib.decompressobj(31)
        found = unpacker.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise SourceGarbled(url, "a damaged gzip file") from error
    if not unpacker.eof:
        raise SourceGarbled(url, f"a gzip file that breaks off or unpacks to more than {MOST_BYTES // 1_000_000} MB")
    return found
