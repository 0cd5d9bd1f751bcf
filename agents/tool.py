"""What a tool is: a function with a name, a stated effect and typed arguments; and what it gives back. Knows no tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agents.events import Source
from agents.grid import Grid
from retrieval.types import Passage

Effect = Literal["reads", "asks", "writes", "leaves"]
"""`reads` changes nothing; `asks` waits for a person's words; `writes` changes the workspace; `leaves` sends something out of the house."""


@dataclass(slots=True)
class Tally:
    """What calls of the model used, and what they have to say."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    seconds: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Each with its prompt and reply, as `tracing.call`."""

    def add(self, other: Tally) -> None:
        self.calls += other.calls
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.tokens_cached += other.tokens_cached
        self.seconds += other.seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool gave: words for the model and for people, the passages it read, and the document words that the result rests on."""

    text: str
    passages: tuple[Passage, ...] = ()
    sources: tuple[Source, ...] = ()
    grid: Grid | None = None
    tally: Tally | None = None
    """Of a tool that asked the model."""


@dataclass(frozen=True, slots=True)
class Tool:
    """`arguments`: JSON schemas by name, all needed. `run` takes them and the Context; it raises ToolFailed in words for people."""

    name: str
    effect: Effect
    about: str
    """What it does, for the model that plans."""
    arguments: Mapping[str, Mapping[str, Any]]
    run: Callable[[Mapping[str, Any], Any], Outcome]
    preview: Callable[[Mapping[str, Any]], str] = field(default=lambda arguments: "")
    """What will happen, for the person who is asked; only what is not seen in the arguments themselves."""
    kept: Callable[[Mapping[str, Any], Any], Outcome] | None = None
    """What it brought, from where that is kept: whoever keeps the approvals keeps its words only."""
    schema: Mapping[str, Any] | None = None
    """Of a tool of somebody else's: what the model writes as JSON into its one argument `arguments`."""
    informs: bool = False
    """What it gives is for the answer: it is used before that is written, though it leaves the house."""
    seconds: float = 0.0
    """How long it may take; 0: as long as the agent says of any tool."""

    @property
    def is_late(self) -> bool:
        """Whether it is used after the answer was verified: what changes something, and what is told to others."""
        return self.effect in {"writes", "leaves"} and not self.informs
