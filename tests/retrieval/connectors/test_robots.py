from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.connectors import robots

TEXT = b"""\xef\xbb\xbf# a comment
User-agent: other
Disallow: /
User-agent: *
Disallow: /everybody
User-Agent: North
user-agent: south
Disallow: /private/   # not these
Allow: /private/open
Disallow: /*.cgi$
Disallow: /search?q=
Disallow: /gr%C3%BCn
Crawl-delay: 2
Sitemap: https://www.example/map.xml
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/everybody", True),
        ("/private/a", False),
        ("/private/open/a", True),
        ("/a/b.cgi", False),
        ("/a/b.cgi?x=1", True),
        ("/search", True),
        ("/search?q=1", False),
        ("/gr%c3%bcn/a", False),
    ],
)
def test_the_longest_rule_for_north_holds(path: str, allowed: bool) -> None:
    assert robots.read(TEXT).allow(f"https://www.example{path}") is allowed


def test_what_is_for_everybody_holds_where_nothing_is_said_to_north() -> None:
    found = robots.read(TEXT.replace(b"North", b"Northern"))
    assert not found.allow("https://www.example/everybody") and found.allow("https://www.example/private/a")


def test_it_knows_sitemaps_and_how_long_to_wait() -> None:
    found = robots.read(TEXT)
    assert found.sitemaps == ("https://www.example/map.xml",) and found.delay == 2
    assert [robots.read(b"User-agent: *\nCrawl-delay: " + said).delay for said in (b"nan", b"inf", b"-1", b"soon", b"900")] == [
        0,
        10,
        0,
        0,
        10,
    ]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    assert robots.read(b"User-agent: *\nDisallow: " + data).allow("https://www.example/") in (True, False)


def test_a_rule_of_many_stars_takes_no_time() -> None:
    found = robots.read(b"User-agent: *\nDisallow: /" + b"a*" * 500 + b"b$")
    assert found.allow("https://www.example/" + "a" * 5000)
