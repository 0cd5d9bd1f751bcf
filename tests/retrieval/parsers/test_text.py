from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import NoText, Unreadable
from retrieval.parsers.cleaning import clean
from retrieval.parsers.text import decode, headings, parse_json, parse_markdown, parse_plain, parse_yaml

GERMAN = "Die Kündigungsfrist beträgt drei Monate. Über Änderungen müssen alle Beschäftigten rechtzeitig unterrichtet werden. " * 4


@pytest.mark.parametrize(
    "data",
    [
        GERMAN.encode(),
        GERMAN.encode("utf-8-sig"),
        GERMAN.encode("utf-16"),
        GERMAN.encode("utf-16-le"),
        GERMAN.encode("utf-16-be"),
        GERMAN.encode("utf-32"),
        GERMAN.encode("cp1252"),
    ],
)
def test_the_encoding_is_found(data: bytes) -> None:
    assert decode(data) == GERMAN


def test_a_short_text_that_is_not_utf_8_is_western() -> None:
    assert decode("Müller & Söhne".encode("latin-1")) == "Müller & Söhne"


def test_japanese_in_its_old_encoding_is_found() -> None:
    text = "年次有給休暇は、入社後六か月間継続勤務した従業員に十日間付与される。申請は原則として三日前までに行うこと。" * 8
    assert decode(text.encode("shift_jis")) == text


@pytest.mark.parametrize("data", [bytes(range(256)) * 20, b"\x7fELF" + bytes(500), b"text" + bytes(100)])
def test_binary_data_is_no_text(data: bytes) -> None:
    with pytest.raises(Unreadable, match="binary"):
        decode(data)


@settings(deadline=None)
@given(st.binary(max_size=500))
def test_any_bytes_become_a_clean_text_or_are_refused(data: bytes) -> None:
    try:
        text = parse_plain(data).text
    except (NoText, Unreadable):
        return
    assert clean(text) == text
    text.encode()


def test_plain_json_and_yaml_stay_as_they_are() -> None:
    assert parse_plain(b"one\r\ntwo\n").text == "one\ntwo\n"
    assert parse_json(b'{"a": [1, 2]}').text == '{"a": [1, 2]}'
    assert parse_yaml(b"a:\n  - !!python/object x\n").text == "a:\n  - !!python/object x\n"


MARKDOWN = """---
title: not a heading
---
# Leave #

Some text.

```sh
# a comment
```

Sick leave
----------

| a | b |
|---|---|

~~~
## fenced
```
~~~
### Notes ###
#no space
- item
---
end"""


def test_markdown_keeps_its_text_and_gives_its_headings() -> None:
    parsed = parse_markdown(MARKDOWN.encode())
    assert parsed.text == MARKDOWN
    assert parsed.title == "Leave"
    assert [place.label for place in parsed.places] == ["Leave", "Sick leave", "Notes"]
    assert [parsed.text[place.start :].split("\n")[0] for place in parsed.places] == ["# Leave #", "Sick leave", "### Notes ###"]
    assert parsed.places[-1].end == len(MARKDOWN)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["# a", "## b #", "c", "---", "===", "```", "~~~", "", "    d", "| e |", "- f", "#"]), max_size=30))
def test_headings_stand_where_they_are_said_to(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = list(headings(text))
    assert [start for start, _, _ in found] == sorted({start for start, _, _ in found})
    assert all(label in text[start:].split("\n")[0] and (start == 0 or text[start - 1] == "\n") for start, label, _ in found)
    assert all(level in {1, 2} for _, _, level in found)


def test_long_lines_and_many_headings_take_time_in_proportion() -> None:
    start = time.process_time()
    assert len(parse_markdown(("# a\n" * 100_000).encode()).places) == 100_000
    parse_markdown(b"# " + b" " * 5_000_000 + b"#" * 1_000_000)
    parse_plain(b"a " * 2_500_000)
    assert time.process_time() - start < 20
