from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import NoText, ParseError
from retrieval.parsers.cleaning import clean
from retrieval.parsers.html import parse


def text(body: str) -> str:
    return parse(body.encode()).text


def test_blocks_become_lines_and_headings_places() -> None:
    parsed = parse(
        b"<html><head><title>Handbook | Acme</title><style>p{}</style></head><body><nav><a>Home</a></nav><h1>Leave <em>rules</em></h1>"
        b"<p>Thirty\n days <b>a</b> year.<br>Not more.</p>"
        b"<ul><li>one<li>two</ul><h2>Sick leave</h2><div>Call <a href=x>HR</a>.</div></body></html>"
    )
    assert parsed.title == "Handbook | Acme"
    assert parsed.text == "Leave rules\n\nThirty days a year.\nNot more.\n\n- one\n- two\n\nSick leave\n\nCall HR.\n"
    assert [(place.kind, place.label) for place in parsed.places] == [("heading", "Leave rules"), ("heading", "Sick leave")]


def test_a_tables_rows_become_lines() -> None:
    source = "<table><tr><th>Item</th><th>Price</th></tr><tr><td><p>Pen</p><p>blue</p></td><td>2&nbsp;€</td></tr></table>after"
    assert text(source) == "Item | Price\nPen blue | 2 €\n\nafter\n"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>SECRET</script>",
        "<style>SECRET</style>",
        "<!-- SECRET -->",
        "<template><p>SECRET</p></template>",
        "<noscript>SECRET</noscript>",
        "<p hidden>SECRET</p>",
        "<p style='color:red; DISPLAY : none'>SECRET</p>",
        "<span style='font-size:0'>SECRET</span>",
        "<span style='font-size:0px'>SECRET</span>",
        "<div style='visibility:hidden'><p>SECRET</p></div>",
        "<svg><text>SECRET</text></svg>",
        "<iframe>SECRET</iframe>",
        "<img src='SECRET'>",
        "<a href='SECRET'>a</a>",
        "<?php SECRET ?>",
        "<object data=x>SECRET</object>",
    ],
)
def test_what_a_reader_does_not_see_is_not_read(hidden: str) -> None:
    found = text(f"<p>before</p>{hidden}<p>after</p>")
    assert "SECRET" not in found and "before" in found and "after" in found


def test_hidden_text_is_said() -> None:
    assert parse(b"<p>a</p><p hidden>b</p>").notes == ("Hidden text of the page was left out.",)
    assert not parse(b"<p style='font-size:0.9em'>a</p>").notes


def test_a_menu_is_read_where_there_is_nothing_else() -> None:
    assert text("<nav><a>Home</a> <a>Staff</a></nav>") == "Home Staff\n"
    assert "Home" not in text("<nav><a>Home</a></nav><p>Words</p>")


@pytest.mark.parametrize(
    "data",
    [
        "<meta charset=iso-8859-1><p>Müller".encode("latin-1"),
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252"><p>Müller'.encode("cp1252"),
        "<p>Müller".encode(),
        '<?xml version="1.0" encoding="UTF-8"?><html><p>Müller'.encode(),
        "<p>Müller".encode("utf-16"),
        "<meta charset=no-such-charset><p>Müller".encode(),
        "<meta charset=utf-8><p>Müller".encode("latin-1"),
    ],
)
def test_the_encoding_is_found(data: bytes) -> None:
    assert parse(data).text.strip() == "Müller"


def test_preformatted_text_keeps_its_lines() -> None:
    assert text("<pre>a\n  b\n</pre><p>c  d</p>") == "a\n  b\n\nc d\n"


def test_a_page_without_words_says_so() -> None:
    with pytest.raises(NoText, match="script"):
        parse(b"<html><script>render()</script><body><div id=root></div></body></html>")


TAGS = [
    "<p>",
    "</p>",
    "<td>",
    "</td>",
    "<tr>",
    "<table>",
    "</table>",
    "<h1>",
    "</h1>",
    "<pre>",
    "</pre>",
    "<li>",
    "x",
    "<",
    "&amp;",
    "<!--",
    "-->",
    "<nav>",
    "\x00",
    "<br/>",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*TAGS, "y ", "<b hidden>"])).map("".join))
def test_any_tag_soup_becomes_a_clean_text(soup: str) -> None:
    try:
        parsed = parse(soup.encode())
    except ParseError:
        return
    assert clean(parsed.text) == parsed.text and parsed.text.strip()
    assert all(0 <= place.start < place.end <= len(parsed.text) for place in parsed.places)


def test_deep_and_wide_pages_take_time_in_proportion() -> None:
    start = time.process_time()
    parse(b"<p>a" + b"<div>" * 100_000 + b"deep")
    parse(b"<table>" + b"<tr><td>a<td>b" * 100_000)
    assert time.process_time() - start < 20
