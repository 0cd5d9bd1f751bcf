"""The outside of a connector under test: a service in this process, which gets every request, and a script of what goes wrong."""

from __future__ import annotations

import json as json_of
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from retrieval.errors import SourceNotAllowed


class Headers(dict[str, str]):
    """Found whatever their case."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        super().__init__({name.lower(): value for name, value in (given or {}).items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@dataclass(frozen=True)
class Asked:
    method: str
    url: str
    headers: Headers
    body: Any

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.url).query).items()}


@dataclass(frozen=True)
class Said:
    status_code: int = 200
    content: bytes = b""
    headers: Headers = field(default_factory=Headers)

    @classmethod
    def json(cls, value: object, status: int = 200, **headers: str) -> Said:
        return cls(status, json_of.dumps(value).encode(), Headers({"content-type": "application/json", **headers}))


Serve = Callable[[Asked], Said]


@dataclass
class InProcess:
    """`serve` answers for `host`; every other host is one that may not be contacted. Before it, `faults` may answer: each is asked with
    every request and gives an answer, or None to let it pass. Nothing here waits: `slept` says how long it would have."""

    host: str
    serve: Serve
    faults: list[Callable[[Asked], Said | None]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    slept: float = 0.0
    kept: dict[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    """More hosts of the same service, such as the one that gives tokens."""
    unwanted: tuple[str, ...] = ()
    """Folders that are passed over."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, json: object = None, content: bytes | None = None,
        redirects: int = 0, seconds: float | None = None, max_bytes: int | None = None,
    ) -> Said:  # fmt: skip
        if urlsplit(url).hostname not in (self.host, *self.also):
            raise SourceNotAllowed(url)
        asked = Asked(method, url, Headers(headers), json if json is not None else content)
        self.asked.append(asked)
        answer = next((said for fault in self.faults if (said := fault(asked)) is not None), None) or self.serve(asked)
        if redirects and answer.status_code in (301, 302, 303, 307, 308):
            return self.request(method, answer.headers["location"], redirects=redirects - 1)
        return answer

    def addresses(self, host: str, port: int) -> Sequence[str]:
        raise SourceNotAllowed(host)

    def dial(self, host: str, port: int, seconds: float = 30.0) -> Any:
        raise SourceNotAllowed(host)

    def passes_over(self, folder: str) -> bool:
        return folder in self.unwanted

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def keep(self, name: str, secret: str, before: str) -> None:
        self.kept[name] = secret

    def newest(self, name: str) -> str:
        return self.kept.get(name, "")


def nowhere() -> InProcess:
    """For connectors that need no network: a contact with any is a fault."""
    return InProcess("nowhere.invalid", lambda asked: Said(500))


def once(answer: Said, which: Callable[[Asked], bool] = lambda asked: True) -> Callable[[Asked], Said | None]:
    """The first request that fits gets this answer; the others pass."""
    left = [answer]
    return lambda asked: left.pop() if left and which(asked) else None
