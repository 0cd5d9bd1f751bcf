from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from retrieval.connectors import webdav
from retrieval.errors import ItemBroken, RightMissing, SourceError, SourceGarbled, SourceMissing, SourceNotAllowed, TokenRefused
from retrieval.types import Cursor, Item, Skipped
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said
from tests.retrieval.connectors.reached import Reached
from tests.retrieval.connectors.worlds.unruled import filled_in
from tests.retrieval.connectors.worlds.webdav import application

HOST = "files.example"


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("share")
    (root / "hr" / "plans & aims").mkdir(parents=True)
    (root / "hr" / "plans & aims" / "größe 100%.txt").write_text("large")
    (root / "hr" / ".hidden").write_text("x")
    (root / "hr" / "archive").mkdir()
    (root / "hr" / "archive" / "old.txt").write_text("old")
    (root / "big.bin").write_bytes(b"x" * 2_000_000)
    return root


@pytest.fixture(scope="module")
def url(share: Path) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application(share), handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/dav"
    server.shutdown()
    thread.join()
    server.server_close()


def config(url: str, **given: Any) -> dict[str, Any]:
    return filled_in(webdav.CONNECTOR, {"url": url, "user": "north", "password": "right", **given})


def test_a_share_is_walked_through_the_way_out(url: str) -> None:
    way = Reached()
    way.unwanted = ("hr/archive",)
    events = list(webdav.fetch(config(url, megabytes=1), None, way))
    items = [event for event in events if isinstance(event, Item)]
    assert [(one.external_id, one.folder, one.size) for one in items] == [("hr/plans & aims/größe 100%.txt", "hr/plans & aims", 5)]
    assert items[0].read() == b"large" and items[0].revision and items[0].modified_at
    assert items[0].link == f"{url}/hr/plans%20%26%20aims/gr%C3%B6%C3%9Fe%20100%25.txt"
    (large,) = [event for event in events if isinstance(event, Skipped)]
    assert (large.reason, large.folder) == ("It has 2.0 MB; at most 1 MB are read. Split it.", "")
    assert events[-1] == Cursor({}, complete=True)


def test_what_is_gone_when_it_is_read_is_one_things_fault(url: str, share: Path) -> None:
    (share / "soon.txt").write_text("x")
    soon = next(one for one in webdav.fetch(config(url), None, Reached()) if isinstance(one, Item) and one.name == "soon.txt")
    (share / "soon.txt").unlink()
    with pytest.raises(ItemBroken):
        soon.read()


def test_wrong_credentials_and_addresses_are_said(url: str) -> None:
    for wrong, error in (
        (config(url, password="wrong"), TokenRefused),
        (config(url + "/none"), SourceMissing),
        (config(url.replace("127.0.0.1", "127.0.0.2")), SourceNotAllowed),
    ):
        with pytest.raises(error):
            list(webdav.probe(wrong, Reached()))


def test_a_probe_and_the_tree(url: str) -> None:
    words = " ".join(finding.words for finding in webdav.probe(config(url), Reached()))
    assert "1 folders" in words and webdav.NO_RIGHTS in words
    assert [(one.path, one.name) for one in webdav.browse(config(url), "", Reached())] == [("hr", "hr")]
    assert [one.path for one in webdav.browse(config(url), "hr", Reached())] == ["hr/archive", "hr/plans & aims"]


# --- servers that say something else ---------------------------------------------------------------------------------------------------
def listing(*hrefs: str, said: str = "") -> bytes:
    inside = f"<d:propstat><d:prop><d:resourcetype/>{said}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    responses = "".join(f"<d:response><d:href>{href}</d:href>{inside}</d:response>" for href in hrefs)
    return f'<d:multistatus xmlns:d="DAV:">{responses}</d:multistatus>'.encode()


def from_server(*answers: Said) -> list[Any]:
    left = list(answers)
    outside = InProcess(HOST, lambda asked: left.pop(0) if len(left) > 1 else left[0])
    return list(webdav.fetch(config(f"https://{HOST}/dav"), None, outside))


def test_what_lies_elsewhere_is_not_taken() -> None:
    hrefs = [
        "/dav/a.txt",
        "/etc/passwd",
        "/dav/../x",
        "/dav/%2e%2e/x",
        "https://other.example/dav/b.txt",
        "/davos/c",
        "/dav/in/d.txt",
        "//[",
    ]
    found = [event.external_id for event in from_server(Said(207, listing(*hrefs))) if isinstance(event, Item)]
    assert found == ["a.txt", "b.txt"], "and is read from this server, whatever host it names"


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, b"<html>a page</html>"),
        Said(207, b"<html>a page</html>"),
        Said(207, listing("/dav/a")[:-20]),
        Said(207, b'<!DOCTYPE x [<!ENTITY a "b">]><d:multistatus xmlns:d="DAV:"><d:response>&a;</d:response></d:multistatus>'),
        Said(302, headers=Headers({"location": "http://169.254.169.254/"})),
        Said(405),
        Said(403),
    ],
)
def test_an_answer_that_is_none_lists_nothing(answer: Said) -> None:
    with pytest.raises(SourceError):
        from_server(answer)


def test_a_folder_that_may_not_be_seen_stays_as_it_was() -> None:
    inner = b'<d:multistatus xmlns:d="DAV:"><d:response><d:href>/dav/in/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>'
    top = inner + b"</d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
    events = from_server(Said(207, top), Said(403))
    assert [type(event) for event in events[1:]] == [Skipped, Cursor] and not events[-1].complete
    with pytest.raises(RightMissing):
        from_server(Said(403))


@pytest.mark.parametrize("said", ["<d:getcontentlength>many</d:getcontentlength>", "<d:getlastmodified>soon</d:getlastmodified>"])
def test_odd_properties_are_passed_over(said: str) -> None:
    found = [event for event in from_server(Said(207, listing("/dav/a.txt", said=said))) if isinstance(event, Item)]
    assert found[0].size is None and found[0].modified_at is None


def test_folders_in_a_circle_end() -> None:
    """A server for which every folder holds another."""

    def serve(asked: Asked) -> Said:
        folder = "<d:resourcetype><d:collection/></d:resourcetype>"
        href = asked.path.rstrip("/") + "/again/"
        inside = f"<d:propstat><d:prop>{folder}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
        return Said(207, f'<d:multistatus xmlns:d="DAV:"><d:response><d:href>{href}</d:href>{inside}</d:response></d:multistatus>'.encode())

    with pytest.raises(SourceGarbled, match="folders inside each other"):
        list(webdav.fetch(config(f"https://{HOST}/dav"), None, InProcess(HOST, serve)))
