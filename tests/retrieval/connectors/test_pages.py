from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.connectors.asking import Asker
from retrieval.connectors.pages import all_there, fetched, heading, linked, markdown, moment, onward, page, plain, several
from retrieval.errors import ItemBroken, RateLimited, SourceGarbled, SourceMissing, SourceUnreachable, TokenRefused
from retrieval.parsers import sniff
from retrieval.parsers.html import parse
from tests.retrieval.connectors.outside import Headers, InProcess, Said

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), min_size=1, max_size=30).filter(str.strip)


@given(WORDS, WORDS, WORDS)
def test_a_page_is_known_as_one_whatever_it_is_called_and_holds_what_was_put_in(name: str, title: str, text: str) -> None:
    data = page(title, heading(title), plain(text))
    assert sniff(f"{name}.pdf", data) == sniff(name, data) == "text/html"
    squeezed = " ".join(text.split())
    assert squeezed in " ".join(parse(data).text.split())


def test_markdown_becomes_structure_and_its_html_is_text() -> None:
    made = markdown("# Top\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>alert(1)</script>")
    assert "<h1>Top</h1>" in made and "<table>" in made and "<script>" not in made


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ('<https://a.example/x?page=2>; rel="next", <https://a.example/x?page=9>; rel="last"', "https://a.example/x?page=2"),
        ('<https://a.example/x?page=1>; rel="prev", <https://a.example/x?page=3>; rel="next"', "https://a.example/x?page=3"),
        ("<https://a.example/x?a=1,2>; rel=next", "https://a.example/x?a=1,2"),
        ('<https://a.example/x?page=9>; rel="last"', ""),
        ("", ""),
    ],
)
def test_the_next_page_is_where_the_link_header_says(link: str, wanted: str) -> None:
    assert onward(Said(headers=Headers({"Link": link}))) == wanted


def test_pages_that_lead_in_a_circle_end() -> None:
    outside = InProcess("a.example", lambda asked: Said.json([{"id": 1}], link='<https://a.example/x>; rel="next"'))
    with pytest.raises(SourceGarbled, match="itself"):
        list(linked(Asker(outside, "https://a.example"), "https://a.example/x", {"per_page": 1}, "A"))


@pytest.mark.parametrize("error", [SourceMissing("x"), SourceUnreachable("x"), KeyError("x")])
def test_what_is_one_things_fault_is_said_to_be_so(error: Exception) -> None:
    def get() -> bytes:
        raise error

    with pytest.raises(ItemBroken) as raised:
        fetched(get)()
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize("error", [TokenRefused("x"), RateLimited("x")])
def test_what_is_the_sources_fault_stays_that(error: Exception) -> None:
    def get() -> bytes:
        raise error

    with pytest.raises(type(error)):
        fetched(get)()


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("2026-11-02T10:00:00Z", datetime(2026, 11, 2, 10, tzinfo=UTC)),
        ("2026-11-02T10:00:00.123+0000", datetime(2026, 11, 2, 10, 0, 0, 123000, UTC)),
        ("2026-11-02T10:00:00", datetime(2026, 11, 2, 10, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        (7, None),
    ],
)
def test_a_time_is_read_as_services_write_it(said: object, wanted: datetime | None) -> None:
    assert moment(said) == wanted


@pytest.mark.parametrize("said", [None, [], {}, {"a": None}, {"a": [1]}, {"a": {}}])
def test_a_page_without_its_list_is_garbled(said: object) -> None:
    with pytest.raises(SourceGarbled):
        several(said, "a", "A")


def test_what_was_named_and_is_not_there_ends_the_pass() -> None:
    all_there(["HR"], ["hr", "fin"], "space")
    with pytest.raises(SourceMissing, match="space HR"):
        all_there(["HR"], ["fin"], "space")
    with pytest.raises(SourceMissing, match="any space"):
        all_there([], [], "space")
