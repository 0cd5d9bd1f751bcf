"""A web server of the test's own, whose host a workspace allows, and a question that names a page of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import redis
from django.conf import LazySettings

from north.documents.models import Document
from north.outside.models import AllowedHost
from north.outside.web import Web
from north.threads import actions
from north.threads.models import Approval
from north.workspaces.models import Membership, Workspace
from tests.threads.conftest import Actor, finish, model, notice, shelve

__all__ = ["model", "notice", "shelve"]

PAGE = (
    "<html><head><title>Rates</title><script>steal()</script></head><body><nav>Menu</nav><h1>Rates</h1>"
    "<p>The kilometre rate is 42 cents in Ruritania.</p></body></html>"
)


@dataclass
class Site:
    """A web server on the loopback address, and every path that it was asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"


@pytest.fixture
def site(settings: LazySettings) -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            status, headers, body = found.answers.get(self.path, (404, {}, b"internal secret"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    found.answers["/rates"] = (200, {"content-type": "text/html; charset=utf-8"}, PAGE.encode())
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def allowed(site: Site, workspace: Workspace) -> Web:
    AllowedHost.objects.create(workspace=workspace, host=site.host)
    return Web(workspace.pk)


@pytest.fixture
def waiting(site: Site, allowed: Web, broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> Approval:
    run = finish(actions.start(f"What does {site.url('/rates')} say about the kilometre rate?", actor=reader))
    return run.approvals.get()
