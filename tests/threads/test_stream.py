from __future__ import annotations

import random
import re
import socket
import time
import uuid
from contextlib import closing
from functools import partial

import httpx
import pytest
import redis
from django.contrib.sessions.models import Session

from north.threads import actions, tasks
from north.threads.following import BUFFER_BYTES, FOLLOWERS
from north.threads.journal import key, pen
from north.threads.models import Run, Thread
from north.threads.recording import Recorder
from north.threads.stream import LOOK_SECONDS
from north.workspaces.models import Membership, User, Workspace
from tests.conftest import browser_of, cookies
from tests.installation import wait_until
from tests.threads.conftest import Actor, Told, in_background, listening

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "The notice period is thirty days for all staff. It begins at the end of the month. " * 4


def all_of(server: str, run: Run, user: User, after: str = "") -> list[Told]:
    with listening(server, run, user, after) as (response, events):
        assert response.status_code in {200, 204}
        return list(events)


@pytest.fixture
def waiting(transactional_db: None, broker: redis.Redis, reader: Membership) -> Run:
    """A question of rita's that no worker has taken yet."""
    thread = Thread.objects.create(workspace=reader.workspace, user=reader.user, title="Notice")
    return Run.objects.create(thread=thread, question="How long is the notice period?")


@pytest.fixture
def pen_of(waiting: Run) -> Recorder:
    """Writes the journal of the waiting run, as its worker would."""
    run = Run.objects.take(waiting.pk)
    run.write(status=Run.Status.RUNNING)
    return Recorder(run, pen())


def say(recorder: Recorder, text: str) -> None:
    recorder.answer += text
    recorder.journal.append("delta", {"offset": len(recorder.answer) - len(text), "text": text})


# --- whole and once ----------------------------------------------------------------------------------------------------------------


def test_it_tells_steps_then_words_then_the_finished_run_then_the_end(server: str, answered: Run, rita: User) -> None:
    kinds = [event.kind for event in all_of(server, answered, rita)]
    assert kinds[0] == "restart"
    assert kinds[-2:] == ["final", "end"]
    assert kinds.index("step") < kinds.index("delta")


def test_cut_off_anywhere_it_goes_on_without_a_gap_or_a_double(
    server: str, model: Actor, answered: Run, reader: Membership, rita: User
) -> None:
    model.says = LONG
    again = actions.again(answered, actor=reader)
    tasks.execute(str(again.pk))
    whole = all_of(server, again, rita)
    assert len(whole) > 10
    for cut, event in enumerate(whole):
        left = [] if event.kind == "final" else whole[cut + 1 :]
        assert all_of(server, again, rita, after=event.id) == left, f"after event {cut}, {event.kind}"


def test_cut_off_again_and_again_while_it_is_written_it_ends_up_whole(
    server: str, model: Actor, answered: Run, reader: Membership, rita: User
) -> None:
    model.says, model.delay = LONG, 0.02
    run = actions.again(answered, actor=reader)
    worker = in_background(lambda: tasks.execute(str(run.pk)))
    chance, heard, after = random.Random(7), [], ""
    status = 200
    while status == 200:
        with listening(server, run, rita, after) as (response, events):
            status = response.status_code
            for event, _ in zip(events, range(chance.randint(1, 6)), strict=False):
                heard.append(event)
        after = heard[-1].id if heard else ""
    worker.join()
    assert [event for event in heard if event.kind != "end"] == all_of(server, run, rita)[:-1]


def test_whoever_comes_with_an_id_of_another_run_gets_all_of_this_one(server: str, answered: Run, rita: User) -> None:
    whole = all_of(server, answered, rita)
    for foreign in ("9999999999999-0", "1-1", "no id", "-1", "1" * 60):
        assert all_of(server, answered, rita, after=foreign) == whole


def test_the_id_may_stand_in_the_address_where_a_browser_had_to_connect_anew(server: str, answered: Run, rita: User) -> None:
    whole = all_of(server, answered, rita)
    address = f"{server}/w/acme/runs/{answered.pk}/events?last-event-id={whole[3].id}"
    text = httpx.get(address, cookies=cookies(rita), trust_env=False).text
    assert text.count("event: ") == len(whole) - 4


# --- what a broker may lose --------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_told_from_its_rows_when_its_journal_is_gone(server: str, broker: redis.Redis, answered: Run, rita: User) -> None:
    broker.flushall()
    kinds = [event.kind for event in all_of(server, answered, rita)]
    assert kinds == ["restart", "final", "end"]


def test_a_wiped_broker_in_the_middle_loses_no_word(server: str, broker: redis.Redis, waiting: Run, pen_of: Recorder, rita: User) -> None:
    with listening(server, waiting, rita) as (_, events):
        say(pen_of, "Thirty ")
        assert [next(events).kind, next(events).data] == ["restart", "Thirty "]
        broker.flushall()
        say(pen_of, "days.")
        again = next(events)
        assert again.kind == "restart"
        assert "Thirty days." in again.data


def test_a_run_whose_writer_died_after_its_last_row_still_ends(server: str, broker: redis.Redis, answered: Run, rita: User) -> None:
    stream = key(answered.pk)
    broker.xdel(stream, broker.xrevrange(stream, count=1)[0][0])
    assert all_of(server, answered, rita)[-1].kind == "end"
    last = broker.xrevrange(stream, count=1)[0][0]
    assert [event.kind for event in all_of(server, answered, rita, after=last)] == ["restart", "final", "end"]


