"""In the model worker: one call of a program while it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.card import Card as Facts
from north.inference.metering import Used
from north.serving.replying import Reply


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked, where to tell of it, what it uses of the chat model, and what that can do."""

    asked: Mapping[str, Any]
    reply: Reply
    used: Used = field(default_factory=Used)
    facts: Facts = field(default_factory=Facts)
