from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.connectors import feed
from retrieval.errors import ItemBroken, SourceError, SourceGarbled
from retrieval.types import Cursor, Deleted, Fetched, Item, Listing
from tests.retrieval.connectors.outside import InProcess, Said
from tests.retrieval.connectors.reached import Reached, serving
from tests.retrieval.connectors.worlds.unruled import filled_in

HOST = "news.example"
RSS = """<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>News</title><link>https://news.example</link>
<item><title>Bread &amp;amp; butter</title><guid>1</guid><link>/a</link><pubDate>Mon, 01 Jun 2026 10:00:00 +0200</pubDate>
<description>short</description><content:encoded><![CDATA[<p>The <b>whole</b> text</p>]]></content:encoded></item>
<item><link>https://news.example/b</link><description>5 &lt; 6</description><pubDate>someday</pubDate></item><item/></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0">
<entry><id>x</id><title>T</title><link rel="self" href="/self"/><link href="c"/><updated>2026-06-01T10:00:00Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">in <i>full</i></div></content></entry>
<at:deleted-entry ref="y" when="2026-06-01T10:00:00Z"/></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel/>
<item rdf:about="https://news.example/d"><title>D</title><link>https://news.example/d</link></item></rdf:RDF>"""
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss><channel><item><title>&b;</title></item></channel></rss>'


def events(body: str, cursor: Any = None, **given: Any) -> list[Fetched]:
    settings = filled_in(feed.CONNECTOR, {"url": f"https://{HOST}/feed/", **given})
    return list(
        feed.fetch(settings, cursor, InProcess(HOST, lambda asked: Said(200, body.encode()) if "feed" in asked.path else Said(404)))
    )


def items(found: list[Fetched]) -> list[Item]:
    return [event for event in found if isinstance(event, Item)]


def test_rss_is_read() -> None:
    first, second = items(events(RSS))
    assert (first.external_id, first.name, first.link) == ("1", "Bread & butter", f"https://{HOST}/a")
    assert first.modified_at and first.modified_at.isoformat() == "2026-06-01T08:00:00+00:00"
    assert b"<p>The <b>whole</b> text</p>" in first.read() and first.read().startswith(b"<!doctype html>")
    assert (second.external_id, second.name, second.modified_at) == (f"https://{HOST}/b", "Without a title", None)


def test_atom_is_read_with_its_tombstones() -> None:
    found = events(ATOM, {"etag": ""})
    assert not [event for event in found if isinstance(event, Listing)], "what is named no more stays"
    assert [event for event in found if isinstance(event, Deleted)] == [Deleted("y")]
    assert items(found)[0].link == f"https://{HOST}/feed/c" and b"<i>full</i>" in items(found)[0].read()


def test_the_oldest_rss_is_read() -> None:
    assert [(one.external_id, one.name, one.read()) for one in items(events(RDF))] == [(f"https://{HOST}/d", "D.txt", b"D")]


@pytest.mark.parametrize("broken", ["", "<html/>", RSS[:-20], LAUGHS, "{}", '<?xml version="1.0"?>'])
def test_what_is_no_feed_is_said(broken: str) -> None:
    with pytest.raises(SourceGarbled):
        events(broken)


def test_an_unchanged_feed_costs_one_short_answer_and_pages_behind_it_are_read() -> None:
    with serving() as server:
        entry = "<item><title>A</title><link>{0}</link></item>"
        links = [f"{server.url}/a", f"{server.url}/none", "http://169.254.169.254/"]
        server.page("/feed/", f"<rss><channel>{''.join(entry.format(link) for link in links)}</channel></rss>", etag='"1"')
        server.page("/a", "<p>the page")
        settings = filled_in(feed.CONNECTOR, {"url": f"{server.url}/feed/", "linked": True})
        found = list(feed.fetch(settings, None, Reached()))
        first, *others = items(found)
        assert first.read() == b"<!doctype html>\n<p>the page"
        for other in others:
            with pytest.raises(ItemBroken):
                other.read()
        last = found[-1]
        assert isinstance(last, Cursor) and last.complete
        assert list(feed.fetch(settings, last.value, Reached())) == [last]
        assert "can be read" in " ".join(finding.words for finding in feed.probe(settings, Reached()))


def test_pages_without_end_are_given_up() -> None:
    number = iter(range(10_000))

    def serve(asked: Any) -> Said:
        return Said(200, f'<feed xmlns="http://www.w3.org/2005/Atom"><link rel="next" href="?page={next(number)}"/></feed>'.encode())

    with pytest.raises(SourceGarbled, match="1000 pages"):
        list(feed.fetch(filled_in(feed.CONNECTOR, {"url": f"https://{HOST}/feed"}), None, InProcess(HOST, serve)))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_entry_is_read_or_refused_in_words(title: str, text: str) -> None:
    try:
        for one in items(events(f"<rss><channel><item><title>{title}</title><description>{text}</description></item></channel></rss>")):
            assert one.name and one.external_id and one.read()
    except SourceError as error:
        assert str(error).endswith(".")
    except UnicodeEncodeError:
        pass