# --- who may listen ----------------------------------------------------------------------------------------------------------------


def test_a_stranger_a_colleague_and_nobody_get_a_404_before_the_first_byte(
    server: str, waiting: Run, pen_of: Recorder, rita: User, alice: User, charlie: User, other_workspace: object
) -> None:
    say(pen_of, "Thirty days.")
    for person in (alice, charlie):
        with listening(server, waiting, person, after="0-0") as (response, _):
            assert (response.status_code, "Thirty" in response.read().decode()) == (404, False)
    assert httpx.get(f"{server}/w/acme/runs/{waiting.pk}/events", trust_env=False).status_code == 404
    assert httpx.get(f"{server}/w/acme/runs/{uuid.uuid4()}/events", cookies=cookies(rita), trust_env=False).status_code == 404


def test_it_closes_for_who_is_removed_suspended_or_signed_out(
    server: str, broker: redis.Redis, workspace: Workspace, rita: User, carl: User, bob: User
) -> None:
    people, told = (rita, carl, bob), []
    runs = [Run.objects.create(thread=Thread.objects.create(workspace=workspace, user=person), question="Well?") for person in people]
    pens = [Recorder(run, pen()) for run in runs]

    def listen(run: Run, person: User) -> None:
        with listening(server, run, person) as (_, events):
            told.extend(event.kind for event in events)

    listeners = [in_background(partial(listen, run, person)) for run, person in zip(runs, people, strict=True)]
    wait_until(lambda: len(told) == 3)
    Membership.objects.filter(user=rita).delete()
    User.objects.filter(pk=carl.pk).update(is_active=False)
    Session.objects.all().delete()
    time.sleep(LOOK_SECONDS + 1)
    for writer in pens:
        say(writer, "secret")
    for listener in listeners:
        listener.join(2)
        assert not listener.is_alive()
    assert told == ["restart"] * 3


@pytest.mark.parametrize("how", ["signs out", "is removed"])
def test_it_closes_at_once_for_who_signs_out_or_is_removed(server: str, waiting: Run, pen_of: Recorder, rita: User, how: str) -> None:
    browser, told = browser_of(rita), []
    kept = {name: morsel.value for name, morsel in browser.cookies.items()}

    def listen() -> None:
        with httpx.stream("GET", f"{server}/w/acme/runs/{waiting.pk}/events", cookies=kept, timeout=30, trust_env=False) as response:
            told.extend(response.iter_lines())

    say(pen_of, "Thirty days.")
    listener = in_background(listen)
    wait_until(lambda: follower_waits(waiting))
    time.sleep(0.5)
    if how == "signs out":
        assert browser.post("/sign-out").status_code == 302
    else:
        Membership.objects.filter(user=rita).delete()
    listener.join(2)
    assert not listener.is_alive()
    assert "event: restart" in told


def follower_waits(run: Run) -> bool:
    """Somebody reads this run's journal."""
    return any(key(run.pk) in one.watchers for one in FOLLOWERS.values())


def test_it_says_no_document_that_was_taken_away_since(server: str, broker: redis.Redis, answered: Run, rita: User, notice: object) -> None:
    notice.restrict([])
    for _ in range(2):
        text = "".join(event.data for event in all_of(server, answered, rita) if event.kind in {"step", "final", "restart"})
        assert "handbook" not in text
        assert "begins at the end" not in text
        broker.flushall()


# --- headers, faults, slow readers -------------------------------------------------------------------------------------------------


def test_nothing_between_us_and_the_reader_may_hold_it_back(server: str, answered: Run, rita: User) -> None:
    with listening(server, answered, rita) as (response, _):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "no-cache" in response.headers["cache-control"]
        assert response.headers["x-accel-buffering"] == "no"
        assert "default-src 'none'" in response.headers["content-security-policy"]


def test_what_looks_like_an_event_in_an_answer_stays_its_text(server: str, waiting: Run, pen_of: Recorder, rita: User) -> None:
    with listening(server, waiting, rita) as (_, events):
        say(pen_of, "one\r\nevent: end\rdata: x\n\nid: 7-7\n<b>")
        assert next(events).kind == "restart"
        said = next(events)
        assert (said.kind, said.data) == ("delta", "one\nevent: enddata: x\n\nid: 7-7\n&lt;b&gt;")


@pytest.mark.timeout(60)
def test_a_reader_who_does_not_keep_up_is_cut_off_and_loses_nothing(server: str, waiting: Run, pen_of: Recorder, rita: User) -> None:
    text = "x" * (BUFFER_BYTES // 4)
    with closing(dawdler(server, waiting, rita)) as connection:
        for _ in range(1200):
            say(pen_of, text)
        heard = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    assert heard.count(b"event: delta") < 1200
    last = re.findall(rb"^id: (.*)$", heard.rpartition(b"\n\n")[0], re.MULTILINE)[-1].decode()
    with listening(server, waiting, rita, after=last) as (_, events):
        assert next(events).id > last


def dawdler(server: str, run: Run, user: User) -> socket.socket:
    """Asks for a stream and does not read it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    connection.connect(("127.0.0.1", int(server.rpartition(":")[2])))
    cookie = "; ".join(f"{name}={value}" for name, value in cookies(user).items())
    connection.sendall(f"GET /w/acme/runs/{run.pk}/events HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
    connection.settimeout(20)
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    return connection
