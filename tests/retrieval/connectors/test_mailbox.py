from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.connectors import CONNECTORS, imap, mailbox
from retrieval.connectors.mailbox import Mailbox, numbers, ranges, readable
from retrieval.errors import ItemBroken, SettingWrong, SourceError, SourceGarbled, SourceNotAllowed, SourceUnreachable, TokenRefused
from retrieval.types import Cursor, Deleted, Item, Members, Skipped
from tests.retrieval.connectors import dovecot
from tests.retrieval.connectors.reached import Reached
from tests.retrieval.connectors.worlds.unruled import filled_in


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 400)))
def test_a_set_of_numbers_comes_back(uids: set[int]) -> None:
    assert numbers(ranges(uids)) == uids


def test_names_of_folders_are_for_people() -> None:
    assert readable("Entw&APw-rfe") == "Entwürfe"
    assert readable("R&D & &-") == "R&D & &"
    assert readable("&AAA") == "&AAA" and readable("&A-") == "&A-"


# --- a real server -----------------------------------------------------------------------------------------------------------------
def config(user: str, **given: Any) -> dict[str, Any]:
    here = {"host": "127.0.0.1", "port": dovecot.port(), "security": "none", "user": user, "password": dovecot.PASSWORD}
    return filled_in(CONNECTORS["imap"], here | given)


def test_a_mailbox_is_read_and_only_its_readers_may_see_it() -> None:
    user = "questions@acme.example"
    post = dovecot.Post(user)
    post.put("INBOX", "=?utf-8?q?Gr=C3=B6=C3=9Fe?=", "how large?")
    post.put("Kunden/Entw&APw-rfe", "", "x" * 1_200_000)
    post.put("Trash", "old", "gone")
    events = list(imap.fetch(config(user, readers=["Ann@acme.example"], megabytes=1), None, Reached()))
    mail = next(event for event in events if isinstance(event, Item))
    assert (mail.name, mail.folder) == ("Größe.eml", "INBOX") and mail.read().endswith(b"how large?") and mail.modified_at
    assert [event.name for event in events if isinstance(event, Skipped)] == ["No subject.eml"]
    assert [event.users for event in events if isinstance(event, Members)] == [frozenset({"ann@acme.example"})]
    assert [one.path for one in imap.browse(config(user), "", Reached())] == ["INBOX", "Kunden", "Trash"]
    assert [one.path for one in imap.browse(config(user), "Kunden", Reached())] == ["Kunden/Entwürfe"]
    words = " ".join(finding.words for finding in imap.probe(config(user, folders=["inbox"]), Reached()))
    assert "1 of its 3 folders" in words and "unencrypted" in words
    last = events[-1]
    assert isinstance(last, Cursor)
    narrower = list(imap.fetch(config(user, without=["INBOX"]), last.value, Reached()))
    assert [event for event in narrower if isinstance(event, Deleted)] == [Deleted(mail.external_id)]


def test_what_is_wrong_is_said() -> None:
    for wrong, error in (
        (config("ann", password="wrong"), TokenRefused),
        (config("ann", security="starttls"), SettingWrong),
        (config("ann", security="tls"), SourceUnreachable),
        (config("ann", host="169.254.169.254"), SourceNotAllowed),
    ):
        with pytest.raises(error):
            list(imap.probe(wrong, Reached()))


# --- servers that are none ---------------------------------------------------------------------------------------------------------
@contextmanager
def saying(*answers: bytes) -> Iterator[Mailbox]:
    """To each command the next of these, with its tag in place of TAG; then it breaks off."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _address = server.accept()
            with connection, connection.makefile("rb") as said:
                connection.sendall(answers[0])
                for answer in answers[1:]:
                    tag = said.readline().split(b" ")[0]
                    try:
                        connection.sendall(answer.replace(b"TAG", tag))
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        yield Mailbox(Reached(), "127.0.0.1", port, security="none", user="ann", password="right")
        thread.join(10)


OK = b"TAG OK done\r\n"
OPENED = (b"* OK hello\r\n", b"* CAPABILITY IMAP4rev1\r\n" + OK, OK, b"* CAPABILITY IMAP4rev1\r\n" + OK)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x01", b"", b"* BYE busy\r\n"])
def test_who_speaks_no_imap_is_no_mailbox(greeting: bytes) -> None:
    with saying(greeting) as box, pytest.raises(SourceError):
        box.folders()


@pytest.mark.parametrize(
    "answer",
    [
        b'* LIST (\\HasNoChildren) "/" "A"\r\n* LIST half',
        b"TAG NO [SERVERBUG] inner words\r\n",
        b'* LIST () "/" {99999999999}\r\n',
    ],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    with saying(*OPENED, answer) as box, pytest.raises((SourceUnreachable, SourceGarbled)) as raised:
        box.folders()
    assert "inner words" not in str(raised.value)


def test_odd_folders_are_passed_over() -> None:
    listed = b'* LIST (\\Noselect) "/" "A"\r\n* LIST nonsense\r\n* LIST () "." "a.\\"b"\r\n* LIST () NIL c\r\n* LIST () "/" {3}\r\nd/e\r\n'
    with saying(*OPENED, listed + OK) as box:
        assert [one.path for one in box.folders()] == ['a/"b', "c", "d/e"]


def test_answers_without_end_are_given_up() -> None:
    line = b'* LIST () "/" "' + b"A" * 4_000_000 + b'"\r\n'
    with saying(*OPENED, line * 17) as box, pytest.raises(SourceUnreachable):
        box.folders()


def test_a_mail_named_twice_or_by_others_is_taken_once_for_what_was_asked() -> None:
    head = b"* 1 FETCH (UID 5 RFC822.SIZE 9 BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: a\r\n\r\n)\r\n"
    late = b"* 2 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: b\r\n\r\n UID 6)\r\n* 3 FETCH (FLAGS (\\Seen))\r\n"
    other = head.replace(b"UID 5", b"UID 9")
    with saying(*OPENED, OK, head + head + late + other + OK, OK) as box:
        assert [(one.uid, one.subject, one.size) for one in box.heads("INBOX", [5, 6])] == [(5, "a", 9), (5, "a", 9), (6, "b", None)]
        with pytest.raises(ItemBroken):
            box.mail("INBOX", 5)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_header_is_read(said: bytes, header: bytes) -> None:
    mailbox._head(b"UID 7 " + said, b"Subject: " + header)
    mailbox._folder(said)
