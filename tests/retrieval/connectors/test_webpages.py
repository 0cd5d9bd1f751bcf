from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.connectors import webpages

HERE = "https://www.example/help/index.html"


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("a.html#part", "https://www.example/help/a.html"),
        ("../b c", "https://www.example/b%20c"),
        ("//Other.Example:443", "https://other.example/"),
        ("?utm_source=x&page=2&PHPSESSID=1", "https://www.example/help/index.html?page=2"),
        ("/gr\u00fcn?q=\u00e4", "https://www.example/gr%C3%BCn?q=%C3%A4"),
        ("/a%2Fb", "https://www.example/a%2Fb"),
        ("mailto:ann@acme.example", ""),
        ("javascript:alert(1)", ""),
        ("https://ann:pw@www.example/", ""),
        ("http://[::1", ""),
        ("http://www.example:99999/", ""),
        ("/\\evil.example", ""),
        ("/" + "a/" * 2000, ""),
    ],
)
def test_an_address_is_written_in_one_way(link: str, address: str) -> None:
    assert webpages.plain(HERE, link) == address


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_what_is_written_plainly_stays_so(link: str) -> None:
    once = webpages.plain(HERE, link)
    assert not once or webpages.plain("", once) == once


def test_a_page_says_what_it_is() -> None:
    page = webpages.read(
        b'<base href="/docs/"><title> A\n b </title><link rel="canonical" href="true.html"><a href="x">x</a><a href="x#2">x</a>'
        b'<area href="y"><iframe src="z"></iframe><a>none</a>',
        HERE,
    )
    assert page and page.title == "A b" and page.canonical == "https://www.example/docs/true.html" and page.wanted
    assert page.links == tuple(f"https://www.example/docs/{name}" for name in "xyz")


@pytest.mark.parametrize(
    ("said", "header", "wanted", "links"),
    [
        ("noindex", "", False, 1),
        ("nofollow", "", True, 0),
        ("none", "", False, 0),
        ("", "noindex, nofollow", False, 0),
        ("all", "", True, 1),
    ],
)
def test_a_page_that_does_not_want_to_be_found_is_not(said: str, header: str, wanted: bool, links: int) -> None:
    page = webpages.read(f'<meta name="Robots" content="{said}"><a href="/a">a</a>'.encode(), HERE, asked=header)
    assert page and (page.wanted, len(page.links)) == (wanted, links)


def test_what_nobody_reads_makes_no_other_words() -> None:
    def words(body: str) -> str:
        page = webpages.read(body.encode(), HERE)
        assert page
        return page.words

    assert words("<p>a</p><script>token = 1</script><input name=csrf value=1>") == words(
        "<p>a</p><script>token = 2</script><input name=csrf value=2>"
    )
    assert words("<p>a</p>") != words("<p>b</p>") and words("<title>a</title><p>a") != words("<title>b</title><p>a")


def test_the_encoding_is_the_servers_word() -> None:
    page = webpages.read("<title>für</title>".encode("iso-8859-1"), HERE, "text/html; charset=ISO-8859-1")
    assert page and page.title == "für"
    assert webpages.read(b"<title>a</title>", HERE, "text/html; charset=no-such") is not None
    assert webpages.read(b"", HERE) is None


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    webpages.read(data, HERE, "text/html")
