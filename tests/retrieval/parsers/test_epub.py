from __future__ import annotations

import pytest

from retrieval.errors import Unreadable
from retrieval.parsers.epub import parse
from tests.retrieval.files import archive, epub


def test_the_pages_are_read_in_their_order() -> None:
    parsed = parse(epub("Winter", ["<html><h1>One</h1><p>Snow.</p></html>", "<html><h1>Two</h1><script>x</script><p>Ice.</p></html>"]))
    assert parsed.text == "One\n\nSnow.\n\nTwo\n\nIce.\n"
    assert parsed.title == "Winter"
    assert [place.label for place in parsed.places] == ["One", "Two"]


def test_a_book_without_its_list_of_pages_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="list of pages"):
        parse(archive({"mimetype": "application/epub+zip"}))
