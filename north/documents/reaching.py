"""How a pass reaches its source: the connector, its settings with their secrets, and the one way out. Knows no document."""

from __future__ import annotations

import fnmatch
import functools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings
from django.db import transaction

from north import wiring
from north.documents.models import Source, SyncRun
from north.documents.watching import Watch
from north.outbound import NotAllowed, Outbound, OutboundError
from north.sealing import Unreadable, seal, unseal
from retrieval.connectors.contract import Answer, Connector
from retrieval.errors import RateLimited, SourceNotAllowed, SourceUnreachable, TokenRefused
from retrieval.types import Fetched, Item, Skipped

MAX_BYTES = 200_000_000


def fetched(row: SyncRun, watch: Watch) -> Iterator[Fetched]:
    """What the source of this pass yields, from its cursor on."""
    source = row.source
    return watched(connector_of(source).fetch(config_of(source), source.cursor, Way(source, row, watch=watch)), watch)


def again(row: SyncRun, ids: Sequence[str], watch: Watch) -> Iterator[Fetched] | None:
    """These things once more, where the connector can give single ones."""
    source, ask = row.source, connector_of(row.source).again
    return watched(ask(config_of(source), ids, Way(source, row, watch=watch)), watch) if ask else None


def watched(events: Iterator[Fetched], watch: Watch) -> Iterator[Fetched]:
    """The same; what the connector does for the next one can be broken off."""
    while True:
        with watch.outside():
            event = next(events, None)
        if event is None:
            return
        yield event


def connector_of(source: Source) -> Connector:
    return wiring.connectors()[source.connector]


def config_of(source: Source) -> dict[str, Any]:
    """As the connector takes it: with its secrets in plain words. Raises TokenRefused where those cannot be read any more."""
    return {**source.config, **secrets_of(source), **given_to(source.connector)}


def given_to(kind: str) -> dict[str, Any]:
    """What the administrator of the installation says, and nobody else."""
    return {"roots": [str(root) for root in settings.FOLDER_ROOTS]} if kind == "folder" else {}


def sealed(source: Source, secrets: Mapping[str, str]) -> str:
    """Bound to the source: in another source's row it opens nothing."""
    return seal(json.dumps({"source": str(source.pk), "secrets": dict(secrets)})) if secrets else ""


def secrets_of(source: Source) -> dict[str, str]:
    if not source.secrets:
        return {}
    try:
        said = json.loads(unseal(source.secrets))
    except Unreadable as error:
        raise TokenRefused.from_message(str(error)) from error
    if said["source"] != str(source.pk):
        raise TokenRefused(source.name)
    return dict(said["secrets"])


def scope_of(source: Source) -> Callable[[Item | Skipped], bool]:
    """Whether a thing is among those that the source is to bring, by its path; where that is not known, it is."""
    include, exclude = matcher(source.include), matcher(source.exclude)

    def wanted(item: Item | Skipped) -> bool:
        path = path_of(item)
        return item.folder is None or ((not source.include or include(path)) and not exclude(path))

    return wanted


def path_of(item: Item | Skipped) -> str:
    return f"{item.folder}/{item.name}" if item.folder else item.name


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Patterns as shells know them, whatever the case: * and ? stand for any characters; one without a slash is for names alone, one that
    begins with a slash is for what lies at the top, and one that ends in a slash for all in that folder."""
    wanted = [compiled(pattern) for pattern in patterns]
    whole = [pattern for pattern, said in zip(wanted, patterns, strict=True) if "/" in said]
    names = [pattern for pattern, said in zip(wanted, patterns, strict=True) if "/" not in said]
    return lambda path: (
        any(one.match(path.lower().strip("/")) for one in whole) or any(one.match(path.lower().rpartition("/")[2]) for one in names)
    )


def passed_over(exclude: Sequence[str]) -> Callable[[str], bool]:
    """Whether patterns leave out all that a folder may hold, by its path: those that fit it so far, and any characters after it."""
    endless = [compiled(pattern) for pattern in exclude if "/" in pattern and pattern.endswith(("/", "*"))]
    return lambda folder: any(one.match(folder.lower().strip("/") + "/") for one in endless)


def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.lower().lstrip("/") + "*" * pattern.endswith("/")))


@functools.cache
def outbound(allowed: tuple[str, ...]) -> Outbound:
    """One for all sources: its list of certificate authorities takes a while to read."""
    return Outbound(allowed, max_bytes=MAX_BYTES)


class Way:
    """The outside of one source: `retrieval.connectors.contract.Outside`. `scope`: whose patterns say what is wanted, where not its own."""

    def __init__(
        self, source: Source, row: SyncRun | None = None, *, seconds: float = 60.0, watch: Watch | None = None, scope: Source | None = None
    ) -> None:
        self._source, self._row, self._seconds, self._watch = source, row, seconds, watch
        self._passed_over = passed_over((scope or source).exclude)
        self._outbound = outbound(tuple(settings.OUTBOUND_ALLOWED))

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        redirects: int = 0,
        seconds: float | None = None,
        max_bytes: int | None = None,
    ) -> Answer:
        with _in_words(url):
            answer = self._outbound.request(
                method,
                url,
                headers=headers,
                json=json,
                content=content,
                redirects=redirects,
                seconds=min(seconds or self._seconds, self._seconds) if self._row is None else seconds,
                max_bytes=max_bytes,
            )
        self._stir()
        return answer

    def _stir(self) -> None:
        """The source answers, or waits as it was asked to: the pass gets on. Raises LeaseLost."""
        if self._row and self._watch:
            with self._watch.inside():
                self._row.stir()

    def addresses(self, host: str, port: int) -> Sequence[str]:
        with _in_words(host):
            return self._outbound.addresses(host, port)

    def dial(self, host: str, port: int, seconds: float = 30.0) -> Any:
        with _in_words(host):
            return self._outbound.dial(host, port, seconds)

    def passes_over(self, folder: str) -> bool:
        return self._passed_over(folder)

    def sleep(self, seconds: float) -> None:
        """In small steps, so that a pass that was stopped, or lost its lease, does not wait; nor does anybody before a page."""
        if self._row is None:
            raise RateLimited(self._source.name, seconds)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            self._stir()

    def keep(self, name: str, secret: str, before: str) -> None:
        """Sealed at once, also by a pass that was stopped meanwhile: the source takes the one before it no more. What somebody else put in
        its place since stays. Of a source that is not set up yet, or is deleted, there is nothing to keep it in."""
        with self._watch.inside() if self._watch else nullcontext(), transaction.atomic():
            source = Source.objects.select_for_update().filter(pk=self._source.pk).first()
            if source and (found := secrets_of(source)).get(name, "") == before:
                self._source.secrets = sealed(source, {**found, name: secret})
                Source.objects.filter(pk=source.pk).update(secrets=self._source.secrets)

    def newest(self, name: str) -> str:
        with self._watch.inside() if self._watch else nullcontext():
            source = Source.objects.filter(pk=self._source.pk).first()
        return secrets_of(source).get(name, "") if source else ""


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    try:
        yield
    except NotAllowed as error:
        raise SourceNotAllowed(where, str(error)) from error
    except OutboundError as error:
        raise SourceUnreachable.from_message(str(error)) from error
