"""The memory of words against the tokenizer itself: token for token, whatever the text."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from tokenizers import Tokenizer, pre_tokenizers

from north.inference import tokenising
from north.inference.tokenising import Template, Words, shared
from tests.inference import tiny
from tests.inference.conftest import fetched


def test_a_file_is_read_once_while_anybody_has_it(tmp_path: Path) -> None:
    tiny.tokenizer().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "link.json").hardlink_to(tmp_path / "tokenizer.json")
    tiny.tokenizer("xlm-r").save(str(tmp_path / "other.json"))
    one = shared(tmp_path / "tokenizer.json")
    assert shared(tmp_path / "link.json") is one and shared(tmp_path / "other.json") is not one


NAMES = ["multilingual-e5-small-int8", "all-minilm-l6-v2-int8"]


@pytest.fixture(scope="module", params=NAMES)
def tokenizer(request: pytest.FixtureRequest, models_dir: Path) -> Tokenizer:
    made = Tokenizer.from_file(str(fetched(request.param, models_dir) / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


@pytest.fixture(scope="module")
def words(tokenizer: Tokenizer) -> Words:
    return Words(tokenizer)


ODD = [
    "<s>",
    "</s>",
    "<mask>",
    "[SEP]",
    "▁",
    "▁▁",
    "´",
    "x¨",
    "é",
    "e\u0301",
    "\u0301x",
    "ﬁ",
    "中文",
    "हिन्दी",
    "a\u200bb",
    "\xa0",
    "\xad",
    "\x1c",
]
PIECES = some.one_of(
    some.text(max_size=8), some.sampled_from(["the", "Größe", "naïve", "3,50", "don't", "(e.g.)", " ", "  ", "\n", "\t", "\r\n", *ODD])
)


@settings(max_examples=400, deadline=None)
@given(some.lists(some.lists(PIECES, max_size=8).map(" ".join), max_size=4))
@example(["", " ", "a ", " a", "a\n", "a \n b", "x ▁ y", "y ´x ´", "a <mask> b", "a<mask> b", "中" * 60, "w" * 41, "w" * 40])
def test_every_text_has_the_tokens_that_its_tokenizer_gives(tokenizer: Tokenizer, words: Words, texts: list[str]) -> None:
    for _ in range(2):  # met, then remembered
        assert [ids.tolist() for ids in words(texts)] == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def test_plain_words_are_remembered_and_come_from_memory(tokenizer: Tokenizer) -> None:
    words = Words(tokenizer)
    (first,) = words(["the canteen opens at noon"])
    words._known["noon"] = words._known["the"]
    (again,) = words(["at noon the canteen opens"])
    assert again.tolist().count(first[0]) == 2, "the memory was asked, not the tokenizer"


def test_the_memory_begins_anew_when_it_is_full(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenising, "WORDS", 50)
    words = Words(tokenizer)
    texts = [" ".join(f"word{number * 7 + n}" for n in range(7)) for number in range(40)]
    wanted = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    found: dict[int, list[list[int]]] = {}
    threads = [threading.Thread(target=lambda n=n: found.setdefault(n, [ids.tolist() for ids in words(texts)])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(found[number] == wanted for number in range(4)) and len(words._known) < 70


def test_a_tokenizer_whose_words_depend_on_their_neighbours_is_asked_each_time() -> None:
    made = tiny.tokenizer()
    made.pre_tokenizer = pre_tokenizers.Split("how many", "isolated")
    words = Words(made)
    assert not words._apart
    assert words(["how many days"])[0].tolist() == made.encode("how many days", add_special_tokens=False).ids


@pytest.mark.parametrize("kind", ["bert", "xlm-r"])
def test_what_stands_around_one_text_or_two_is_the_models_own(kind: str) -> None:
    made = tiny.tokenizer(kind)
    template, words = Template(made), Words(made)
    first, second = words(["how many days ?", "thirty days"])
    alone, pair = made.encode("how many days ?"), made.encode("how many days ?", "thirty days")
    assert template.one(first).tolist() == alone.ids and len(first) + template.room_of_one == len(alone.ids)
    assert template.two(first, second).tolist() == pair.ids and len(first) + len(second) + template.room_of_two == len(pair.ids)
    types = template.types(len(first), len(second))
    assert (types is None and not any(pair.type_ids)) or (types is not None and types.tolist() == pair.type_ids)
