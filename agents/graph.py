"""The drawing, read in one go:

    understand -> plan -> confirm -> search -> act -> weigh -> read -> answer -> cite -> act -> END
                    \\         \\    ^ ^       ^        |      |  \\
                     `-> inquire --┘ |       └────────┘      |   refuse -> END
                                     └───────────────────────┘

Where tools of others may do what is asked, `choose` stands before `act` and is come back to until it chooses none (choosing.py).
`search` is come back to for each query, and once more when `read` finds that the answer is not there; `act` for the tasks of the plan, at
the same time for those that wait for nothing. `weigh` compares what they brought with what they were for, and may plan other ones, once.
Most questions have no task: they go straight to search and answer. What reads acts before the answer, what writes after it was verified,
and waits there for a person; `confirm` shows them the plan first, where the agent is set so, and `inquire` asks what is meant. There is no
way to `answer` but through `read`, and none to `read` but through `search`: no answer without a retrieval.

A thorough question goes another way: understand -> outline -> explore <-> look_again, -> report -> END (`research`).
"""

from __future__ import annotations

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agents import acting, nodes, research, steering
from agents.context import Context
from agents.state import State, open_task


def drawing() -> StateGraph[State, Context]:
    graph = StateGraph(State, context_schema=Context)
    for node in (
        nodes.understand, steering.plan, steering.confirm, nodes.search, acting.act, steering.choose, steering.weigh, nodes.read,
        nodes.answer, nodes.refuse, nodes.cite, research.outline, research.explore, research.look_again, research.report,
    ):  # fmt: skip
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "understand")
    graph.add_conditional_edges("understand", after_understand, ["plan", "outline"])
    graph.add_edge("outline", "explore")
    graph.add_conditional_edges("explore", research.after_explore, ["explore", "look_again", "report"])
    graph.add_conditional_edges("look_again", research.after_explore, ["explore", "report"])
    graph.add_edge("report", END)
    graph.add_node("inquire", acting.act)
    graph.add_conditional_edges("plan", after_plan, ["confirm", "inquire", "search"])
    graph.add_conditional_edges("confirm", after_plan, ["inquire", "search"])
    graph.add_edge("inquire", "search")
    graph.add_conditional_edges("search", after_search, ["search", "act", "choose", "weigh", "read"])
    graph.add_conditional_edges("choose", after_search, ["act", "choose", "weigh", "read"])
    graph.add_conditional_edges("act", after_act, ["search", "act", "choose", "weigh", "read", END])
    graph.add_conditional_edges("weigh", after_search, ["act", "read"])
    graph.add_conditional_edges("read", after_read, ["search", "answer", "refuse"])
    graph.add_edge("answer", "cite")
    graph.add_conditional_edges("cite", after_cite, ["act", END])
    graph.add_edge("refuse", END)
    return graph


def compiled(checkpointer: BaseCheckpointSaver) -> CompiledStateGraph[State, Context]:
    return drawing().compile(checkpointer=checkpointer)


def after_understand(state: State, runtime: Runtime[Context]) -> str:
    return "outline" if runtime.context.thorough else "plan"


def after_plan(state: State) -> str:
    """Only what must be asked first comes before the search."""
    if state.get("confirming"):
        return "confirm"
    place = open_task(state)
    return "inquire" if place >= 0 and state["tasks"][place]["tool"] == "ask_user" else "search"


def after_search(state: State) -> str:
    if state["pending"]:
        return "search"
    if open_task(state) >= 0:
        return "act"
    if state.get("offered"):
        return "choose"
    return "weigh" if steering.due(state) else "read"


def after_act(state: State) -> str:
    if "claims" in state:
        return after_cite(state)
    return after_search(state)


def after_cite(state: State) -> str:
    return "act" if open_task(state) >= 0 else END


def after_read(state: State, runtime: Runtime[Context]) -> str:
    """A workspace that is not grounded may answer without passages, where a grounded one refuses."""
    verdict: str = state["verdict"]
    return "answer" if verdict == "refuse" and not runtime.context.grounded else verdict
