from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from retrieval.connectors import web
from retrieval.connectors.contract import Outside
from retrieval.errors import RateLimited, SourceError, SourceGarbled, SourceMissing, SourceNotAllowed, SourceUnreachable, TokenRefused
from retrieval.types import Cursor, Fetched, Item, Skipped
from tests.retrieval.connectors.mirror import Mirror
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said
from tests.retrieval.connectors.reached import Reached, Server, serving
from tests.retrieval.connectors.worlds.unruled import filled_in

HOST = "www.example"
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>'
INSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><urlset><url><loc>http://www.example/&a;</loc></url></urlset>'


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def site(running: Server) -> Server:
    running.pages.clear()
    running.asked.clear()
    return running


def config(url: str, **given: Any) -> dict[str, Any]:
    return filled_in(web.CONNECTOR, {"url": url, **given})


def fetched(site: Server, cursor: Any = None, outside: Outside | None = None, **given: Any) -> list[Fetched]:
    start = given.pop("url", site.url)
    return list(web.fetch(config(start, **given), cursor, outside or Reached()))


def names(events: list[Fetched]) -> list[str]:
    return [event.name for event in events if isinstance(event, Item)]


def reasons(events: list[Fetched]) -> list[str]:
    return [event.reason for event in events if isinstance(event, Skipped)]


def last(events: list[Fetched]) -> Cursor:
    assert isinstance(events[-1], Cursor)
    return events[-1]


def test_a_site_is_followed_from_link_to_link(site: Server) -> None:
    site.page("/robots.txt", "User-agent: *\nDisallow: /secret", "text/plain")
    site.page("/help/", '<title>Help</title><a href="a">a</a> <a href="/secret/x">x</a> <a href="/elsewhere">e</a> <a href="b.pdf">b</a>')
    site.page("/help/a", '<title>How to</title><a href="old">o</a> <a href="/help/?utm_source=a">home</a>')
    site.page("/help/old", "", status=301, location="new")
    site.page("/help/new", '<title>New</title><link rel="canonical" href="/help/true">')
    site.page("/help/true", "<title>True</title><p>words")
    site.page("/help/b.pdf", "%PDF-1.4", "application/pdf", etag='"1"')
    site.page("/elsewhere", "<title>Elsewhere</title>")
    events = fetched(site, url=f"{site.url}/help/")
    assert sorted(names(events)) == ["Help", "How to", "True", "b.pdf"]
    assert not [path for path in site.asked if path.startswith(("/secret", "/elsewhere"))]
    assert last(events).complete
    pdf = next(event for event in events if isinstance(event, Item) and event.name == "b.pdf")
    assert (pdf.folder, pdf.revision, pdf.read(), pdf.link) == ("help", "1", b"%PDF-1.4", f"{site.url}/help/b.pdf")
    page = next(event for event in events if isinstance(event, Item) and event.name == "True")
    assert page.read().startswith(b"<!doctype html>")
    assert "b.pdf" not in names(fetched(site, url=f"{site.url}/help/", files=False))


