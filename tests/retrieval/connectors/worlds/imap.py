from __future__ import annotations

import dataclasses
import io
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from retrieval.connectors import CONNECTORS
from retrieval.connectors.contract import Config, Outside
from retrieval.types import Fetched, Item, Skipped
from tests.retrieval.connectors import dovecot
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.reached import Reached
from tests.retrieval.connectors.worlds.unruled import Unruled, filled_in

ONE_RIGHT = "A mailbox has one right for all that is in it: its readers, whom the settings name."
NUMBERS = itertools.count()


def plain_fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Without the mail around the text, which is what the cases compare."""
    for event in CONNECTORS["imap"].fetch(config, cursor, outside):
        if isinstance(event, Item):
            yield dataclasses.replace(event, name=event.name.removesuffix(".eml"), data=_body(event))
        elif isinstance(event, Skipped):
            yield dataclasses.replace(event, name=event.name.removesuffix(".eml"))
        else:
            yield event


def _body(item: Item) -> Callable[[], bytes]:
    return lambda: item.read().partition(b"\r\n\r\n")[2]


class IMAPWorld(Unruled):
    """Dovecot. Two mails lie in each folder. Mails never change: who changes one puts another in its place, as with drafts."""

    connector = dataclasses.replace(CONNECTORS["imap"], fetch=plain_fetch)
    impossible: Mapping[str, str] = {
        **dict.fromkeys(["rights change", "group change", "nested groups", "public", "unreadable rights"], ONE_RIGHT),
        **dict.fromkeys(["rate limit", "rate limit deletes nothing"], "IMAP has no Retry-After: a server slows down, or breaks off."),
        "duplicate page": "IMAP has no pages. What comes twice in one answer is shown in `test_mailbox.py`.",
    }

    def __init__(self) -> None:
        self.outside = Wired()
        user = f"north{os.getpid()}-{next(NUMBERS)}@acme.example"
        given = {"host": "127.0.0.1", "port": dovecot.port(), "security": "none", "user": user, "password": dovecot.PASSWORD}
        self.config: dict[str, Any] = filled_in(self.connector, given)
        self.post = dovecot.Post(user)
        self.texts: dict[str, str] = {}

    def folder(self, name: str) -> str:
        return f"Part{(ord(name[0]) - ord('a')) // 2}"

    def put(self, name: str, text: str) -> None:
        if name in self.texts:
            self.post.remove(self.folder(name), name)
        self.texts[name] = text
        self.post.put(self.folder(name), name, text)

    def delete(self, name: str) -> None:
        del self.texts[name]
        self.post.remove(self.folder(name), name)

    def move(self, name: str, to: str) -> None:
        self.put(to, self.texts[name])
        self.delete(name)

    def fault(self, fault: Fault, name: str = "") -> None:
        match fault:
            case "token expiry":
                self.config["password"] = "expired"
            case "truncated page":
                self.outside.cut = b"HEADER.FIELDS"
            case "cursor expiry":
                self.made_anew()
            case "poison item":
                self.outside.kept_back = f"Part{(ord(name[0]) - ord('a')) // 2}", self.post.found(self.folder(name), name)[0]

    def made_anew(self) -> None:
        """The same folders with the same mails, and other numbers."""
        for folder in {self.folder(name) for name in self.texts} | {"Part0"}:
            self.post.imap.delete(folder)
        for name, text in self.texts.items():
            self.post.put(self.folder(name), name, text)

    def mend(self) -> None:
        self.config["password"] = dovecot.PASSWORD
        self.outside.cut, self.outside.kept_back = b"", None


class Wired(Reached):
    """A wire to the server that may be cut in the answer to a command, or keep one mail back."""

    cut = b""
    kept_back: tuple[str, str] | None = None

    def dial(self, host: str, port: int, seconds: float = 10.0) -> Any:
        return Wire(super().dial(host, port, seconds), self)


class Wire:
    def __init__(self, socket: Any, wired: Wired) -> None:
        self._socket, self._wired, self._folder = socket, wired, ""
        self.answers: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def makefile(self, mode: str) -> Any:
        self._file = self._socket.makefile(mode)
        return self

    def sendall(self, data: bytes) -> None:
        if b"EXAMINE" in data:
            self._folder = data.split(b'"')[1].decode()
        back = self._wired.kept_back
        if back and back[0] == self._folder and b"BODY.PEEK[])" in data and f"FETCH {back[1]} ".encode() in data:
            data = data.split()[0] + b" NOOP\r\n"
        self._socket.sendall(data)
        if self._wired.cut and self._wired.cut in data:
            self._file = io.BytesIO(self._file.readline()[:10])

    def readline(self, size: int = -1) -> Any:
        return self._file.readline(size)

    def read(self, size: int = -1) -> Any:
        return self._file.read(size)


def world(folder: Path) -> IMAPWorld:
    return IMAPWorld()
