"""Text as HTML: the right words marked, whatever the text, and nothing that runs."""

from __future__ import annotations

import html as entities
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from north.documents import rendering
from north.documents.rendering import Span
from retrieval.types import Place

TEXTS = st.text(st.sampled_from("ab <>&\"'*_`#[]()\n\n-|1.日本\u202e!\\~:"), max_size=120)
MARK = re.compile(r"<mark>(.*?)</mark>", re.DOTALL)


def marked(html: str) -> str:
    return "".join(MARK.findall(html))


def words(html: str) -> str:
    return entities.unescape(re.sub(r"<[^>]*>", "", html))


@given(TEXTS, st.integers(0, 130), st.integers(0, 130))
@settings(deadline=None)
def test_plain_text_is_all_there_and_exactly_the_span_is_marked(text: str, start: int, end: int) -> None:
    heading = [Place(0, len(text), "heading", "x")] if text else []
    html = rendering.plain(text, 0, len(text), Span(start, end), heading)
    assert words(html) == text
    assert words(marked(html)) == text[start:end]
    assert set(re.findall(r"</?(\w+)", html)) <= {"mark", "strong"}


@given(TEXTS, st.integers(0, 130), st.integers(0, 130))
@example("# A *b c* d\n\n- e\n- f", 3, 15)
@example("| a | b |\n|---|---|\n| c | d |", 2, 25)
@settings(deadline=None, max_examples=300)
def test_markdown_is_rendered_only_with_the_marks_at_the_right_words(text: str, start: int, end: int) -> None:
    unmarked = rendering.markdown(text, 0, len(text), None)
    assert unmarked is not None
    html = rendering.markdown(text, 0, len(text), Span(start, end))
    assert set(re.findall(r"<(\w+)", html or "")) <= rendering.TAGS
    if html is None or start >= min(end, len(text)):
        return
    assert re.sub(r"</?mark>", "", html) == unmarked
    letters = [letter for letter in words(marked(html)) if letter.isalnum()]
    assert is_within(letters, [letter for letter in text[start:end] if letter.isalnum()])


def is_within(part: list[str], whole: list[str]) -> bool:
    """Whether the letters stand in the span in this order; signs of Markdown and addresses of links do not show."""
    rest = iter(whole)
    return all(letter in rest for letter in part)


@pytest.mark.parametrize(
    ("source", "span", "wanted"),
    [
        ("Some **bold words** here", "bold words", "<p>Some <strong><mark>bold words</mark></strong> here</p>"),
        ("# Title\n\nText", "# Title", "<h1><mark>Title</mark></h1>\n<p>Text</p>"),
        ("- one\n- two\n- three", "two\n- three", "<ul>\n<li>one</li>\n<li><mark>two</mark></li>\n<li><mark>three</mark></li>\n</ul>"),
        ("One *two* three", "One *two* three", "<p><mark>One </mark><em><mark>two</mark></em><mark> three</mark></p>"),
        ("A & B < C", "B < C", "<p>A &amp; <mark>B &lt; C</mark></p>"),
    ],
)
def test_marks_stand_inside_the_elements(source: str, span: str, wanted: str) -> None:
    start = source.index(span)
    html = rendering.markdown(source, 0, len(source), Span(start, start + len(span)))
    assert html is not None
    assert html.strip() == wanted


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>)",
        "![x](http://evil.example/pixel.png)",
        "<svg/onload=alert(1)>",
        "[x](vbscript:x)",
        "<div hx-get=/x>",
        "`<b>`",
        '<https://a.example/">',
        "![x][r]\n\n[r]: http://evil.example/p.png",
        '<a href="x" hx-on:click="alert(1)">x</a>',
    ],
)
def test_nothing_in_markdown_runs_or_fetches(source: str) -> None:
    html = rendering.markdown(source, 0, len(source), None)
    assert html is not None
    tags = " ".join(re.findall(r"<[^>]*>", html))
    for bad in ("<script", "<img", "<svg", "javascript:", "vbscript:", "data:", " on", "hx-", "src="):
        assert bad not in tags, html


def test_a_text_that_holds_our_signs_is_not_trusted() -> None:
    assert rendering.markdown(f"a {rendering.OPEN} b", 0, 5, Span(0, 1)) is None


def test_long_texts_are_shown_in_parts_that_together_are_the_text() -> None:
    text = "".join(f"line {number}\n" for number in range(10_000))
    first = rendering.part_of(text)
    parts = [rendering.part_of(text, number=number) for number in range(1, first.count + 1)]
    assert "".join(text[part.start : part.end] for part in parts) == text
    assert all(part.end - part.start <= rendering.PART for part in parts)
    around = rendering.part_of(text, around=50_000)
    assert around.start <= 50_000 < around.end
    assert rendering.part_of("x" * 100_000, number=99).number == 4


@pytest.mark.parametrize(
    ("text", "query", "wanted"),
    [
        ("Parental leave lasts", "parental leave", ["Parental", "leave"]),
        ("Kündigungsfristen gelten", "Kündigungsfrist", ["Kündigungsfristen"]),
        ("The leave of the staff", "what is the leave", ["leave"]),
        ("有給休暇は二十日です", "有給休暇", ["有給休暇"]),
        ("Paragraph 12 b", "12", ["12"]),
        ("The display shows E17 and E04.", "what does error E17 mean", ["E17"]),
        ("AX-200: the VAT is 19 %", "is VAT in the price of the AX-200", ["AX", "200", "VAT"]),
        ("it is the VAT", "WHAT IS THE VAT RATE", []),
        ("nothing here", "?!", []),
    ],
)
def test_the_words_of_a_query_are_marked_as_search_sees_them(text: str, query: str, wanted: list[str]) -> None:
    assert [text[span.start : span.end] for span in rendering.matches(text, query)] == wanted


@given(TEXTS, st.sampled_from(["ab", "a b", "日本", "1", "", "?!"]))
@settings(deadline=None, max_examples=300)
def test_an_excerpt_is_of_the_text_and_escaped(text: str, query: str) -> None:
    span, html = rendering.excerpt(text, query, length=40)
    assert 0 <= span.start <= span.end <= len(text)
    assert words(html).removeprefix("… ").removesuffix(" …") in text
    assert set(re.findall(r"</?(\w+)", html)) <= {"mark"}
    assert bool(MARK.search(html)) == bool(rendering.matches(text, query))


def test_an_excerpt_spans_the_sentences_in_which_most_of_the_words_stand_together() -> None:
    filler = "Filler words. " * 50
    text = f"Our parental club. {filler}## Rules\n\nParental leave lasts **sixteen** weeks. It is paid. {filler}"
    span, html = rendering.excerpt(text, "parental leave weeks", length=160, signs=False)
    assert text[span.start : span.end] == "Parental leave lasts **sixteen** weeks."
    assert "<mark>Parental</mark> <mark>leave</mark> lasts  sixteen  <mark>weeks</mark>." in html
