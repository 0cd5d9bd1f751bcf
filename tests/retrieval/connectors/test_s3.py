from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from retrieval.connectors import s3
from retrieval.connectors.contract import checked
from retrieval.connectors.signing import Keys
from retrieval.errors import (
    RateLimited,
    RightMissing,
    SettingWrong,
    SourceError,
    SourceGarbled,
    SourceNotAllowed,
    SourceUnreachable,
    TokenRefused,
)
from retrieval.types import Item, Skipped
from tests.retrieval.connectors.outside import Headers, InProcess, Said
from tests.retrieval.connectors.reached import Reached
from tests.retrieval.connectors.worlds.s3 import HOST, create_backend_app
from tests.retrieval.connectors.worlds.unruled import filled_in


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_backend_app("s3"), handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found = f"http://127.0.0.1:{server.server_port}"
    keys = ("a/größe & 100%+~.txt", "a/b/c.txt", "archive/old.txt", "z.txt", "folder/")
    put(found, "")
    for key in keys:
        put(found, key, key.encode())
    put(found, "a/big.bin", b"x" * 1_500_000)
    put(found, "a/frozen.txt", b"x", {"x-amz-storage-class": "GLACIER"})
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def put(endpoint: str, key: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
    url = f"{endpoint}/docs/{quote(key)}".rstrip("/") + ("/" if key.endswith("/") else "")
    signed = Keys("AKID", "hush").headers("PUT", url)
    assert Reached().request("PUT", url, headers=signed | (headers or {}), content=body).status_code == 200


def config(endpoint: str = "", **given: Any) -> dict[str, Any]:
    return filled_in(s3.CONNECTOR, {"endpoint": endpoint, "bucket": "docs", "key": "AKID", "secret": "hush", **given})


def test_a_bucket_is_listed_page_by_page_through_the_way_out(url: str) -> None:
    events = list(s3.fetch(config(url, megabytes=1), None, Reached()))
    items = {event.external_id: event for event in events if isinstance(event, Item)}
    assert sorted(items) == ["a/b/c.txt", "a/größe & 100%+~.txt", "archive/old.txt", "z.txt"]
    assert all(item.read() == key.encode() for key, item in items.items())
    one = items["a/b/c.txt"]
    assert (one.name, one.folder, one.size) == ("c.txt", "a/b", 9) and one.revision and one.modified_at
    assert sorted((event.name, event.folder) for event in events if isinstance(event, Skipped)) == [("big.bin", "a"), ("frozen.txt", "a")]


def test_a_prefix_narrows_and_the_tree_shows_folders(url: str) -> None:
    found = [event.name for event in s3.fetch(config(url, prefix="a/b/"), None, Reached()) if isinstance(event, Item)]
    assert found == ["c.txt"]
    assert [(one.path, one.name) for one in s3.browse(config(url), "", Reached())] == [
        ("a/", "a"),
        ("archive/", "archive"),
        ("folder/", "folder"),
    ]
    assert [one.path for one in s3.browse(config(url), "a/", Reached())] == ["a/b/"]


def test_a_probe_tries_what_a_sync_needs(url: str) -> None:
    words = " ".join(finding.words for finding in s3.probe(config(url), Reached()))
    assert "objects and more" not in words and "Objects can be read." in words
    with pytest.raises(SettingWrong, match="no such bucket"):
        list(s3.probe(config(url, bucket="nothing-here"), Reached()))
    with pytest.raises(SourceNotAllowed):
        list(s3.probe(config("http://169.254.169.254"), Reached()))


# --- storages that say no --------------------------------------------------------------------------------------------------------------
def said(code: str, status: int) -> Said:
    return Said(status, f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>inner words</Message></Error>'.encode())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (said("InvalidAccessKeyId", 403), TokenRefused),
        (said("SignatureDoesNotMatch", 403), TokenRefused),
        (said("ExpiredToken", 400), TokenRefused),
        (said("AccessDenied", 403), RightMissing),
        (said("RequestTimeTooSkewed", 403), SourceUnreachable),
        (said("AuthorizationHeaderMalformed", 400), SettingWrong),
        (said("PermanentRedirect", 301), SettingWrong),
        (said("SlowDown", 400), RateLimited),
        (said("InternalError", 500), SourceUnreachable),
        (Said(307, headers=Headers({"location": "http://169.254.169.254/"})), SettingWrong),
        (Said(403, b"<html>"), RightMissing),
        (Said(200, b"<html>a page</html>"), SourceGarbled),
        (Said(200, b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult>&a;</ListBucketResult>'), SourceGarbled),
        (Said(200, b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"), SourceGarbled),
        (
            Said(
                200, b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>"
            ),
            SourceGarbled,
        ),
    ],
)
def test_each_refusal_is_an_error_of_its_own(answer: Said, error: type[SourceError]) -> None:
    with pytest.raises(error) as raised:
        list(s3.fetch(config(), None, InProcess(HOST, lambda asked: answer)))
    assert "inner words" not in str(raised.value) and "hush" not in str(raised.value)


def test_the_bucket_may_stand_in_the_host() -> None:
    outside = InProcess("docs.s3.eu-central-1.amazonaws.com", lambda asked: Said(200, b"<ListBucketResult/>"))
    list(s3.fetch(config(style="host", region="eu-central-1"), None, outside))
    assert outside.asked[0].url.startswith("https://docs.s3.eu-central-1.amazonaws.com/?list-type=2")
    assert "hush" not in str(outside.asked[0].headers)


@pytest.mark.parametrize("name", ["a/b", "a b", "evil.example/x", "..", "grün"])
def test_a_bucket_is_a_name(name: str) -> None:
    assert "bucket" in checked(s3.CONNECTOR.settings, {"bucket": name}).wrong
