"""What becomes of sentences that a second look found to rest on nothing: the model writes each anew once, and what still rests on nothing
stays, marked, or is taken out, as the workspace says. A sentence is only replaced by one that the same second look supports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from agents import prompts
from agents.context import Context
from agents.events import Citation, ClaimCheck, Span
from agents.state import State, passage_from_plain
from agents.steps import Step, ask, spent

WRONG = {"unsupported", "contradicted"}
MOST = 2
"""Sentences of one answer that are written anew."""
SENTENCE_TOKENS = 120
_EMPTY_POINT = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]*$\n?", re.MULTILINE)

Checked = tuple[Sequence[Citation], Sequence[Span], Sequence[ClaimCheck]]
Check = Callable[[str], Checked]


def mended(state: State, check: Check, context: Context, step: Step) -> tuple[str, Checked]:
    """The answer with its check, as it is to stand. Empty where nothing was left of it."""
    text = state["text"]
    checked = check(text)
    if not wrong(checked) or not state["shown"] or any(result.get("grid") for result in state.get("results", [])):
        return text, checked
    if not spent(state, context) and not state.get("cut_short"):
        text = rewritten(state, wrong(checked), check, context, step)
        checked = check(text) if text != state["text"] else checked
    if context.removes and wrong(checked):
        step.detail["removed"] = [claim.text for claim in wrong(checked)]
        text = without(text, wrong(checked))
        checked = check(text) if text else ((), (), ())
    return text, checked


def wrong(checked: Checked) -> list[ClaimCheck]:
    return [claim for claim in checked[2] if claim.support in WRONG]


def rewritten(state: State, claims: Sequence[ClaimCheck], check: Check, context: Context, step: Step) -> str:
    """The answer with each wrong sentence in turn, the last first, so that the places of those before it stay."""
    text, passages = state["text"], [passage_from_plain(plain) for plain in state["shown"]]
    for claim in claims[:MOST][::-1]:
        messages = prompts.mend(context.instructions, passages, state["standalone"], claim.text, claim.reasons)
        said = ask(messages, prompts.SENTENCE, context, step, SENTENCE_TOKENS).get("sentence")
        sentence = " ".join(said.split()) if isinstance(said, str) else ""
        if sentence and sentence not in text and supported(check(sentence)):
            step.detail.setdefault("mended", []).insert(0, {"was": claim.text, "is": sentence})
            text = text[: claim.start] + sentence + text[claim.end :]
    return text


def supported(checked: Checked) -> bool:
    return bool(checked[2]) and all(claim.support == "supported" for claim in checked[2])


def without(text: str, claims: Sequence[ClaimCheck]) -> str:
    """The text without these sentences, and without list points that nothing is left of."""
    for claim in sorted(claims, key=lambda one: -one.start):
        text = text[: claim.start].rstrip(" ") + " " * text[: claim.start].endswith(" ") + text[claim.end :].lstrip(" ")
    text = re.sub(r"[ \t]+$", "", _EMPTY_POINT.sub("", text), flags=re.MULTILINE).strip()
    return text if any(map(str.isalnum, text)) else ""
