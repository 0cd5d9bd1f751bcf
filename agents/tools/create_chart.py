"""Keeps numbers as a chart of the workspace, with the query that they come from. It is proposed to a person first, like every writing tool,
with the numbers themselves: what was seen is what is drawn. Knows no picture; whoever shows it draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from agents.context import Context
from agents.errors import ToolFailed
from agents.events import Citation, Source
from agents.tool import Outcome, Tool

ROWS, SERIES = 60, 5
NAME_CHARACTERS = 80
NOTHING = "There is nothing to draw: a chart needs rows with a name and at least one number each."


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    if context.shelf is None:
        raise ToolFailed("This agent has no place to write to.")
    title = " ".join(str(arguments["title"]).split())
    if not title:
        raise ToolFailed("A chart needs a title.")
    chart = {**checked(arguments), "title": title, "origin": {"document": arguments["document"], "sql": arguments["sql"]}}
    text = origin(str(arguments["document"]), str(arguments["sql"]))
    cited = [Citation(one["start"], one["end"], one["text"], tuple(Source(**source) for source in one["sources"]))
             for one in arguments["citations"] if text[one["start"] : one["end"]] == one["text"]]  # fmt: skip
    return Outcome(context.shelf.write(title, text, cited, chart))


def checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The kind, labels and series of a chart that can be drawn. Raises ToolFailed."""
    labels, series = list(arguments["labels"]), list(arguments["series"])
    fitting = [one for one in series if isinstance(one, Mapping) and isinstance(one.get("values"), list) and one.get("name") is not None]
    if arguments["kind"] not in ("bar", "line") or not 1 <= len(labels) <= ROWS or not 1 <= len(fitting) == len(series) <= SERIES:
        raise ToolFailed(NOTHING)
    for one in fitting:
        if len(one["values"]) != len(labels) or not all(value is None or is_number(value) for value in one["values"]):
            raise ToolFailed(f"The numbers of “{str(one['name'])[:NAME_CHARACTERS]}” are not one for each of the {len(labels)} names.")
    named = [{"name": str(one["name"])[:NAME_CHARACTERS], "values": list(one["values"])} for one in fitting]
    return {"kind": arguments["kind"], "labels": [str(label)[:NAME_CHARACTERS] for label in labels], "series": named}


def from_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], kind: str) -> dict[str, Any]:
    """What a query found as a chart: the first column that holds no numbers names the rows, the others that do are drawn."""
    if not rows or len(columns) < 2:
        raise ToolFailed(NOTHING)
    if len(rows) > ROWS:
        raise ToolFailed(f"The table has {len(rows)} rows; a chart of more than {ROWS} cannot be read. Ask for fewer.")
    numbers = [[number_of(row[place]) for row in rows] for place in range(len(columns))]
    named = next((place for place, found in enumerate(numbers) if all(one is None for one in found)), 0)
    drawn = [place for place, found in enumerate(numbers) if place != named and any(one is not None for one in found)][:SERIES]
    labels = ["" if row[named] is None else str(row[named]) for row in rows]
    series = [{"name": str(columns[place]), "values": numbers[place]} for place in drawn]
    return checked({"kind": kind, "labels": labels, "series": series})


def number_of(value: Any) -> float | int | None:
    if is_number(value):
        return value  # type: ignore[no-any-return]
    try:
        found = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def origin(document: str, sql: str) -> str:
    """The words under the chart; the document's name stands first, and is what is cited."""
    return f"{document}, asked:\n\n" + "\n".join("    " + line for line in sql.splitlines())


def preview(arguments: Mapping[str, Any]) -> str:
    return f"A chart “{arguments['title']}” of {len(arguments['labels'])} rows is kept in this workspace. Only you can open it."


CREATE_CHART = Tool(
    name="create_chart",
    effect="writes",
    about="draws what a table says as a chart",
    arguments={
        "title": {"type": "string", "minLength": 1, "maxLength": 120},
        "kind": {"type": "string", "maxLength": 4},
        "labels": {"type": "array", "maxLength": ROWS},
        "series": {"type": "array", "maxLength": SERIES},
        "document": {"type": "string", "maxLength": 255},
        "sql": {"type": "string", "maxLength": 2000},
        "citations": {"type": "array"},
    },
    run=run,
    preview=preview,
)
