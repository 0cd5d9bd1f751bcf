"""Asks whoever asked: the run waits for their words. Nothing is done with them but to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.context import Context
from agents.tool import Outcome, Tool


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    return Outcome(" ".join(str(arguments["answer"]).split()))


ASK_USER = Tool(
    name="ask_user",
    effect="asks",
    about="asks the person one short question",
    arguments={"question": {"type": "string", "minLength": 1, "maxLength": 300}, "answer": {"type": "string", "maxLength": 2000}},
    run=run,
)
