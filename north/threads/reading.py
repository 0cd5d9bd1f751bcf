"""A run as its reader may see it now. Documents may have been taken away from them since: their names and words are left out, here, for
pages and API alike."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from north.documents.freshness import as_of
from north.documents.models import Document
from north.documents.readers import scope_of
from north.threads.models import Citation, Run, Step, WebPage
from north.threads.naming import is_page
from north.workspaces.models import Membership

NEAREST = 3
TELLING = ("found", "passages", "conflicting")
"""The parts of a step's detail that name documents and quote them."""


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """What a reader may know of a document: its name as it is now, and since when its text is as it is."""

    name: str
    ready_at: datetime | None
    owner: str = ""
    """Who uploaded it, or set up its source; else its author: whom to ask about it."""
    dated: datetime | None = None
    """When its words changed last, as its source or North says."""
    as_of: datetime | None = None
    """It is as its source had it then, or newer; None for an upload, and while a newer revision is being read."""
    url: str = ""
    """Of a page of the web: where it was read,"""
    fetched_at: datetime | None = None
    """and when."""


def open_documents(membership: Membership, ids: Collection[str]) -> dict[str, OpenDocument]:
    """Those of these documents, and of the pages of the web, that this person may read now. One query, one more where there are pages."""
    pages = {id for id in ids if is_page(id)}
    known = {id for id in ids if is_id(id)} - pages
    if pages:
        return {**open_pages(membership, pages), **(open_documents(membership, known))}
    if not known:
        return {}
    readable = Document.objects.in_scope(scope_of(membership)).filter(pk__in=known)
    fields = (
        "pk", "name", "ready_at", "uploaded_by__name", "source__created_by__name", "author", "modified_at", "changed_at",
        "status", "source__fresh_at",
    )  # fmt: skip
    return {
        str(pk): OpenDocument(name, ready_at, uploader or maker or author, modified or changed, as_of(status, fresh_at))
        for pk, name, ready_at, uploader, maker, author, modified, changed, status, fresh_at in readable.values_list(*fields)
    }


def open_pages(membership: Membership, ids: Collection[str]) -> dict[str, OpenDocument]:
    return {
        str(row.pk): OpenDocument(str(row), None, dated=row.fetched_at, url=row.url, fetched_at=row.fetched_at)
        for row in WebPage.objects.of(membership).filter(pk__in=ids).defer("text")
    }


