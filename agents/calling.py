"""Uses a tool, whatever it does: one that raises, hangs, gives ten megabytes or a web page ends in words, and only its step with it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from agents.context import Context
from agents.errors import AgentError, ToolFailed
from agents.tool import Outcome, Tool

logger = logging.getLogger(__name__)

MOST_CHARACTERS = 20_000
"""Of a result's text; what is longer is cut off, and says so."""
_PAGE = re.compile(r"\s*(?:<!doctype\s+html|<html|<head|<body|<script)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\U000e0000-\U000e007f]|[\ud800-\udfff]")


def call(tool: Tool, arguments: Mapping[str, Any], context: Context) -> Outcome:
    """What the tool gives, within `limits.tool_seconds`. For tools that read; raises ToolFailed, and whatever has words of its own
    (`permanent`) and is not the tool's doing."""
    check(tool, arguments)
    work = _Work(tool, arguments, context)
    thread = threading.Thread(target=copy_context().run, args=(work,), name=f"tool-{tool.name}", daemon=True)
    thread.start()
    seconds = tool.seconds or context.limits.tool_seconds
    thread.join(seconds)
    if thread.is_alive():
        raise ToolFailed(f"{tool.name} took longer than {seconds:g} seconds, so it was left.")
    if work.error:
        raise work.error
    return cleaned(tool.name, work.outcome)


def act(tool: Tool, arguments: Mapping[str, Any], context: Context) -> Outcome:
    """The same for tools that write: in the thread and the transaction of whoever keeps the approvals, so nothing is left half done."""
    check(tool, arguments)
    return cleaned(tool.name, tool.run(arguments, context))


class _Work:
    """One use in a thread of its own, and how it ended."""

    def __init__(self, tool: Tool, arguments: Mapping[str, Any], context: Context) -> None:
        self.tool, self.arguments, self.context = tool, arguments, context
        self.outcome: object = None
        self.error: Exception | None = None

    def __call__(self) -> None:
        """`except Exception` is right here: a tool's fault is its step's failure, not the run's, and the run says so in words."""
        try:
            self.outcome = self.tool.run(self.arguments, self.context)
        except Exception as error:
            self.error = error
            if not isinstance(error, AgentError) and getattr(error, "permanent", None) is None:
                logger.exception("The tool %s broke.", self.tool.name)
                self.error = ToolFailed(f"{self.tool.name} broke ({type(error).__name__}). What it should have found is missing.")


def cleaned(name: str, outcome: object) -> Outcome:
    if not isinstance(outcome, Outcome):
        raise ToolFailed(f"{name} gave nothing that can be used.")
    if _PAGE.match(outcome.text):
        raise ToolFailed(f"{name} gave a web page where a result was expected.")
    text = _CONTROL.sub("", outcome.text[:MOST_CHARACTERS])
    if len(outcome.text) > MOST_CHARACTERS:
        text += f"\n(cut off: it has {len(outcome.text):,} characters)"
    return replace(outcome, text=text)


def check(tool: Tool, arguments: Mapping[str, Any]) -> None:
    """Raises ToolFailed for arguments that are not those of the tool."""
    if set(arguments) != set(tool.arguments):
        raise ToolFailed(f"{tool.name} takes {', '.join(tool.arguments)}, and got {', '.join(map(str, arguments)) or 'nothing'}.")
    for name, wanted in tool.arguments.items():
        value, kind = arguments[name], {"string": str, "array": list}[wanted["type"]]
        length = len(value) if isinstance(value, kind) else -1
        if not wanted.get("minLength", 0) <= length <= wanted.get("maxLength", 1_000_000):
            raise ToolFailed(f"{tool.name}: {name} is not what it must be (a {wanted['type']} of at most {wanted.get('maxLength', '…')}).")