def test_a_sitemap_says_what_there_is_and_what_has_not_changed(site: Server) -> None:
    entry = "<url><loc>{0}/docs/{1}</loc><lastmod>{2}</lastmod></url>"
    site.page("/robots.txt", f"Sitemap: {site.url}/index.xml", "text/plain")
    site.page("/index.xml", f"<sitemapindex><sitemap><loc>{site.url}/one.xml.gz</loc></sitemap></sitemapindex>", "text/xml")
    urls = [entry.format(site.url, "a", "2026-01-01T10:00:00Z"), entry.format(site.url, "b", "2026-01-01"), entry.format(site.url, "c", "")]
    packed = gzip.compress(f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{"".join(urls)}</urlset>'.encode())
    site.pages["/one.xml.gz"] = 200, {"content-type": "application/gzip"}, packed
    for name in "ab":
        site.page(f"/docs/{name}", f"<title>{name.upper()}</title>words", etag=f'"{name}1"')
    site.page("/docs/c", "", status=302, location="/docs/d")
    site.page("/docs/d", "<title>D</title>")
    events = fetched(site, find="sitemap")
    assert names(events) == ["A", "B", "D"] and last(events).complete
    site.asked.clear()
    again = fetched(site, last(events).value, find="sitemap")
    assert names(again) == ["A", "B", "D"]
    assert "/docs/a" not in site.asked and "/docs/b" in site.asked, "what has a time is not asked for, what has an etag costs no bytes"
    assert [item.revision for item in again if isinstance(item, Item)] == [item.revision for item in events if isinstance(item, Item)]
    assert next(item for item in again if isinstance(item, Item)).read() == b"<!doctype html>\n<title>A</title>words"


@pytest.mark.parametrize("broken", ["<urlset><url><loc>", LAUGHS, INSIDE, "<html></html>", "no list", "\x1f\x8b broken"])
def test_a_broken_sitemap_is_no_list(site: Server, broken: str) -> None:
    site.page("/sitemap.xml", "", "text/xml")
    site.pages["/sitemap.xml"] = 200, {}, broken.encode("latin-1")
    with pytest.raises(SourceGarbled):
        fetched(site, find="sitemap")


def test_a_sitemap_that_unpacks_to_gigabytes_is_given_up(site: Server) -> None:
    site.pages["/sitemap.xml"] = 200, {}, gzip.compress(b" " * 60_000_000, 1)
    with pytest.raises(SourceGarbled, match="50 MB"):
        fetched(site, find="sitemap")


def test_no_redirect_leads_to_a_private_address(site: Server) -> None:
    with serving("127.0.0.99") as canary:
        canary.page("/", "<title>inner</title>")
        site.page("/", '<title>Home</title><a href="/on">on</a>')
        site.page("/on", "", status=302, location=f"{canary.url}/")
        events = fetched(site, within=[site.url, canary.url])
        assert names(events) == ["Home"] and len(reasons(events)) == 1 and "may not contact" in reasons(events)[0]
        site.page("/robots.txt", "", status=302, location=f"{canary.url}/robots.txt")
        with pytest.raises(SourceNotAllowed):
            fetched(site)
        assert not canary.asked


def test_a_page_without_end_is_given_up_and_the_others_go_on(site: Server) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 100_000)
        except OSError:
            pass

    site.page("/", '<title>Home</title><a href="/endless">e</a><a href="/z">z</a>')
    site.pages["/endless"] = endless
    site.page("/z", "<title>Z</title>")
    events = fetched(site, outside=Reached(most=1_000_000))
    assert names(events) == ["Home", "Z"]
    assert "more than 1,000,000 bytes" in reasons(events)[0]


def test_wrong_credentials_and_a_closed_site_are_said(site: Server) -> None:
    site.page("/", "no", status=401)
    with pytest.raises(TokenRefused):
        fetched(site, user="ann", password="wrong")
    with pytest.raises(SourceMissing):
        fetched(site)


def test_a_page_that_needs_a_login_is_not_there_for_others(site: Server) -> None:
    site.page("/", '<title>Home</title><a href="/login">l</a>')
    site.page("/login", "no", status=401)
    events = fetched(site)
    assert names(events) == ["Home"] and not reasons(events) and last(events).complete


# --- without sockets ---------------------------------------------------------------------------------------------------------------
def html(body: str) -> Said:
    return Said(200, body.encode(), Headers({"content-type": "text/html"}))


def inside(pages: dict[str, Said], **given: Any) -> tuple[dict[str, Any], InProcess]:
    return config(f"https://{HOST}", **given), InProcess(HOST, lambda asked: pages.get(asked.path, Said(404)))


def test_a_page_that_fails_holds_back_deletions_for_some_passes_only() -> None:
    pages = {"/": html('<a href="/a">a</a>'), "/a": html('<a href="/b">b</a>'), "/b": html("b")}
    settings, outside = inside(pages)
    mirror = Mirror()
    mirror.take(web.fetch(settings, None, outside))
    assert len(mirror.held) == 3
    pages["/a"] = Said(500)
    for _ in range(web.PATIENCE - 1):
        mirror.take(web.fetch(settings, mirror.cursor, outside))
        assert len(mirror.held) == 3 and mirror.skipped
    mirror.take(web.fetch(settings, mirror.cursor, outside))
    assert [key.rpartition("/")[2] for key in mirror.held] == ["", "a"]


def test_a_site_that_is_down_is_not_asked_for_every_page() -> None:
    pages = {"/": html("".join(f'<a href="/{n}">x</a>' for n in range(50))), **{f"/{n}": Said(503) for n in range(50)}}
    settings, outside = inside(pages)
    with pytest.raises(SourceUnreachable):
        list(web.fetch(settings, None, outside))
    assert len({asked.path for asked in outside.asked}) < 10


