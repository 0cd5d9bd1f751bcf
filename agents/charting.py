"""The arguments of a chart: the numbers of the query that the answer rests on, asked once more, so that both say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from agents.context import Context
from agents.errors import ToolFailed
from agents.events import Citation
from agents.state import Plain, State
from agents.tools.create_chart import from_rows, origin

CHARTS = re.compile(
    r"\b(?:charts?|graphs?|plots?|diagram\w*|\w*diagramm?e?|graphi(?:que|k|c)s?|courbes?|gr[áa]fic[oa]s?|histogram\w*)\b", re.IGNORECASE
)
_LINE = re.compile(r"\b(?:lines?|over time|trend|linien?\w*|verlauf|courbes?|l[íi]neas?|évolution)\b", re.IGNORECASE)


def made(state: State, task: Plain, context: Context, statement: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """`statement` lets the model write the query, where the plan has asked no table yet. Raises ToolFailed."""
    if context.shelf is None:
        raise ToolFailed("This agent has no tables.")
    before = [one["arguments"] for one in state["tasks"] if one["tool"] == "query_table" and one["status"] == "done"]
    query = before[-1] if before else statement()
    sheets = next((one for one in context.shelf.sheets(query["document"]) if one.document == query["document"]), None)
    found = context.shelf.select(query["document"], query["sql"])
    if sheets is None or "error" in found:
        raise ToolFailed(f"The table cannot be asked like this: {found.get('error', 'it is not there any more')}")
    chart = from_rows(found["columns"], found["rows"], "line" if _LINE.search(state["question"]) else "bar")
    text = origin(sheets.name, query["sql"])
    cited = Citation(0, len(sheets.name), text[: len(sheets.name)], (sheets.header,))
    return {**chart, "title": task["input"], "document": sheets.name, "sql": query["sql"], "citations": [asdict(cited)]}
