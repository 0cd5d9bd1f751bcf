"""What an HTML page says of itself: its title, its true address, where it leads, and whether it wants to be found. Fetches nothing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from retrieval.connectors import markup

TRACKING: Final = re.compile(r"utm_\w+|gclid|fbclid|msclkid|phpsessid|jsessionid|sid|sessionid", re.IGNORECASE)
PORTS: Final = {"http": 80, "https": 443}
LONGEST: Final = 2000
"""Characters of an address; longer ones are made by loops."""
UNSEEN: Final = ("script", "style", "noscript", "template")


@dataclass(frozen=True, slots=True)
class Page:
    """`words`: a hash of the text and the title; two fetches with the same words differ only in what nobody reads. `canonical` and `links`
    are whole addresses."""

    title: str
    words: str
    canonical: str = ""
    links: tuple[str, ...] = ()
    wanted: bool = True


def read(data: bytes, url: str, content_type: str = "", asked: str = "") -> Page | None:
    """`asked`: the X-Robots-Tag header. None for what is no page at all."""
    root = markup.page(data, _charset(content_type))
    if root is None:
        return None
    title = " ".join((root.findtext(".//title") or "").split())
    tags = f"{asked},{_meta(root, 'robots')},{_meta(root, 'north')}".lower()
    around = urljoin(url, next((one.get("href", "") for one in root.iter("base")), ""))
    follow = "nofollow" not in tags and "none" not in tags
    links = tuple(dict.fromkeys(filter(None, (plain(around, one) for one in _hrefs(root))))) if follow else ()
    canonical = next((one.get("href", "") for one in root.iter("link") if "canonical" in one.get("rel", "").lower().split()), "")
    for one in list(root.iter(*UNSEEN)):
        one.drop_tree()
    words = hashlib.sha256(f"{title}\0{root.text_content()}".encode(errors="replace")).hexdigest()
    return Page(title[:300], words, plain(around, canonical) if canonical else "", links, "noindex" not in tags and "none" not in tags)


def plain(around: str, link: str) -> str:
    """The address that a link means, written in one way only; nothing for what is none, as mailto: and what is far too long."""
    try:
        parts = urlsplit(urljoin(around, link.strip()))
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        return ""
    if parts.scheme not in PORTS or not host or parts.username or "\\" in link:
        return ""
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port and port != PORTS[parts.scheme] else ""
    query = parts.query
    if any(TRACKING.fullmatch(name) for name, _value in parse_qsl(query, keep_blank_values=True)):
        query = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if not TRACKING.fullmatch(pair[0])])
    kept = "!#$%&'()*+,/:;=?@[]~"
    url = urlunsplit((parts.scheme, place, quote(parts.path, safe=kept) or "/", quote(query, safe=kept), ""))
    return url if len(url) <= LONGEST else ""


def _hrefs(root: Any) -> list[str]:
    found = [one.get("href", "") for one in root.iter("a", "area") if one.get("href")]
    return [*found, *(one.get("src", "") for one in root.iter("frame", "iframe") if one.get("src"))]


def _meta(root: Any, name: str) -> str:
    return ",".join(one.get("content", "") for one in root.iter("meta") if one.get("name", "").lower() == name)


def _charset(content_type: str) -> str:
    found = re.search(r"charset=\"?([\w.:-]+)", content_type, re.IGNORECASE)
    return found.group(1) if found else ""
