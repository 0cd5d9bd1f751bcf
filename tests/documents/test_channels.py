"""Channels at a service that forgets them: opened when a door is, renewed by the sweep, closed with a pause, a door or a source; and what a
page says of them. The service is real, over HTTP."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from north import wiring
from north.documents import actions, channels, controls, listening, tasks
from north.documents.hooks import Closing, Hook
from north.documents.models import Source
from north.documents.readers import Readers
from north.workspaces.actions import delete_workspace
from north.workspaces.models import AuditEvent, Membership
from retrieval.connectors import CONNECTORS
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Channel, Config, Connector, Outside, Push
from retrieval.connectors.hearing import by_token
from tests.retrieval.connectors import shelf
from tests.retrieval.connectors.cloud import Cloud
from tests.retrieval.connectors.worlds.google_drive import GoogleDriveWorld
from tests.retrieval.connectors.worlds.sharepoint import SharePointWorld

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
WEEK = 7 * 24 * 3600
MEANWHILE: list[Callable[[], object]] = []
"""What happens elsewhere while a channel is opened."""


# --- a service whose channels last for a week -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Desk:
    ask: Asker

    def keys(self) -> Iterable[str]:
        return self.ask.json("/drives")  # type: ignore[no-any-return]

    def open(self, key: str, address: str, secret: str, before: Channel | None) -> Channel:
        number = self.ask.json("/channels", method="POST", body={"key": key, "address": address, "secret": secret})
        if before:
            self.close(key, before)
        if MEANWHILE:
            MEANWHILE.pop()()
        return {"id": number, "until": time.time() + WEEK}

    def close(self, key: str, channel: Channel) -> None:
        self.ask.ask(f"/channels/{channel['id']}", method="DELETE")


def desk(config: Config, outside: Outside) -> Desk:
    return Desk(Asker(outside, config["url"], headers={"authorization": f"Bearer {config['token']}"}))


WORLDS: list[Cloud] = []


def by_record(kind: str) -> Connector:
    """The connector, whose service is the world that was made last."""
    found = CONNECTORS[kind]
    assert found.push and found.push.office
    office = found.push.office
    return replace(found, push=replace(found.push, office=lambda config, outside: office(config, WORLDS[-1].outside)))


GRAPH, DRIVE = by_record("sharepoint"), by_record("google_drive")
TELLING = replace(shelf.CONNECTOR, push=Push("North enters its address at the desk by itself.", by_token, office=desk))


@dataclass
class Service:
    drives: list[str] = field(default_factory=lambda: ["a", "b"])
    open: dict[int, dict[str, str]] = field(default_factory=dict)
    away: bool = False
    tokens: set[str] = field(default_factory=lambda: {"t"})
    asked: int = 0
    faulty: set[str] = field(default_factory=set)
    """Drives whose channels cannot be opened."""

    def serve(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        if self.away or token not in self.tokens:
            return (503, None) if self.away else (401, None)
        if method == "GET":
            return (200, self.drives) if path == "/drives" else (404, None)
        if method == "DELETE":
            return (204, None) if self.open.pop(int(path.rpartition("/")[2]), None) else (404, None)
        self.asked += 1
        said = json.loads(body)
        if said["key"] in self.faulty:
            return 400, None
        self.open[self.asked] = said
        return 201, self.asked


@pytest.fixture
def service(settings: Any) -> Iterator[tuple[str, Service]]:
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]
    settings.PUBLIC_URL = "https://north.example"
    made = {"telling": "TELLING", "graph": "GRAPH", "drive": "DRIVE"}
    settings.CONNECTORS = {**settings.CONNECTORS, **{kind: f"tests.documents.test_channels.{name}" for kind, name in made.items()}}
    wiring.connectors.cache_clear()
    there = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, said = there.serve(self.command, self.path, self.headers["authorization"].removeprefix("Bearer "), body)
            content = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", there
    server.shutdown()
    server.server_close()
    wiring.connectors.cache_clear()


@pytest.fixture
def source(service: tuple[str, Service], editor: Membership) -> Source:
    given = {"url": service[0], "token": "t"}
    return actions.create_source(name="S", connector="telling", schedule=0, readers=Readers(), actor=editor, given=given)


@pytest.fixture
def there(service: tuple[str, Service]) -> Service:
    return service[1]


@pytest.fixture
def door(source: Source, editor: Membership) -> Hook:
    found, _secret = listening.open_door(source, actor=editor)
    tend(source)
    found.refresh_from_db()
    return found


def tend(source: Source) -> None:
    tasks.tend_channels(str(source.pk))


def sooner(door: Hook, **by: float) -> None:
    """As if that much time had passed."""
    kept = {key: {**one, "until": one["until"] - timedelta(**by).total_seconds()} for key, one in Hook.objects.get().channels.items()}
    Hook.objects.update(tend_at=F("tend_at") - timedelta(**by), channels=kept)
    door.refresh_from_db()


def told(there: Service) -> list[str]:
    return sorted(one["key"] for one in there.open.values())


# --- what happens to channels -----------------------------------------------------------------------------------------------------------
def test_a_door_is_entered_at_the_service_for_each_thing_it_tells_of(there: Service, door: Hook) -> None:
    assert told(there) == ["a", "b"]
    assert {(one["address"], one["secret"]) for one in there.open.values()} == {(door.address, door.secret)}
    assert door.address.startswith("https://north.example/hooks/") and not door.fault
    assert door.told_until and timedelta(days=6) < door.told_until - timezone.now() <= timedelta(days=7)


def test_the_sweep_looks_after_them_each_day_and_renews_them_before_they_end(there: Service, source: Source, door: Hook) -> None:
    assert not channels.due()
    sooner(door, days=1)
    assert [one.pk for one in channels.due()] == [source.pk]
    tend(source)
    assert there.asked == 2, "they last for six days more"
    sooner(door, days=5)
    there.drives = ["b", "c"]
    tend(source)
    assert told(there) == ["b", "c"] and there.asked == 4 and len(there.open) == 2
    door.refresh_from_db()
    assert door.told_until and door.told_until - timezone.now() > timedelta(days=6)
    tend(source)
    assert there.asked == 4, "what is not due is left alone"


def test_two_workers_at_once_open_each_channel_once(there: Service, source: Source, editor: Membership) -> None:
    listening.open_door(source, actor=editor)
    MEANWHILE.append(lambda: tend(source))
    tend(source)
    assert told(there) == ["a", "b"]


def test_a_pause_closes_them_and_what_goes_on_opens_them_again(there: Service, source: Source, door: Hook, editor: Membership) -> None:
    controls.pause(source, actor=editor)
    tend(source)
    door.refresh_from_db()
    assert not there.open and door.channels == {} and door.told_until is None
    controls.resume(source, actor=editor)
    tend(source)
    assert told(there) == ["a", "b"]


def test_other_settings_are_looked_after_at_once(there: Service, source: Source, door: Hook, editor: Membership) -> None:
    given = {"url": source.config["url"], "token": "t", "depth": 4}
    actions.edit_source(source, name="S", given=given, schedule=0, readers=Readers(), actor=editor)
    assert channels.due()


# --- and when they are to end -----------------------------------------------------------------------------------------------------------
def gone(way: str, source: Source, door: Hook, editor: Membership, owner: Membership) -> None:
    match way:
        case "door":
            listening.close_door(door, actor=editor)
        case "source":
            actions.delete_source(source, actor=editor)
        case "workspace":
            delete_workspace(source.workspace, actor=owner)


def close() -> None:
    """As the workers do with what the beat finds."""
    for one in channels.closings():
        tasks.close_channels(one.pk)


@pytest.mark.parametrize("way", ["door", "source", "workspace"])
def test_with_the_door_its_source_or_its_workspace_they_are_closed(
    there: Service, source: Source, door: Hook, editor: Membership, owner: Membership, way: str
) -> None:
    gone(way, source, door, editor, owner)
    assert not Hook.objects.exists() and len(there.open) == 2, "nobody waits for the service"
    close()
    assert not there.open and not Closing.objects.exists()


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(("kind", "of"), [("graph", SharePointWorld), ("drive", GoogleDriveWorld)])
@pytest.mark.parametrize("way", ["source", "workspace"])
def test_microsoft_and_google_are_told_that_nobody_listens_any_more(
    editor: Membership, owner: Membership, kind: str, of: type[Cloud], way: str
) -> None:
    world = of()
    WORLDS.append(world)
    source = actions.create_source(name="S", connector=kind, schedule=0, readers=Readers(), actor=editor, given=world.config)
    door, _secret = listening.open_door(source, actor=editor)
    tend(source)
    there = world.subscribed if isinstance(world, SharePointWorld) else world.watching  # type: ignore[attr-defined]
    assert len(there) == 1, Hook.objects.get().fault
    gone(way, source, door, editor, owner)
    close()
    assert not there and not Closing.objects.exists()


def test_it_is_begun_once_the_deletion_is_durable(
    there: Service, source: Source, door: Hook, editor: Membership, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as begun:
        actions.delete_source(source, actor=editor)
    assert any(getattr(one, "args", ())[:1] == ("documents.close_channels",) for one in begun)


@pytest.mark.parametrize("way", ["source", "workspace"])
def test_a_service_that_is_away_keeps_nothing_from_being_deleted_and_is_asked_again(
    there: Service, source: Source, door: Hook, editor: Membership, owner: Membership, way: str
) -> None:
    there.away = True
    gone(way, source, door, editor, owner)
    assert not Source.objects.exists()
    close()
    (left,) = Closing.objects.all()
    assert len(there.open) == 2 and not channels.closings() and '"t"' not in left.secrets
    there.away = False
    Closing.objects.update(try_at=F("try_at") - timedelta(minutes=16))
    close()
    assert not there.open and not Closing.objects.exists()


def test_what_is_closed_already_is_not_forgotten_over_a_fault(there: Service, source: Source, door: Hook, editor: Membership) -> None:
    actions.delete_source(source, actor=editor)
    there.open = {number: one for number, one in there.open.items() if one["key"] == "b"}
    close()
    assert not there.open and not Closing.objects.exists()


@pytest.mark.parametrize("why", ["it is away for a day", "its token is taken no more", "its connector is gone"])
def test_nothing_is_kept_of_a_source_that_is_gone_once_it_is_of_no_use(
    there: Service, source: Source, door: Hook, editor: Membership, why: str, settings: Any
) -> None:
    match why:
        case "it is away for a day":
            there.away = True
        case "its token is taken no more":
            there.tokens = set()
    actions.delete_source(source, actor=editor)
    if why == "it is away for a day":
        close()
        assert Closing.objects.exists()
        Closing.objects.update(try_at=timezone.now(), created_at=F("created_at") - timedelta(days=1))
    if why == "its connector is gone":
        Closing.objects.update(connector="unheard of")
    close()
    assert not Closing.objects.exists()


def test_what_is_opened_while_the_door_closes_is_closed_with_it(there: Service, source: Source, editor: Membership) -> None:
    listening.open_door(source, actor=editor)
    MEANWHILE.append(Hook.objects.all().delete)
    tend(source)
    close()
    assert not there.open and not Closing.objects.exists()


# --- what goes wrong, and what the pages say ------------------------------------------------------------------------------------------
def page(web: Client, source: Source, what: str = "") -> str:
    return " ".join(unescape(web.get(f"/w/acme/sources/{source.pk}{what}").content.decode()).split())


def test_a_fault_is_said_tried_again_and_forgets_nothing_that_was_opened(
    there: Service, source: Source, editor: Membership, as_bob: Client
) -> None:
    there.faulty = {"b"}
    assert "let the source tell at once" in page(as_bob, source)
    listening.open_door(source, actor=editor)
    assert "being registered" in page(as_bob, source)
    tend(source)
    door = Hook.objects.get()
    assert list(door.channels) == ["a"] and "it answered 400" in door.fault
    for where in ("", "/push"):
        html = page(as_bob, source, where)
        assert "not registered" in html and "it answered 400" in html and "holds until" in html
    assert door.tend_at and door.tend_at - timezone.now() < timedelta(minutes=16)
    there.faulty = set()
    sooner(door, minutes=16)
    tend(source)
    assert told(there) == ["a", "b"] and "renewed by itself" in page(as_bob, source) and not Hook.objects.get().fault


def test_without_a_public_address_nothing_is_asked_and_the_page_says_what_to_set(
    there: Service, source: Source, editor: Membership, as_bob: Client, settings: Any
) -> None:
    for address in ("http://north.example", "https://localhost:8000"):
        settings.PUBLIC_URL = address
        Hook.objects.all().delete()
        listening.open_door(source, actor=editor)
        tend(source)
        assert "Set NORTH_PUBLIC_URL" in page(as_bob, source) and not there.open


def test_a_person_has_it_tried_again_now(there: Service, source: Source, door: Hook, as_bob: Client, as_rita: Client) -> None:
    assert as_rita.post(f"/w/acme/sources/{source.pk}/push/register").status_code == 404 and not channels.due()
    assert as_bob.post(f"/w/acme/sources/{source.pk}/push/register").status_code == 302 and channels.due()
    assert AuditEvent.objects.filter(action="source.hook_register").exists()
    shown = page(as_bob, source, "/push")
    assert "Register now" in shown and door.secret not in shown
