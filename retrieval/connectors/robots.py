"""What a web site asks of programs in its robots.txt (RFC 9309; Crawl-delay and Sitemap as is the custom). Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

AGENT: Final = "north"
LONGEST: Final = 500_000
"""Bytes of a robots.txt that are read, as the RFC asks."""


@dataclass(frozen=True, slots=True)
class Robots:
    """`rules`: (allowed, pattern)."""

    rules: tuple[tuple[bool, str], ...] = ()
    delay: float = 0.0
    sitemaps: tuple[str, ...] = ()

    def allow(self, url: str) -> bool:
        """By the longest pattern that fits; where two are as long, by the one that allows."""
        parts = urlsplit(url)
        path = unquote(parts.path or "/") + (f"?{unquote(parts.query)}" if parts.query else "")
        fitting = [(len(pattern), allowed) for allowed, pattern in self.rules if _fits(pattern, path)]
        return max(fitting, default=(0, True))[1]


def read(data: bytes) -> Robots:
    """The groups for North, or else those for everybody."""
    groups: dict[str, list[tuple[str, str]]] = {}
    sitemaps: list[str] = []
    agents: list[str] = []
    in_rules = True
    for name, value in _lines(data):
        if name == "sitemap":
            sitemaps.append(value)
        elif name == "user-agent":
            agents = [value.lower()] if in_rules else [*agents, value.lower()]
            in_rules = False
            groups.setdefault(agents[-1], [])
        else:
            in_rules = True
            for agent in agents:
                groups[agent].append((name, value))
    ours = groups.get(AGENT, groups.get("*", []))
    rules = tuple((name == "allow", unquote(value)) for name, value in ours if name in ("allow", "disallow") and value)
    return Robots(rules, max((_seconds(value) for name, value in ours if name == "crawl-delay"), default=0.0), tuple(sitemaps))


def _lines(data: bytes) -> list[tuple[str, str]]:
    found = []
    for line in data[:LONGEST].decode("utf-8", errors="replace").lstrip("\ufeff").splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        if colon and name.strip():
            found.append((name.strip().lower(), value.strip()))
    return found


def _fits(pattern: str, path: str) -> bool:
    """`*` stands for anything, `$` for the end; goes through the path once."""
    ends = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for number, part in enumerate(rest):
        if ends and number == len(rest) - 1:
            return path.endswith(part) and len(path) - len(part) >= at
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not ends or at == len(path)


def _seconds(value: str) -> float:
    try:
        return min(max(0.0, float(value)), 10.0)
    except ValueError:
        return 0.0
