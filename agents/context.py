"""All that a run may reach: handed in by whoever starts it, never looked up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver

from agents.card import Card, Limits
from retrieval.types import Embed, Passage

# A query and how many passages; already bound to a workspace, a user's rights and an agent's sources, and re-checked against rows.
Search = Callable[[str, int], Sequence[Passage]]


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the thread and what was answered."""

    question: str
    answer: str


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
    card: Card = field(default_factory=Card)
    limits: Limits = field(default_factory=Limits)
    cancelled: Callable[[], bool] = lambda: False
    deadline: float = math.inf
    """On the monotonic clock; set by `run` from `limits.seconds`."""