def is_id(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ShownSource:
    """Words of a document that an answer rests on; without document, name and words where the reader may no longer open it."""

    number: int
    document: str = ""
    name: str = ""
    start: int = 0
    end: int = 0
    text: str = ""
    score: float = 0.0
    changed: bool = False
    """The document has a newer text than the one that was cited."""
    as_of: datetime | None = None
    url: str = ""
    """Of a page of the web: where it was read,"""
    fetched_at: datetime | None = None
    """and when."""

    @property
    def closed(self) -> bool:
        return not self.document


@dataclass(frozen=True, slots=True)
class ShownCitation:
    start: int
    end: int
    text: str
    sources: tuple[ShownSource, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A document that a step found."""

    document: str
    name: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """What one of several documents that do not agree says."""

    document: str
    name: str
    start: int
    end: int
    text: str
    dated: datetime | None


@dataclass(frozen=True, slots=True)
class Nearest:
    """A document that came nearest to what was asked, and whom to ask about it."""

    document: str
    name: str
    owner: str

    @property
    def label(self) -> str:
        return f"{self.name} ({self.owner})" if self.owner else self.name


@dataclass(frozen=True, slots=True)
class ShownStep:
    step: Step
    found: tuple[Found, ...]
    hidden: int
    """How many more were found that the reader may no longer open."""


@dataclass(frozen=True, slots=True)
class Shown:
    run: Run
    steps: tuple[ShownStep, ...]
    citations: tuple[ShownCitation, ...] = ()
    sources: tuple[ShownSource, ...] = ()
    nearest: tuple[Nearest, ...] = ()
    """Of a refusal: what was read of before it, as far as the reader may open it now."""
    conflicts: tuple[tuple[Value, ...], ...] = ()
    """Where documents that the reader may open do not agree on what the answer says, the newest first."""


def shown(runs: Sequence[Run], membership: Membership) -> list[Shown]:
    """These runs as this person may see them now. Prefetch `steps` and `citations`; asks one query more."""
    readable = open_documents(membership, {id for run in runs for id in documents_of(run)})
    return [show(run, readable) for run in runs]


def documents_of(run: Run) -> Iterator[str]:
    for citation in run.citations.all():
        yield from (source["document"] for source in citation.sources)
    for step in run.steps.all():
        yield from documents_in(step.detail)


def documents_in(detail: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(one["document"]) for name in TELLING for one in detail.get(name, []))


def show(run: Run, readable: Mapping[str, OpenDocument]) -> Shown:
    numbered = Numbering(run, readable)
    citations = tuple(numbered.citation(citation) for citation in run.citations.all())
    return Shown(
        run=run,
        steps=tuple(show_step(step, readable) for step in run.steps.all()),
        citations=citations,
        sources=tuple(numbered.sources.values()),
        nearest=nearest(run, readable) if run.refused else (),
        conflicts=tuple(conflicts(run, readable)),
    )


def conflicts(run: Run, readable: Mapping[str, OpenDocument]) -> Iterator[tuple[Value, ...]]:
    groups: dict[int, list[Value]] = {}
    for step in run.steps.all():
        for one in step.detail.get("conflicting", []):
            if document := readable.get(str(one["document"])):
                value = Value(str(one["document"]), document.name, one["start"], one["end"], one["text"], document.dated)
                groups.setdefault(one["group"], []).append(value)
    for values in groups.values():
        if len(values) > 1:
            yield tuple(sorted(values, key=lambda value: value.dated.timestamp() if value.dated else 0.0, reverse=True))


def nearest(run: Run, readable: Mapping[str, OpenDocument]) -> tuple[Nearest, ...]:
    """The documents of the passages that were read, then of those that were found."""
    steps = sorted(run.steps.all(), key=lambda step: (step.kind != "read", step.ordinal))
    ids = dict.fromkeys(id for step in steps for id in documents_in(step.detail) if id in readable)
    return tuple(Nearest(id, readable[id].name, readable[id].owner) for id in list(ids)[:NEAREST])


def show_step(step: Step, readable: Mapping[str, OpenDocument]) -> ShownStep:
    found: dict[str, Found] = {}
    hidden = set()
    for one in (one for name in TELLING for one in step.detail.get(name, [])):
        id = str(one["document"])
        if id in readable:
            found.setdefault(id, Found(id, readable[id].name, one.get("start"), one.get("end")))
        else:
            hidden.add(id)
    return ShownStep(step, tuple(found.values()), len(hidden))


class Numbering:
    """Gives each source of a run its number, in the order in which the answer comes to it."""

    def __init__(self, run: Run, readable: Mapping[str, OpenDocument]) -> None:
        self.run, self.readable = run, readable
        self.sources: dict[tuple[str, int, int], ShownSource] = {}

    def citation(self, citation: Citation) -> ShownCitation:
        return ShownCitation(citation.start, citation.end, citation.text, tuple(map(self.source, citation.sources)))

    def source(self, source: Mapping[str, Any]) -> ShownSource:
        place = (source["document"], source["start"], source["end"])
        if place not in self.sources:
            self.sources[place] = self.numbered(source, len(self.sources) + 1)
        return self.sources[place]

    def numbered(self, source: Mapping[str, Any], number: int) -> ShownSource:
        document = self.readable.get(source["document"])
        if document is None:
            return ShownSource(number)
        asked = self.run.ended_at
        changed = bool(document.ready_at and asked and document.ready_at > asked)
        words = {name: source[name] for name in ("document", "start", "end", "text", "score")}
        words |= {"as_of": document.as_of, "url": document.url, "fetched_at": document.fetched_at}
        return ShownSource(number, name=document.name, changed=changed, **words)


def payload_shown(payload: Mapping[str, Any], readable: Mapping[str, OpenDocument]) -> dict[str, Any]:
    """A journal's payload without what the reader may no longer open."""
    said = dict(payload)
    if said.get("result"):
        said["result"] = payload_shown(said["result"], readable)
    if "steps" in said:
        said["steps"] = [payload_shown(step, readable) for step in said["steps"]]
    if "citations" in said:
        said["citations"] = [citation_shown(citation, readable) for citation in said["citations"]]
    if "detail" in said:
        said["detail"] = {name: open_only(value, readable) if name in TELLING else value for name, value in said["detail"].items()}
    return said


def open_only(told: Sequence[Mapping[str, Any]], readable: Collection[str]) -> list[Mapping[str, Any]]:
    return [one for one in told if str(one["document"]) in readable]


def citation_shown(citation: Mapping[str, Any], readable: Mapping[str, OpenDocument]) -> dict[str, Any]:
    known = (one for one in citation["sources"] if one["document"] in readable)
    return {**citation, "sources": [source_shown(one, readable[one["document"]]) for one in known]}


def source_shown(source: Mapping[str, Any], document: OpenDocument) -> dict[str, Any]:
    """As it was told; of a page of the web with its address and when it was read."""
    web = {"url": document.url, "fetched_at": document.fetched_at.isoformat()} if document.fetched_at else {}
    return {**source, **web}


def documents_told(payload: Mapping[str, Any]) -> set[str]:
    """The documents that a journal's payload names."""
    told = set(documents_in(payload.get("detail", {})))
    for step in payload.get("steps", []):
        told |= documents_told(step)
    for citation in payload.get("citations", []):
        told |= {source["document"] for source in citation["sources"]}
    return told | (documents_told(payload["result"]) if payload.get("result") else set())
