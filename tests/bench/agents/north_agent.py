"""This side: North's own run over the same tools, lent to it as those of a registered server are (`north.outside.lending`), each asked
about and allowed by a script. It is over when the tools are: the answer about what was done is not judged here, nor is
the plain loop's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from agents.card import Limits
from agents.consent import Decision, Proposal
from agents.context import Context, Judge
from agents.errors import ToolFailed
from agents.events import Event, StepFinished, StepStarted
from agents.run import run as run_agent
from agents.schemas import narrowed
from agents.tool import Outcome, Tool
from north.inference.chat import OpenAIChatModel
from north.inference.embedding import load, load_scorer
from retrieval.types import Embed
from tests.bench.agents.tasks import Task

EMBEDS, JUDGES = "multilingual-e5-small-int8", "north-reranker-12-int8"
LIMITS = Limits(seconds=100_000.0, tool_seconds=600.0)


@dataclass
class Agreeing:
    """Whoever is asked says yes; each action is done once."""

    asked: dict[str, Proposal] = field(default_factory=dict)
    done: dict[str, Decision] = field(default_factory=dict)

    def free(self, tool: str) -> bool:
        return True

    def propose(self, proposal: Proposal) -> Decision:
        self.asked.setdefault(proposal.key, proposal)
        return self.done.get(proposal.key) or Decision("approved", proposal.arguments)

    def perform(self, key: str, act: Any) -> Decision:
        arguments = self.asked[key].arguments
        try:
            self.done[key] = Decision("done", arguments, act(arguments).text)
        except ToolFailed as error:
            self.done[key] = Decision("failed", arguments, str(error))
        return self.done[key]


def run(task: Task, model: OpenAIChatModel, models: Path) -> dict[str, Any]:
    embed, judge = judges(models)
    tools = {one.name: tool for one in task.functions for tool in [lent(one.name, one.about, one.schema, task)]}
    context = Context(
        run_id=task.key, model=model, search=lambda query, count: (), embed=embed, judge=judge, checkpointer=InMemorySaver(),
        instructions=task.instructions, limits=LIMITS, tools=tools, consent=Agreeing(),
    )  # fmt: skip
    uses, tokens, told = 0, 0, []
    with closing(run_agent(task.question, (), context)) as events:
        for event in events:
            tokens += event.tokens_out if isinstance(event, StepFinished) else 0
            told += [said] if (said := _told(event)) else []
            uses += isinstance(event, StepFinished) and event.kind == "act"
            if (isinstance(event, StepStarted) and event.kind == "read") or uses >= task.steps // 2:
                break
    return {"end": "; ".join(islice(told, 12)), "tokens_out": tokens}


def _told(event: Event) -> str:
    if not isinstance(event, StepFinished) or event.kind not in {"plan", "act"}:
        return ""
    used = event.detail.get("query") or event.detail.get("tool") or ""
    return f"{event.key} {used} {event.error or event.detail.get('note', '')}".strip()[:160]


def lent(name: str, about: str, schema: Mapping[str, Any], task: Task) -> Tool:
    def used(given: Mapping[str, Any], context: Any) -> Outcome:
        return Outcome(task.use(name, json.loads(given["arguments"])))

    arguments = {"arguments": {"type": "string", "maxLength": 8000}}
    return Tool(name, "leaves", about, arguments, used, informs=True, schema=narrowed(schema))


@cache
def judges(models: Path) -> tuple[Embed, Judge]:
    return load(EMBEDS, models).embed_queries, load_scorer(JUDGES, models)