def test_a_crawl_goes_on_where_it_was_told_to_wait() -> None:
    links = "".join(f'<a href="/{n}">x</a>' for n in range(130))
    settings, outside = inside({"/": html(links), **{f"/{n}": html(f"page {n}") for n in range(130)}})
    waiting = [True]

    def slowly(asked: Asked) -> Said | None:
        refuse = waiting[0] and asked.path == "/120"
        return Said(429, headers=Headers({"retry-after": "600"})) if refuse else None

    outside.faults = [slowly]
    mirror = Mirror()
    mirror.take(web.fetch(settings, None, outside))
    assert isinstance(mirror.error, RateLimited) and len(mirror.held) == 121
    waiting[0] = False
    mirror.take(web.fetch(settings, mirror.cursor, outside))
    assert mirror.error is None and len(mirror.held) == 131 and not mirror.opened
    asked = [one.path for one in outside.asked if one.path not in ("/120", "/robots.txt")]
    assert len(asked) == len(set(asked)), "a page was asked for twice"


@pytest.mark.parametrize("find", ["crawl", "sitemap"])
def test_more_pages_than_the_limit_are_said_and_delete_nothing(find: str) -> None:
    links = "".join(f'<a href="/{n}">x</a>' for n in range(9))
    places = "".join(f"<url><loc>https://{HOST}/{n}</loc></url>" for n in range(9))
    pages = {"/": html(links), "/sitemap.xml": Said(200, f"<urlset>{places}</urlset>".encode())}
    settings, outside = inside({**pages, **{f"/{n}": html("x") for n in range(9)}}, most=4, find=find)
    events = list(web.fetch(settings, None, outside))
    assert len(names(events)) == 4 and not last(events).complete and "more than 4 pages" in reasons(events)[0]


def test_pages_that_call_each_other_canonical_are_one() -> None:
    pages = {"/": html('<link rel="canonical" href="/b"><a href="/b">b</a>'), "/b": html('<link rel="canonical" href="/">')}
    events = list(web.fetch(*_swapped(inside(pages))))
    assert len(names(events)) == 1 and last(events).complete


def _swapped(pair: tuple[dict[str, Any], InProcess]) -> tuple[dict[str, Any], None, InProcess]:
    return pair[0], None, pair[1]


def test_circles_of_redirects_end() -> None:
    there = Said(301, headers=Headers({"location": "/"}))
    pages = {
        "/": Said(302, headers=Headers({"location": "/a"})),
        "/a": there,
        "/sitemap.xml": Said(200, b"<urlset><url><loc>/a</loc></url></urlset>"),
    }
    for find in ("crawl", "sitemap"):
        assert not names(list(web.fetch(*_swapped(inside(pages, find=find)))))


def test_it_waits_as_long_as_the_site_asks() -> None:
    settings, outside = inside(
        {"/robots.txt": Said(200, b"User-agent: north\nCrawl-delay: 5"), "/": html('<a href="/a">a</a>'), "/a": html("a")}
    )
    list(web.fetch(settings, None, outside))
    assert 4 < outside.slept <= 5


@pytest.mark.parametrize(
    ("url", "within", "fits"),
    [
        (f"https://{HOST}", "/x/y", True),
        (f"https://{HOST}/help", "/help/a", True),
        (f"https://{HOST}/help", "/other", False),
        (f"https://{HOST}/help/start.html", "/help/a", True),
        (f"https://{HOST}/help/start.html", "/a", False),
    ],
)
def test_the_scope_is_the_folder_in_which_the_site_begins(url: str, within: str, fits: bool) -> None:
    _start, scope = web.scope(config(url))
    assert f"https://{HOST}{within}".startswith(scope) is fits
    assert not f"https://{HOST}.evil.example/help/".startswith(scope)


def test_a_probe_says_what_is_missing() -> None:
    def words(pages: dict[str, Said], **given: Any) -> str:
        return " ".join(finding.words for finding in web.probe(*inside(pages, **given)))

    home = html('<a href="/a">a</a><a href="https://other.example">o</a>')
    assert "1 of its 2 links" in words({"/": home})
    assert "keep away" in words({"/": home, "/robots.txt": Said(200, b"User-agent: *\nDisallow: /")})
    assert "sitemap" in words({"/": html("only a script")})
    assert "lists 0 pages" in words({"/sitemap.xml": Said(200, b"<urlset/>")}, find="sitemap")
    for wrong in (Said(500), Said(404)):
        with pytest.raises(SourceError):
            words({"/": wrong})


def test_its_tree_is_where_pages_lead() -> None:
    settings, outside = inside({"/": html('<a href="/b/c">c</a><a href="/a">a</a>'), "/a": html("")})
    assert [(one.name, one.path) for one in web.browse(settings, "", outside)] == [("a", f"https://{HOST}/a"), ("c", f"https://{HOST}/b/c")]
    assert not list(web.browse(settings, "https://other.example/", outside))
