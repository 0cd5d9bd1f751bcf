"""What a run tells while it works. Each event is a frozen dataclass; `north.threads` keeps them as rows and shows them as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from retrieval.types import Passage

StepKind = Literal["understand", "plan", "search", "act", "weigh", "read", "note", "answer", "cite"]
Support = Literal["supported", "partly", "unsupported", "contradicted", "not verified"]


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins. `key` is stable over a resume: the same step of the same run has the same key (e.g. "search:1")."""

    key: str
    kind: StepKind
    detail: Mapping[str, object] = field(default_factory=dict)
    """JSON, for people: e.g. {"query": "notice period"}."""


@dataclass(frozen=True, slots=True)
class StepFinished:
    key: str
    kind: StepKind
    detail: Mapping[str, object] = field(default_factory=dict)
    """JSON, replaces the start's detail: e.g. {"query": ..., "found": [{"document": id, "name": ..., "text": ...}]}."""
    error: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    """Of `tokens_in`: not read again, since the model still knew them."""
    seconds: float = field(default=0.0, compare=False)
    """That its calls held the model."""


@dataclass(frozen=True, slots=True)
class StepTraced:
    """What was behind a step: kept for whoever asked to look back at, and told anew when the step is done anew. All of it is JSON."""

    key: str
    calls: tuple[Mapping[str, Any], ...] = ()
    """Of the model, as `tracing.call` says."""
    passages: tuple[Mapping[str, Any], ...] = ()
    """Whole, with their scores, as `state.passage_to_plain`."""
    decisions: tuple[Mapping[str, Any], ...] = ()
    """As `tracing.decision` says."""


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """The next piece of the answer; `offset` is its place in code points."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class AnswerReset:
    """What was written of the answer so far is void (the step runs again after a crash)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Words of a passage that support a citation: characters `start` to `end` of the *document's* text."""

    document: str
    name: str
    start: int
    end: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Citation:
    """Answer characters `start` to `end` (exclusive, code points; `text` is exactly those) rest on `sources`, best first."""

    start: int
    end: int
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Answer characters that rest on nothing that was found."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """What the verifier says of one sentence of the answer, and why; `citation`: which of the answer's citations, -1: none."""

    start: int
    end: int
    text: str
    support: Support
    reasons: tuple[str, ...] = ()
    citation: int = -1


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run goes on once a person has decided on what it proposed; until then nothing of it works."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The run is over. `refused`: the documents do not hold the answer, and `text` says so."""

    text: str
    citations: tuple[Citation, ...]
    unsupported: tuple[Span, ...]
    claims: tuple[ClaimCheck, ...]
    refused: bool
    searched: tuple[str, ...]
    passages: tuple[Passage, ...]
    tokens_in: int = 0
    tokens_out: int = 0
    cut_short: str = ""
    """Why it ended before everything was done, in words: `text` is the best that there was by then."""


Event = StepStarted | StepFinished | StepTraced | AnswerDelta | AnswerReset | Waiting | Answered
