"""Connecting a source by consent, begun here, agreed to at a service over HTTP, brought back by the browser that began."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from north.documents import configuring, connecting, reaching
from north.documents.consents import Connection
from north.documents.models import Source, SyncRun
from north.workspaces.models import AuditEvent, Membership
from retrieval.connectors.oauth import Token
from retrieval.errors import TokenRefused
from tests.conftest import browser_of
from tests.retrieval.connectors.outside import Asked, Headers, Said
from tests.retrieval.connectors.test_consenting import Authority

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(settings: Any) -> Iterator[Authority]:
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]
    authority = Authority("gitlab")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            asked = Asked(self.command, f"http://127.0.0.1{self.path}", Headers(dict(self.headers)), self.rfile.read(length))
            fault = next((said for one in authority.outside.faults if (said := one(asked)) is not None), None)
            said = fault or authority.serve(asked)
            self.send_response(said.status_code)
            self.send_header("content-length", str(len(said.content)))
            self.end_headers()
            self.wfile.write(said.content)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority.config["url"] = f"http://127.0.0.1:{server.server_port}"
    yield authority
    server.shutdown()
    server.server_close()


@pytest.fixture
def source(there: Authority, editor: Membership) -> Source:
    config = {"url": there.config["url"], "access": "refresh", "client_id": "app"}
    row = Source(workspace=editor.workspace, connector="gitlab", name="Code", config=config, created_by=editor.user)
    row.secrets = reaching.sealed(row, {"client_secret": "s3cret"})
    row.save()
    return row


def page_of(source: Source, what: str = "connection") -> str:
    return f"/w/acme/sources/{source.pk}/{what}"


def onward(web: Client, source: Source) -> str:
    """The address of the service that the page leads to."""
    html = web.post(page_of(source, "connect")).content.decode()
    found = re.search(r'href="(http://127\.0\.0\.1[^"]+/oauth/authorize[^"]+)"', html)
    assert found
    return unescape(found[1])


def back(url: str, code: str) -> str:
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked["redirect_uri"] == connecting.way_back()
    return f"/consent?state={asked['state']}&code={code}"


def told(web: Client, path: str) -> str:
    return unescape(web.get(path, follow=True).content.decode())


def test_a_source_is_connected_by_whoever_agrees_and_forgotten_again(source: Source, there: Authority, as_bob: Client) -> None:
    html = told(as_bob, page_of(source))
    assert "not connected" in html and "Connect by a code" in html
    url = onward(as_bob, source)
    html = told(as_bob, back(url, there.agree(url)))
    assert "Connected as" in html and "ann" in html and "a sync begins now" in html
    assert configuring.secrets_of(source.__class__.objects.get()) == {"client_secret": "s3cret", "refresh": "r1"}
    assert "r1" not in Source.objects.get().secrets and SyncRun.objects.filter(source=source).exists()
    assert as_bob.post(page_of(source, "disconnect")).status_code == 302
    assert configuring.secrets_of(Source.objects.get()) == {"client_secret": "s3cret"} and not Connection.objects.exists()
    actions = AuditEvent.objects.filter(action__in=["source.connect", "source.disconnect"]).order_by("number")
    assert [event.action for event in actions] == ["source.connect", "source.disconnect"]


def test_an_answer_connects_nothing_twice_nor_in_another_browser(
    source: Source, there: Authority, as_bob: Client, editor: Membership
) -> None:
    url = onward(as_bob, source)
    way = back(url, there.agree(url))
    other = browser_of(editor.user)
    assert "belongs to nothing" in told(other, way), "the same person, but it was begun elsewhere"
    assert "belongs to nothing" in told(as_bob, "/consent?state=made-up&code=x") and not Connection.objects.exists()
    assert "a sync begins now" in told(as_bob, way)
    assert "belongs to nothing" in told(as_bob, way), "it was brought already"
    assert "/sign-in" in Client().get(way)["Location"]


def test_what_was_begun_too_long_ago_connects_nothing(source: Source, there: Authority, as_bob: Client, editor: Membership) -> None:
    url = onward(as_bob, source)
    session = as_bob.session
    session[connecting.BEGUN] = {state: {**entry, "until": 0} for state, entry in session[connecting.BEGUN].items()}
    session.save()
    assert "belongs to nothing" in told(as_bob, back(url, there.agree(url))) and not Connection.objects.exists()


def test_a_consent_that_is_denied_or_whose_code_is_no_good_is_said(source: Source, there: Authority, as_bob: Client) -> None:
    denied = back(onward(as_bob, source), "").replace("code=", "error=access_denied")
    assert "The consent was not given" in told(as_bob, denied)
    assert "used already" in told(as_bob, back(onward(as_bob, source), "stolen"))
    assert not Connection.objects.exists() and not SyncRun.objects.exists()


def test_whoever_may_not_edit_the_source_any_more_connects_nothing(
    source: Source, there: Authority, as_bob: Client, editor: Membership
) -> None:
    url = onward(as_bob, source)
    editor.role = "reader"
    editor.save()
    assert as_bob.get(back(url, there.agree(url))).status_code == 404 and not Connection.objects.exists()


def test_a_code_is_typed_in_elsewhere(source: Source, there: Authority, as_bob: Client) -> None:
    assert "AB-CD" in as_bob.post(page_of(source, "device")).content.decode()
    poll = page_of(source, "device/poll")
    assert as_bob.post(poll).status_code == 204
    there.agreed["d1"] = True
    assert as_bob.post(poll).status_code == 204, "the service is not asked more often than it said"
    session = as_bob.session
    session[connecting.DEVICE] = {**session[connecting.DEVICE], "next": 0}
    session.save()
    answer = as_bob.post(poll, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == page_of(source) and Connection.objects.get().name == "ann"
    assert "not entered in time" in as_bob.post(poll, follow=True).content.decode(), "there is nothing to wait for"


def test_a_refresh_token_is_replaced_and_one_that_was_revoked_says_what_to_do(source: Source, there: Authority) -> None:
    with_token = {"client_secret": "s3cret", "refresh": "r0"}
    Source.objects.update(secrets=reaching.sealed(source, with_token))
    source.refresh_from_db()
    form = {"grant_type": "refresh_token", "refresh_token": "r0"}
    answers = [Said.json({"access_token": "a", "refresh_token": "r9"}), *[Said.json({"error": "invalid_grant"}, 400)] * 2]
    there.outside.faults = [lambda asked: answers.pop(0)]
    url = f"{there.config['url']}/oauth/token"
    assert Token(reaching.Way(source), url, lambda: form, kept="refresh").headers() == {"authorization": "Bearer a"}
    assert configuring.secrets_of(Source.objects.get())["refresh"] == "r9"
    with pytest.raises(TokenRefused, match=r"withdrawn.*Press “Connect” again"):
        Token(reaching.Way(source), url, lambda: form, kept="refresh").headers()


def test_a_source_that_is_not_connected_that_way_says_so(editor: Membership, as_bob: Client, as_rita: Client) -> None:
    source = Source.objects.create(workspace=editor.workspace, connector="folder", name="Share")
    assert "not connected by consent" in told(as_bob, page_of(source))
    for what in ("connect", "device"):
        assert as_bob.post(page_of(source, what)).status_code == 422
        assert as_rita.post(page_of(source, what)).status_code == 404
