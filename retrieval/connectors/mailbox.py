"""One IMAP server (RFC 3501, RFC 7162 where it knows that) as a connector needs it: folders, what is in them, and single mails, read only.
Knows nothing of documents. The standard library speaks the protocol, over a connection of the one way out and within limits.
"""

from __future__ import annotations

import base64
import imaplib
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.parser import BytesHeaderParser
from typing import Any, Final

import certifi

from retrieval.connectors.contract import Outside
from retrieval.errors import ItemBroken, RateLimited, SettingWrong, SourceGarbled, SourceUnreachable, TokenRefused

SECONDS: Final = 30.0
LONGEST_LINE: Final = 16_000_000
MOST_AT_ONCE: Final = 64_000_000
"""Bytes that are taken in answer to one command."""
LISTED: Final = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?P<mark>[^"]|\\.)"|NIL) (?P<name>.*)', re.DOTALL)
SLOWER: Final = ("[LIMIT]", "[THROTTLED]", "[OVERQUOTA]")
STATE: Final = ("MESSAGES", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ")
WANTED: Final = "(UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])"


@dataclass(frozen=True, slots=True)
class Folder:
    """`name`: as the server writes it. `path`: for people, with "/"."""

    name: str
    path: str
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class State:
    """What has to be the same for a folder to be unchanged; `modseq` is 0 where the server counts no changes."""

    validity: int
    next: int
    count: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Head:
    uid: int
    subject: str
    size: int | None
    at: datetime | None


class Mailbox:
    """Connects when it is first asked, and again after it was closed. `security`: tls, starttls, or none."""

    def __init__(self, outside: Outside, host: str, port: int, *, security: str, user: str, password: str) -> None:
        self._outside, self._host, self._port, self._security = outside, host, port, security
        self._user, self._password = user, password
        self._line: _Line | None = None
        self._open, self._counts = "", False

    def folders(self) -> list[Folder]:
        with self._in_words():
            found = [_folder(one) for one in self._told(self._connected().list()) if one]
        return [one for one in found if one and "\\noselect" not in one.flags and "\\nonexistent" not in one.flags]

    def state(self, folder: str) -> State:
        """Without opening it."""
        with self._in_words():
            line = self._connected()
            counting = "CONDSTORE" in line.capabilities
            wanted = "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)" if counting else "(MESSAGES UIDNEXT UIDVALIDITY)"
            said = b" ".join(one if isinstance(one, bytes) else one[1] for one in self._told(line.status(_quoted(folder), wanted)))
        found = {
            name: int(number) for name, number in re.findall(r"(MESSAGES|UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ) (\d+)", said.decode("latin-1"))
        }
        if "UIDVALIDITY" not in found or "MESSAGES" not in found:
            raise SourceGarbled(self._host, "no state of a folder")
        return State(found["UIDVALIDITY"], found.get("UIDNEXT", 0), found["MESSAGES"], found.get("HIGHESTMODSEQ", 0))

    def uids(self, folder: str, since: datetime | None = None) -> set[int]:
        """Of all mails in it that are not marked as deleted."""
        wanted = ["UNDELETED", *(["SINCE", since.strftime("%d-%b-%Y")] if since else [])]
        with self._in_words():
            said = self._told(self._at(folder).uid("SEARCH", *wanted))
        return {int(number) for one in said if isinstance(one, bytes) for number in one.split() if number.isdigit()}

    def heads(self, folder: str, uids: Iterable[int]) -> Iterator[Head]:
        asked = set(uids)
        with self._in_words():
            said = self._told(self._at(folder).uid("FETCH", ranges(asked), WANTED))
        for number, one in enumerate(said):
            if isinstance(one, tuple):
                after = said[number + 1] if number + 1 < len(said) and isinstance(said[number + 1], bytes) else b""
                head = _head(one[0] + b" " + after, one[1])
                if head and head.uid in asked:
                    yield head

    def mail(self, folder: str, uid: int) -> bytes:
        """Raises ItemBroken where this one cannot be had."""
        with self._in_words(one=True):
            said = self._told(self._at(folder).uid("FETCH", str(uid), "(BODY.PEEK[])"))
        found = next((one[1] for one in said if isinstance(one, tuple)), b"")
        if not found:
            raise ItemBroken("The server does not give the mail out, or it was deleted meanwhile.")
        return bytes(found)

    def close(self) -> None:
        line, self._line, self._open = self._line, None, ""
        if line:
            try:
                line.logout()
            except (imaplib.IMAP4.error, OSError):
                return

    def _connected(self) -> _Line:
        if self._line is None:
            line = _Line(self._outside, self._host, self._port, self._security)
            try:
                line.login(self._user, self._password)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                if "UNAVAILABLE" in str(error):
                    raise SourceUnreachable(self._host, "it cannot check passwords now") from error
                raise TokenRefused(self._host) from error
            self._line = line
            self._counts = any(b"CONDSTORE" in one.upper() for one in self._told(line.capability()))
        return self._line

    def _at(self, folder: str) -> _Line:
        line = self._connected()
        if self._open != folder:
            self._open = ""
            self._told(line.select(_quoted(folder), readonly=True))
            self._open = folder
        return line

    def _told(self, answer: tuple[str, list[Any]]) -> list[Any]:
        status, said = answer
        if status != "OK":
            words = b" ".join(one for one in said if isinstance(one, bytes)).decode("latin-1")
            raise imaplib.IMAP4.error(words)
        return [one for one in said if one is not None]

    @contextmanager
    def _in_words(self, one: bool = False) -> Iterator[None]:
        """What the server refuses, and what breaks; with `one`, a refusal is that mail's fault."""
        try:
            yield
        except (imaplib.IMAP4.abort, OSError, EOFError) as error:
            self._line = None
            detail = "its certificate is not trusted" if isinstance(error, ssl.SSLCertVerificationError) else "it broke off"
            raise SourceUnreachable(self._host, detail) from error
        except imaplib.IMAP4.error as error:
            if any(word in str(error).upper() for word in SLOWER):
                raise RateLimited(self._host, 300) from error
            if one:
                raise ItemBroken("The server does not give the mail out.") from error
            raise SourceGarbled(self._host, "it refused what every mail server knows") from error
        except (ValueError, IndexError, UnicodeError) as error:
            raise SourceGarbled(self._host, "no IMAP") from error


class _Line(imaplib.IMAP4):
    """A connection whose answers end."""

    def __init__(self, outside: Outside, host: str, port: int, security: str) -> None:
        self._outside, self._left = outside, MOST_AT_ONCE
        self._tls = _trusting() if security != "none" else None
        self._at_once = security == "tls"
        super().__init__(host, port)
        if security == "starttls":
            if "STARTTLS" not in self.capabilities:
                self.shutdown()
                raise SettingWrong("security", "This server offers no STARTTLS. Choose TLS from the beginning, and its port, mostly 993.")
            self.starttls(self._tls)

    def _create_socket(self, timeout: float | None) -> Any:
        connection = self._outside.dial(self.host, self.port, SECONDS)
        return self._tls.wrap_socket(connection, server_hostname=self.host) if self._tls and self._at_once else connection

    def send(self, data: Any) -> None:
        self._left = MOST_AT_ONCE
        super().send(data)

    def read(self, size: int) -> bytes:
        self._spend(size)
        data = super().read(size)
        if len(data) < size:
            raise self.abort("broken off")
        return data

    def readline(self) -> bytes:
        line: Any = self.file.readline(LONGEST_LINE + 1)
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self.abort(f"more than {MOST_AT_ONCE:,} bytes at once")


def _trusting() -> ssl.SSLContext:
    """This machine's certificate authorities and the public ones, as the way out has it for HTTP."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _folder(said: Any) -> Folder | None:
    head, rest = said if isinstance(said, tuple) else (said, b"")
    found = LISTED.match(head)
    if not found:
        return None
    raw = rest if isinstance(said, tuple) else found["name"]
    if raw.startswith(b'"') and raw.endswith(b'"'):
        raw = re.sub(rb"\\(.)", rb"\1", raw[1:-1])
    name = raw.decode("utf-8", errors="surrogateescape")
    if any(ord(letter) < 32 for letter in name):
        return None
    mark = (found["mark"] or b"").decode("latin-1")
    flags = frozenset(found["flags"].decode("latin-1").lower().split())
    parts = name.split(mark) if mark else [name]
    return Folder(name, "/".join(readable(part) for part in parts), flags)


def _head(said: bytes, header: bytes) -> Head | None:
    uid, size = re.search(rb"\bUID (\d+)", said), re.search(rb"\bRFC822\.SIZE (\d+)", said)
    at = re.search(rb'INTERNALDATE "([^"]+)"', said)
    if not uid:
        return None
    subject = str(BytesHeaderParser(policy=policy.default).parsebytes(header[:100_000])["subject"] or "")
    return Head(
        int(uid[1]), " ".join(subject.split())[:300], int(size[1]) if size else None, _time(at[1].decode("latin-1")) if at else None
    )


def _time(said: str) -> datetime | None:
    try:
        return datetime.strptime(said.strip(), "%d-%b-%Y %H:%M:%S %z")
    except ValueError:
        return None


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def readable(name: str) -> str:
    """A folder's name from the UTF-7 of RFC 3501, 5.1.3; what is none stays as it is."""

    def letters(found: re.Match[str]) -> str:
        packed = found[1].replace(",", "/")
        try:
            return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be") if packed else "&"
        except ValueError:
            return found[0]

    return re.sub(r"&([A-Za-z0-9+,]*)-", letters, name.encode("utf-8", errors="replace").decode("utf-8", errors="replace"))


def ranges(numbers: Iterable[int]) -> str:
    """As IMAP writes a set of numbers: 1:4,7."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in found)


def numbers(said: str) -> set[int]:
    """Back from `ranges`."""
    found: set[int] = set()
    for part in filter(None, said.split(",")):
        first, _colon, last = part.partition(":")
        found.update(range(int(first), int(last or first) + 1))
    return found
