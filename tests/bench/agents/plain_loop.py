"""The other side: LangGraph's prebuilt ReAct agent with the same model, on the same server, with all tools before its eyes.

The model's own syntax of calls is not always what its server parses. `ToolCalling` reads calls that stand in its words, too (tagged, in a
code block, or bare JSON), so that the plain loop is judged for what the model chose and not for a parser; `parsed` counts those that the
server found itself.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.errors import GraphRecursionError
from langgraph.prebuilt import create_react_agent

from north.inference.chat import OpenAIChatModel
from north.inference.errors import ContextTooLong

WORDS = 300
_BLOCK = re.compile(r"<tool_call>\s*(\{.*?\})\s*(?:</tool_call>|$)|```(?:json|python)?\s*(\{.*?\}|\[.*?\])\s*```", re.DOTALL)

Call = tuple[str, Mapping[str, Any]]
Use = Callable[[str, Mapping[str, Any]], str]


class ToolCalling(OpenAIChatModel):
    parsed: int = 0

    def bind_tools(self, tools: Sequence[Any], **bound: Any) -> Runnable[Any, AIMessage]:
        functions = [{"type": "function", "function": {"name": one.name, "description": one.description, "parameters": one.args_schema}}
                     for one in tools]  # fmt: skip
        return self.bind(tools=functions, max_tokens=WORDS, temperature=0)  # type: ignore[return-value]

    def _generate(self, messages: list[BaseMessage], *given: Any, **bound: Any) -> ChatResult:
        result = super()._generate(messages, *given, **bound)
        message = result.generations[0].message
        assert isinstance(message, AIMessage)
        if message.tool_calls:
            self.parsed += len(message.tool_calls)
            return result
        names = {one["function"]["name"] for one in bound.get("tools", [])}
        calls = calls_in(message.text, names)
        return ChatResult(generations=[ChatGeneration(message=message.model_copy(update={"tool_calls": calls}))]) if calls else result


def calls_in(words: str, names: set[str]) -> list[ToolCall]:
    """The calls that stand in a model's words, of tools that there are."""
    blocks = [tagged or fenced for tagged, fenced in _BLOCK.findall(words)] or [words.strip()]
    found: list[ToolCall] = []
    for block in blocks:
        try:
            said = json.loads(block)
        except ValueError:
            continue
        for one in said if isinstance(said, list) else [said]:
            arguments = one.get("arguments", one.get("parameters", {})) if isinstance(one, dict) else None
            if isinstance(arguments, dict) and one.get("name") in names:
                found.append(ToolCall(name=one["name"], args=arguments, id=f"call{len(found)}"))
    return found


def tool_of(name: str, about: str, schema: Mapping[str, Any], use: Use) -> BaseTool:
    return StructuredTool(name=name, description=about, args_schema=dict(schema), func=lambda **given: use(name, given))


def run(question: str, instructions: str, tools: Sequence[BaseTool], model: ToolCalling, steps: int) -> str:
    """Its last words, or why it ended; what it called the tools know themselves. A step is a word of the model's, or the calls in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent = create_react_agent(model, list(tools), prompt=instructions or None)
    words, done = "", 0
    try:  # Its own limit would take the last calls away and put an apology in their place: it is stopped from outside.
        for change in agent.stream({"messages": [("user", question)]}, {"recursion_limit": 2 * steps + 10}, stream_mode="updates"):
            words, done = str(next(iter(change.values()))["messages"][-1].text), done + 1
            if done >= steps:
                break
    except (GraphRecursionError, ContextTooLong) as error:
        return type(error).__name__
    return words
