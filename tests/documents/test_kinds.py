"""Every kind of source, as whoever sets it up meets it; and one of them through to who reads what came."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from north.documents import actions, tasks
from north.documents.models import Source, SyncRun
from north.documents.readers import Readers
from north.workspaces.models import Membership, Workspace
from retrieval.connectors import CONNECTORS
from tests.conftest import browser_of
from tests.retrieval.connectors.outside import Asked, Headers
from tests.retrieval.connectors.worlds.confluence import ConfluenceWorld, world

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(editor: Membership) -> Client:
    return browser_of(editor.user)


@pytest.mark.parametrize("kind", CONNECTORS)
def test_its_form_asks_for_all_that_it_needs_and_says_what_is_missing(kind: str, web: Client, workspace: Workspace) -> None:
    connector, path = CONNECTORS[kind], f"/w/{workspace.slug}/sources/new"
    page = unescape(web.get(path, {"connector": kind}).content.decode())
    for setting in connector.settings:
        assert setting.label in page and setting.help in page
    plain = {f"of_{one.name}": one.default for one in connector.settings if one.kind in ("choice", "number", "url")}
    answer = web.post(path, {"connector": kind, "name": "x", "schedule": "3600", "readers": "nobody", **plain})
    assert answer.status_code == 422 and not Source.objects.exists()
    assert "This is needed." in answer.content.decode()


@pytest.fixture
def wiki(settings: Any, tmp_path: Path) -> Iterator[tuple[str, ConfluenceWorld]]:
    """The recorded-shape Confluence over HTTP on this machine, which the operator allows."""
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]
    holding = world(tmp_path)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = holding.serve(Asked("GET", f"https://{holding.host}{self.path}", Headers(dict(self.headers)), None))
            self.send_response(said.status_code)
            self.send_header("content-length", str(len(said.content)))
            self.end_headers()
            self.wfile.write(said.content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", holding
    server.shutdown()
    server.server_close()


def synced(source: Source) -> SyncRun:
    run = source.begin() or source.sync_runs.get(status__in=SyncRun.WORKING)
    tasks.sync(str(run.pk))
    run.refresh_from_db()
    return run


def test_a_restricted_page_is_read_by_those_whom_its_source_lets_in(
    wiki: tuple[str, ConfluenceWorld], owner: Membership, editor: Membership
) -> None:
    url, holding = wiki
    holding.email = lambda person: {"ann": owner.user.email, "ben": editor.user.email}.get(person, "")  # type: ignore[method-assign]
    for name in ("a", "b", "c"):
        holding.put(name, f"text of {name}")
    holding.group("staff", ["ben"])
    holding.allow("a", users=["ann"])
    holding.allow("b", groups=["staff"])
    given = {"url": url, "email": "bot@acme.example", "token": "t"}
    values: dict[str, Any] = {"name": "Wiki", "connector": "confluence", "schedule": 0, "readers": Readers(), "actor": editor}
    source = actions.create_source(**values, given=given, as_source=True)
    assert synced(source).new == 3
    assert json.dumps(source.config).count('"t"') == 0, "the token lies sealed"
    read = {actor: set(actions.readable(actor).values_list("name", flat=True)) for actor in (owner, editor)}
    assert read == {owner: {"a", "c"}, editor: {"b", "c"}}
    holding.allow("a", users=["ben"])
    holding.delete("c")
    run = synced(source)
    assert (run.new, run.changed, run.deleted) == (0, 1, 1), "other rights are a change, too"
    read = {actor: set(actions.readable(actor).values_list("name", flat=True)) for actor in (owner, editor)}
    assert read == {owner: set(), editor: {"a", "b"}}
