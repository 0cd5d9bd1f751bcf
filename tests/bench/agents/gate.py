"""`python -m tests.bench.agents.gate`: of BFCL's questions, to how many North offers any tool, and the right one first. Asks no model.

What is offered where nothing fits is the most that can go wrong there, and what is not offered where something fits cannot be called.
"""

from __future__ import annotations

import sys
from collections import defaultdict

from langchain_core.language_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver

from agents.choosing import offered
from agents.context import Context
from tests.bench.agents import tasks
from tests.bench.agents.__main__ import MODELS, SETS
from tests.bench.agents.calls import Case
from tests.bench.agents.north_agent import judges, lent
from tests.bench.agents.table import told


def main(most: int) -> None:
    any_of, right = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    embed, judge = judges(MODELS)
    for task in tasks.load(SETS, tasks.BFCL):
        if len(any_of[task.kind]) >= most:
            continue
        tools = {one.name: lent(one.name, one.about, one.schema, task) for one in task.functions}
        model = FakeListChatModel(responses=[""])
        context = Context(task.key, model, lambda query, count: (), embed, InMemorySaver(), tools=tools, judge=judge)
        names = offered(task.question, context)
        any_of[task.kind].append(bool(names))
        assert isinstance(task.case, Case)
        if task.case.allowed:
            right[task.kind].append(bool(names) and names[0] in task.case.allowed)
    for kind, found in any_of.items():
        first = f"; the right one first {told(right[kind])}" if right[kind] else ""
        print(f"{kind:12} offered {told(found)}{first}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10**6)
