"""The answer as it comes: told piece by piece without the markers that a model invents, and cut where its time is up."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from agents.card import Card
from agents.citations import unmarked
from agents.context import Context
from agents.errors import ModelFailed, OutOfTime
from agents.events import AnswerDelta, AnswerReset
from agents.languages import NAMES, language_of
from agents.sentences import sentences
from agents.state import Plain
from agents.steps import Step, check, stream
from retrieval.types import Passage

QUOTED = 3
"""Passages that stand for an answer which there was no time to write."""
STOP = ["<passage", "</passage", "<result"]


def language_note(question: str, card: Card) -> str:
    """What whoever asked should know of the model in the language of the question; nothing where it passed, or was never tested."""
    language = language_of(question)
    if card.languages is None or language is None or card.languages.get(language):
        return ""
    said = "failed its test in" if language in card.languages else "was not tested in"
    return f"The chat model {said} {NAMES[language]}: compare the answer with its sources."


def write(messages: Sequence[BaseMessage], instead: str, runtime: Runtime[Context], step: Step) -> tuple[str, str]:
    """The answer, and why it is not whole: where its time is up, the sentences of it that are, or `instead` of them."""
    pieces: list[str] = []
    try:
        return _write(messages, pieces, runtime, step), ""
    except OutOfTime as error:
        step.detail["note"] = str(error)
        whole = unmarked("".join(pieces), complete=True)
        text = whole[: _last_stop(whole)] or instead
        return _tell(text, unmarked("".join(pieces), complete=False), runtime), str(error)


def _last_stop(text: str) -> int:
    """Where the last sentence that was written whole ends."""
    return max((end for _, end in sentences(text) if end < len(text) or text[end - 1 : end] in set(".!?。！？")), default=0)


def quoted(passages: Sequence[Passage], results: Sequence[Plain]) -> str:
    """What was found, as it stands there: the best answer without a model. Empty where nothing was."""
    lines = [one["text"] for one in results] + [passage.text for passage in passages[:QUOTED]]
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def _write(messages: Sequence[BaseMessage], pieces: list[str], runtime: Runtime[Context], step: Step) -> str:
    told, context = "", runtime.context
    check(context, context.deadline)
    for piece in stream(messages, context, step, context.deadline, max_tokens=context.limits.answer_tokens, stop=STOP):
        pieces.append(piece)
        told = _tell(unmarked("".join(pieces), complete=False), told, runtime)
    text = _tell(unmarked("".join(pieces), complete=True), told, runtime)
    if not text:
        raise ModelFailed("wrote an empty answer")
    return text


def _tell(text: str, told: str, runtime: Runtime[Context]) -> str:
    if not text.startswith(told):
        runtime.stream_writer(AnswerReset())
        told = ""
    if len(text) > len(told):
        runtime.stream_writer(AnswerDelta(len(told), text[len(told) :]))
    return text
