"""What a run remembers between two nodes: plain lists, strings and numbers only, so that a checkpoint can hold nothing that executes.

Events and passages are kept as dictionaries of their fields and made anew when read. Knows nothing of what the nodes do with it.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, NoReturn, TypedDict, cast

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Interrupt

from agents.errors import StateUnreadable
from agents.events import Answered, Citation, ClaimCheck, Source, Span, StepFinished
from retrieval.types import Passage

Plain = dict[str, Any]
Verdict = Literal["answer", "search", "refuse"]


class State(TypedDict, total=False):
    question: str
    """The person's own words; never replaced."""
    history: list[list[str]]
    standalone: str
    """The question as it reads without the thread before it."""
    pending: list[str]
    """Queries still to be searched for."""
    searched: Annotated[list[str], operator.add]
    describes: bool
    """The question says what it asks about by something else."""
    further: str
    """Of the queries, that which is searched with the words of the first passage found."""
    found: list[list[Plain]]
    """One list of passages a query, in the order of `searched`."""
    reads: int
    shown: list[Plain]
    verdict: Verdict
    text: str
    refused: bool
    citations: list[Plain]
    unsupported: list[Plain]
    claims: list[Plain]
    """What the verifier said of each sentence."""
    tasks: list[Plain]
    """The plan beside the search for the question itself, as `plans.task` makes it; `late`: after the answer."""
    weighed: int
    """How often the plan's results were compared with its criteria."""
    confirming: bool
    """A person shall see the plan before it runs, and has not decided yet."""
    offered: list[str]
    """The tools of others among which the next use is chosen; none once that is over."""
    errand: list[Any]
    """Of a request that changes something with tools of others: what was worked out so far, as `errands.Errand.said`."""
    results: list[Plain]
    """What tools found that is no passage: {"key", "tool", "input", "text", "sources"}."""
    notes: list[Plain]
    """Of a thorough question: its sub-questions and what was noted of each, as `research` makes them."""
    looked: int
    """How often what the notes lack was looked for."""
    cut_short: str
    """Why not everything was done; nothing where it was."""
    used: Annotated[int, operator.add]
    """How often tools were used."""
    steps: Annotated[list[Plain], operator.add]
    """The finished steps, in order, to be told again after a resume."""
    tokens_in: Annotated[int, operator.add]
    tokens_out: Annotated[int, operator.add]


SHAPE: Mapping[str, type] = {
    **dict.fromkeys(("question", "standalone", "verdict", "text", "further", "cut_short"), str),
    **dict.fromkeys(("history", "pending", "searched", "found", "shown", "citations", "unsupported", "claims", "tasks"), list),
    **dict.fromkeys(("offered", "errand", "results", "steps", "notes"), list),
    **dict.fromkeys(("reads", "used", "weighed", "looked", "tokens_in", "tokens_out"), int),
    "refused": bool,
    "describes": bool,
    "confirming": bool,
}


class PlainSerializer(JsonPlusSerializer):
    """Reads and writes msgpack without extension types: a forged checkpoint is an error, never an object.

    LangGraph's own reader may import and call what a checkpoint names; its strict mode hands the named arguments on as if they
    were the value. This one raises.
    """

    def __init__(self) -> None:
        super().__init__(pickle_fallback=False, allowed_msgpack_modules=None, __unpack_ext_hook__=_refuse)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """An interrupt is kept as the plain value that it carries: that somebody is waited for, and for which step."""
        if isinstance(obj, tuple) and obj and all(isinstance(one, Interrupt) for one in obj):
            obj = [{"interrupt": one.value} for one in obj]
        return super().dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        if data[0] not in {"null", "bytes", "bytearray", "msgpack"}:
            raise ValueError(f"a checkpoint of type {data[0]!r} is not read")
        return super().loads_typed(data)


def _refuse(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"a checkpoint holds an object (extension {code}) where only plain data may stand")


def checked(values: Mapping[str, Any], question: str) -> State:
    """The values of a checkpoint, if they are a state of this question's run. Raises StateUnreadable."""
    for name, value in values.items():
        if name not in SHAPE or not isinstance(value, SHAPE[name]) or not _is_plain(value):
            raise StateUnreadable(f"its part {name!r} is not what was saved")
    if values.get("question") != question:
        raise StateUnreadable("it belongs to another question")
    return cast(State, dict(values))


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or type(value) in {str, int, float, bool}


def passage_to_plain(passage: Passage) -> Plain:
    plain = {name: getattr(passage, name) for name in ("document", "name", "ordinal", "start", "end", "text", "heading", "sha256")}
    return {**plain, "score": float(passage.score), "why": {key: float(value) for key, value in passage.why.items()}}


def passage_from_plain(plain: Plain) -> Passage:
    return Passage(**plain)


def step_to_plain(step: StepFinished) -> Plain:
    return {**asdict(step), "detail": dict(step.detail)}


def steps_of(state: State) -> list[StepFinished]:
    return [StepFinished(**step) for step in state.get("steps", [])]


def fields(event: Any) -> Plain:
    return {name: getattr(event, name) for name in event.__slots__}


def open_tasks(state: State) -> list[int]:
    """The places of the tasks that are due, in order: before the answer those that are not `late`, after it those that are; each once those
    that it waits for are over."""
    tasks, late = state.get("tasks", []), "claims" in state
    left = [place for place, task in enumerate(tasks) if not task["status"] and task["late"] == late]
    ready = [place for place in left if all(tasks[before]["status"] for before in tasks[place]["after"] if before < len(tasks))]
    return ready or left[:1]


def open_task(state: State) -> int:
    """The next task that is due. -1: there is none."""
    return next(iter(open_tasks(state)), -1)


def is_finished(state: State) -> bool:
    """The answer is verified and no task is left. (LangGraph's `next` is empty before that, after some crashes.)"""
    return "claims" in state and open_task(state) < 0


def answered_of(state: State) -> Answered:
    """The end of the run, as its state holds it."""
    citations = (Citation(c["start"], c["end"], c["text"], tuple(Source(**source) for source in c["sources"])) for c in state["citations"])
    return Answered(
        text=state["text"],
        citations=tuple(citations),
        unsupported=tuple(Span(**span) for span in state["unsupported"]),
        claims=tuple(ClaimCheck(**{**claim, "reasons": tuple(claim["reasons"])}) for claim in state["claims"]),
        refused=state["refused"],
        searched=tuple(state["searched"]),
        passages=tuple(map(passage_from_plain, state.get("shown", []))),
        tokens_in=state.get("tokens_in", 0),
        tokens_out=state.get("tokens_out", 0),
        cut_short=state.get("cut_short", ""),
    )
