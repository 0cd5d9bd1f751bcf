"""All that a run may reach: handed in by whoever starts it, never looked up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver

from agents.card import Card, Limits
from agents.consent import Consent
from agents.events import Citation, Source
from agents.tool import Tool
from retrieval.types import Embed, Passage

# A query and how many passages; already bound to a workspace, a user's rights and an agent's sources, and re-checked against rows.
Search = Callable[[str, int], Sequence[Passage]]


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the thread and what was answered."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Style:
    """How answers are to be, as the agent's maker chose; what is empty is as the question needs."""

    language: str = ""
    """By code, as `languages.NAMES`."""
    length: Literal["short", "", "long"] = ""
    form: Literal["", "prose", "list", "table"] = ""


@dataclass(frozen=True, slots=True)
class Sheets:
    """A document that holds tables: what they are called, their columns with types and samples, as `retrieval.parsers.tables` says."""

    document: str
    name: str
    tables: Sequence[Mapping[str, Any]]
    header: Source
    """The words of the document that stand for it in a citation."""


@dataclass(frozen=True, slots=True)
class About:
    """Of a document when it was last changed, as a date, and who or what it comes from; empty where that is not known."""

    date: str = ""
    origin: str = ""


class Shelf(Protocol):
    """The documents of whoever asks, with the rights of that moment. What is not theirs to read is not there. Raises ToolFailed."""

    def whole(self, name: str) -> Passage | None:
        """The text of the document of this name, or of the one whose name holds these words if it is the only one."""

    def named(self, question: str) -> Sequence[str]:
        """The names of the documents that a question names, or that are all those of which it speaks ("all contracts"), in its order."""

    def sheets(self, about: str) -> Sequence[Sheets]:
        """Those with tables whose names or columns fit these words best, at most three."""

    def select(self, document: str, sql: str) -> Mapping[str, Any]:
        """What a SELECT finds in the tables of this document."""

    def about(self, documents: Sequence[str]) -> Mapping[str, About]:
        """By id."""

    def write(self, title: str, text: str, citations: Sequence[Citation], chart: Mapping[str, Any] | None = None) -> str:
        """Keeps this as a document of the workspace, or as a new version of the one of this title that the run wrote. Its name."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the web as text; `url`: where it was at last, `document`: under which id its words are kept with the run."""

    url: str
    text: str
    title: str = ""
    document: str = ""


class Web(Protocol):
    def page(self, url: str) -> Page:
        """The page at this address, if its host is one that may be asked. Raises ToolFailed."""

    def kept(self, url: str) -> Page | None:
        """The page at this address as this run has read it; nobody is asked."""


# A claim and the texts that it shall rest on: a score each, higher is nearer (a cross-encoder's logit); None while no model can say.
Judge = Callable[[str, Sequence[str]], Sequence[float] | None]


@dataclass(frozen=True, slots=True)
class Context:
    run_id: str
    """Names the checkpoints: the same id resumes the same run."""
    model: BaseChatModel
    search: Search
    embed: Embed
    checkpointer: BaseCheckpointSaver
    grounded: bool = True
    """No answer without a retrieval; what the documents do not hold is refused."""
    instructions: str = ""
    """The agent's own, from its configuration."""
    style: Style = field(default_factory=Style)
    card: Card = field(default_factory=Card)
    limits: Limits = field(default_factory=Limits)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """What the agent may use beside its search; none of them: it answers from passages only."""
    shelf: Shelf | None = None
    web: Web | None = None
    consent: Consent | None = None
    """Without it nothing is written and nobody is asked."""
    confirms: Literal["always", "writes", "never"] = "never"
    """Which plans a person sees, and may change, before they run."""
    judge: Judge | None = None
    """Another model than the one that writes; without it a claim in other words than its source's is "not verified"."""
    judged_by: str = ""
    """Its name: what it says is compared only with what it said."""
    refuses_below: float = 0.0
    """The least evidence, 0 to 1, that passages hold an answer (`agents.evidence`); 0: the chat model alone says whether they do."""
    removes: bool = False
    """Sentences that rest on nothing are taken out of the answer; else they stay, marked."""
    thorough: bool = False
    """It is answered with a report from many searches."""
    lacks: Callable[[], str] = lambda: ""
    """What the searches so far lacked, in words, such as a model; empty where nothing did."""
    seed: int = 0
    """Given to the model with each call: the same prompt gets the same reply, as far as its server can do that."""
    cancelled: Callable[[], bool] = lambda: False
    deadline: float = math.inf
    """On the monotonic clock; set by `run` from `limits.seconds`."""
