"""The drawing, read in one go:

    understand -> plan -> search -> read -> answer -> cite
                          ^    |    |  \\
                          └────┴────┘   refuse

`search` is come back to for each query, and once more when `read` finds that the answer is not there. There is no way to `answer` but
through `read`, and none to `read` but through `search`: no answer without a retrieval.
"""

from __future__ import annotations

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agents import nodes
from agents.context import Context
from agents.state import State


def drawing() -> StateGraph[State, Context]:
    graph = StateGraph(State, context_schema=Context)
    for node in (nodes.understand, nodes.plan, nodes.search, nodes.read, nodes.answer, nodes.refuse, nodes.cite):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "plan")
    graph.add_edge("plan", "search")
    graph.add_conditional_edges("search", after_search, ["search", "read"])
    graph.add_conditional_edges("read", after_read, ["search", "answer", "refuse"])
    graph.add_edge("answer", "cite")
    graph.add_edge("cite", END)
    graph.add_edge("refuse", END)
    return graph


def compiled(checkpointer: BaseCheckpointSaver) -> CompiledStateGraph[State, Context]:
    return drawing().compile(checkpointer=checkpointer)


def after_search(state: State) -> str:
    return "search" if state["pending"] else "read"


def after_read(state: State, runtime: Runtime[Context]) -> str:
    """A workspace that is not grounded may answer without passages, where a grounded one refuses."""
    verdict = state["verdict"]
    return "answer" if verdict == "refuse" and not runtime.context.grounded else verdict
