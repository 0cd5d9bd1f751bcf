"""The only way in: a question, the thread before it and a Context in; events out, while it works.

A run is named by `context.run_id`. Called again with the same id it goes on where it stopped: finished nodes are not run again, but
their steps are told again, since the process may have died between a checkpoint and its event. Events are idempotent by their key.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph.state import CompiledStateGraph

from agents.context import Context, Turn
from agents.errors import StateUnreadable
from agents.events import AnswerDelta, AnswerReset, Event, Waiting
from agents.graph import compiled
from agents.planning import MOST_TASKS
from agents.state import PlainSerializer, State, answered_of, checked, is_finished, open_task, steps_of
from agents.steering import MOST_USES


def run(question: str, history: Sequence[Turn], context: Context) -> Generator[Event, None, None]:
    """Steps, pieces of the answer, and last Answered, or Waiting where a person must decide first. Closing the iterator stops the run
    at its next token.

    Raises Cancelled, ModelFailed or StateUnreadable (agents.errors), and whatever the model, the search, the embedding or
    the checkpointer raises.
    """
    closed = False
    deadline = time.monotonic() + context.limits.seconds
    live = replace(context, cancelled=lambda: closed or context.cancelled(), deadline=deadline)
    graph = compiled(_plain(context.checkpointer))
    recursions = 3 * context.limits.searches + 4 * MOST_TASKS + 2 * MOST_USES + 20
    config: RunnableConfig = {"configurable": {"thread_id": context.run_id}, "recursion_limit": recursions}
    state = _saved(graph, config, question)
    yield from _told_again(state)
    if not is_finished(state):
        fresh: State = {"question": question, "history": [[turn.question, turn.answer] for turn in history]}
        events = _stream(graph, None if state else fresh, config, live)
        try:
            for event in events:  # noqa: UP028  ("yield from" would close the stream first, and that waits for the model's last word)
                yield event
        finally:
            closed = True
            events.close()
        state = _saved(graph, config, question)
    if is_finished(state):
        yield answered_of(state)
    elif open_task(state) >= 0 or state.get("confirming"):
        yield Waiting()
    else:
        raise StateUnreadable("it ends in the middle, perhaps as it was saved by another version of North")


def rewind(checkpointer: BaseCheckpointSaver, run_id: str, question: str, key: str) -> None:
    """Puts the run back to before its step of this key: called again it goes on from there. Where that is not known (any more), it goes on
    where it stopped. Can be done twice. Raises StateUnreadable."""
    graph, config = compiled(_plain(checkpointer)), _config(run_id)
    _saved(graph, config, question)
    for snapshot in graph.get_state_history(config):
        done = {step["key"] for step in snapshot.values.get("steps", [])}
        if snapshot.next and key not in done:
            graph.update_state(snapshot.config, None, as_node="__copy__")
            return


def documents_of(checkpointer: BaseCheckpointSaver, run_id: str, question: str) -> set[str]:
    """The documents whose words the saved state of a run holds. Raises StateUnreadable."""
    state = _saved(compiled(_plain(checkpointer)), _config(run_id), question)
    found = [passage for results in state.get("found", []) for passage in results]
    sources = [source for result in state.get("results", []) for source in result["sources"]]
    return {str(one["document"]) for one in [*found, *state.get("shown", []), *sources]}


def _config(run_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": run_id}}


def _stream(
    graph: CompiledStateGraph[State, Context], start: State | None, config: RunnableConfig, context: Context
) -> Generator[Event, None, None]:
    stream: Any = graph.stream(start, config, context=context, stream_mode="custom", durability="sync")
    return cast(Generator[Event, None, None], stream)


def _saved(graph: CompiledStateGraph[State, Context], config: RunnableConfig, question: str) -> State:
    """What the checkpointer holds of this run, checked; an empty state if nothing yet."""
    try:
        values = graph.get_state(config).values
    except (ValueError, TypeError, LookupError, AttributeError, NotImplementedError, EOFError) as error:
        raise StateUnreadable("it is damaged or was changed by somebody else") from error
    return checked(values, question) if values else {}


def _told_again(state: State) -> Iterator[Event]:
    if state:
        yield from steps_of(state)
        yield AnswerReset()
    if "text" in state:
        yield AnswerDelta(0, state["text"])


def _plain(checkpointer: BaseCheckpointSaver) -> BaseCheckpointSaver:
    """The checkpointer, reading and writing nothing but plain data; one that brings a serializer of its own (encryption) keeps it."""
    if type(checkpointer.serde) is not JsonPlusSerializer:
        return checkpointer
    plain = copy.copy(checkpointer)
    plain.serde = PlainSerializer()
    return plain
