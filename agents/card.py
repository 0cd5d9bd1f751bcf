"""What a chat model was found to be able to do, and how much of what is found it therefore reads. Pure: knows no model and no graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal


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
    steps: int = 8
    """Uses of tools in one run."""
    tokens: int = 40_000
    """Read and written by the model in one run, before no further step is begun."""
    tool_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Card:
    """What was measured of the chat model. Without a measurement it is taken for the default model on two slow cores."""

    context: int = 0
    """Tokens of the longest prompt that it read whole and remembered; 0: not measured, or none."""
    context_ends: bool = False
    """Its server takes no longer prompt; else longer ones were only not tried, or forgotten."""
    reading_rate: float = 0.0
    """Prompt tokens a second."""
    replies: Literal["schema", "tools", "words"] = "schema"
    """How it is brought to reply with JSON: constrained by a schema, by the call of a tool, or by words alone."""
    rewrites: bool = True
    """It can make a question of its own of a follow-up."""
    judges: bool = True
    """It can tell whether passages hold an answer."""
    languages: Mapping[str, bool] | None = None
    """By code: whether it answered a question in this language, in this language and rightly. None: not tested in any."""


READING_SECONDS = 4.0
"""How long a model may read the passages of one prompt."""
MOST_READING, LEAST_READING = 6000, 120
BESIDE_PASSAGES = 1200
"""Tokens of a prompt that are no passages: instructions, thread, question, and the answer."""
SAFE = 0.8
"""Of what is left of the context: tokens are counted by characters (`reading.tokens_in`)."""
MOST_PASSAGES, MOST_CHARACTERS = 24, 4000


def limits_for(card: Card) -> Limits:
    """What this model reads in READING_SECONDS, and not more than fits into a prompt that it was seen to remember; less than the default
    only where its server takes no more. Passages become more and longer alike. A model that was not measured reads what the default says.
    """
    plain = Limits()
    if not card.context:
        return plain
    room = max(LEAST_READING if card.context_ends else plain.reading_tokens, (card.context - BESIDE_PASSAGES) * SAFE)
    reading = min(max(card.reading_rate * READING_SECONDS, plain.reading_tokens), MOST_READING, room)
    growth = max(1.0, math.sqrt(reading / plain.reading_tokens))
    return replace(
        plain,
        reading_tokens=int(reading),
        passages=min(int(plain.passages * growth), MOST_PASSAGES),
        passage_characters=min(int(plain.passage_characters * growth), MOST_CHARACTERS),
    )
