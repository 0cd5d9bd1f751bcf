"""Asks the sheets and CSV files that the asker may read a question in SQL. Knows no database: the shelf is its Context's, which reads the
file in a confined process without files, network and settings, and within limits of time, memory and rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.context import Context, Sheets
from agents.errors import ToolFailed
from agents.tool import Outcome, Tool

ROWS = 30
"""Of the result that the model is shown."""
CHARACTERS = 2000


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    if context.shelf is None:
        raise ToolFailed("This agent has no tables.")
    sheets = next((one for one in context.shelf.sheets(str(arguments["document"])) if one.document == arguments["document"]), None)
    found = context.shelf.select(str(arguments["document"]), str(arguments["sql"]))
    if "error" in found:
        raise ToolFailed(f"The table cannot be asked like this: {found['error']}")
    return Outcome(as_text(found), sources=(sheets.header,) if sheets else ())


def as_text(found: Mapping[str, Any]) -> str:
    """A line a row, "column: value; column: value"; one value alone is said as such."""
    columns, rows = found["columns"], found["rows"]
    if not rows:
        return "No row fits."
    lines = ["; ".join(f"{name}: {'' if cell is None else cell}" for name, cell in zip(columns, row, strict=True)) for row in rows[:ROWS]]
    text = "\n".join(lines)[:CHARACTERS]
    return text + ("\n(more rows)" if found["more"] or len(rows) > ROWS or len(text) == CHARACTERS else "")


def described(sheets: Sheets) -> str:
    """The tables as CREATE TABLE says them, with samples: what a model needs to write the question."""
    lines = []
    for table in sheets.tables:
        columns = ", ".join(f'"{one["name"]}" {one["type"]}{_samples(one["samples"])}' for one in table["columns"])
        lines.append(f'TABLE "{table["name"]}" ({columns}) -- {table["rows"]} rows')
    return "\n".join(lines)


def _samples(samples: list[str]) -> str:
    return f" /* e.g. {', '.join(str(sample)[:30] for sample in samples)} */" if samples else ""


QUERY_TABLE = Tool(
    name="query_table",
    effect="reads",
    about="counts, adds up, averages or filters the rows of a table",
    arguments={"document": {"type": "string", "maxLength": 64}, "sql": {"type": "string", "minLength": 6, "maxLength": 2000}},
    run=run,
)
