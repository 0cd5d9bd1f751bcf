"""All that a run may reach: handed in by whoever starts it, never looked up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver

from retrieval.types import Embed, Passage

# A query and how many passages; already bound to a workspace, a user's rights and an agent's sources, and re-checked against rows.
Search = Callable[[str, int], Sequence[Passage]]


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the thread and what was answered."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Limits:
    searches: int = 4
    passages: int = 6
    """Passages shown to the model in one answer."""
    passage_characters: int = 900
    reading_tokens: int = 240
    """All passages together, as the model reads them: on two slow cores the default model reads some 60 tokens a second."""
    answer_tokens: int = 400
    seconds: float = 300.0


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
    limits: Limits = field(default_factory=Limits)
    cancelled: Callable[[], bool] = lambda: False
    deadline: float = math.inf
    """On the monotonic clock; set by `run` from `limits.seconds`."""
