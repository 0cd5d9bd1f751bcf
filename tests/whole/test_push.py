"""What is deleted or closed at a source stops answering soon after the source has said so: every process is real, the service is reached
over HTTP, and its messages are signed as GitHub signs them."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.installation import SCRIPTED, Installation, wait_until
from tests.retrieval.connectors.outside import Asked, Headers
from tests.retrieval.connectors.worlds.github import GitHubWorld

pytestmark = [pytest.mark.whole, pytest.mark.timeout(300)]
WITHIN = 60
OPEN = """
from north.documents import listening
from north.documents.models import Source
from north.workspaces.models import Membership
owner = Membership.objects.select_related("workspace", "user").get(workspace__slug="acme", user__email="alice@acme.example")
hook, secret = listening.open_door(Source.objects.get(), actor=owner)
print(hook.key, secret)
"""


@pytest.fixture
def github() -> Iterator[tuple[str, GitHubWorld]]:
    """At an address of this machine, with two issues that ann and ben may see."""
    world = GitHubWorld()
    for name in ("pump", "valve"):
        world.put(name, f"The {name} is serviced in May.")
        world.allow(name, ["ann", "ben"])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            asked = Asked(self.command, f"http://github{self.path}", Headers(dict(self.headers)), self.rfile.read(length))
            said = world.serve(asked)
            self.send_response(said.status_code)
            for name, value in {**said.headers, "content-length": str(len(said.content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.content)

        do_POST = do_GET

        def log_message(self, *_words: object) -> None:
            """Quietly."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", world
    server.shutdown()
    server.server_close()


@pytest.fixture
def north(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path, **SCRIPTED, NORTH_OUTBOUND_ALLOWED="127.0.0.1").start()
    installation.people(alice="owner", ann="reader", ben="reader")
    yield installation
    installation.stop()


def finds(api: httpx.Client, name: str) -> bool:
    """Whether a search answers with the issue of this name."""
    results = api.post("/search", json={"query": f"When is the {name} serviced?"}).raise_for_status().json()["results"]
    return any(name in result["name"] for result in results)


def test_what_a_source_says_is_gone_or_closed_is_in_no_search_a_minute_later(
    north: Installation, github: tuple[str, GitHubWorld], capsys: pytest.CaptureFixture[str]
) -> None:
    url, world = github
    alice, ann, ben = north.api("alice"), north.api("ann"), north.api("ben")
    given = {"name": "Code", "connector": "github", "schedule": 0, "as_source": True, "access": {}}
    settings = {"url": url, "owner": "acme", "token": "t", "files": []}
    made = alice.post("/sources", json={**given, "settings": settings})
    assert made.status_code == 201, made.text
    wait_until(lambda: finds(ben, "pump") and finds(ben, "valve"), 60, every=0.5)
    key, secret = north.run_python(OPEN).split()[-2:]

    def pushed(secret: str) -> int:
        body = b'{"action": "edited"}'
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": "issues", "X-GitHub-Delivery": str(uuid.uuid4()), "X-Hub-Signature-256": signature}
        return httpx.post(f"{north.url}/hooks/{key}", content=body, headers=headers, trust_env=False).status_code

    def until(gone: Callable[[], bool]) -> float:
        """Seconds from the message on."""
        begun = time.monotonic()
        assert pushed(secret) == 200
        wait_until(gone, WITHIN, every=0.2)
        return time.monotonic() - begun

    world.delete("pump")
    assert pushed("another secret") == 404
    time.sleep(3)
    assert finds(ben, "pump"), "nobody but the source makes North look"
    deleted = until(lambda: not finds(ben, "pump"))
    assert finds(ben, "valve")

    world.allow("valve", ["ann"])
    closed = until(lambda: not finds(ben, "valve"))
    assert finds(ann, "valve")
    with capsys.disabled():
        print(f"\nfrom the message on: deleted {deleted:.1f} s, a right taken away, right after another pass, {closed:.1f} s")
    assert max(deleted, closed) < WITHIN
