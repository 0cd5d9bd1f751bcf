"""Charts: the numbers of a query, seen before they are kept, and nothing that cannot be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.calling import act
from agents.errors import ToolFailed
from agents.events import Waiting
from agents.planning import tasks_of
from agents.run import run
from agents.tools import TOOLS
from agents.tools.create_chart import from_rows, origin
from tests.agents.conftest import Make
from tests.agents.consenting import Office, Papers
from tests.scripted import in_turn

ROWS = {"columns": ["region", "units"], "rows": [["North", 10], ["South", 35]], "more": False}
QUESTION = "Draw a bar chart of the units per region"
SQL = "SELECT region, sum(units) AS units FROM sales GROUP BY 1"


@dataclass
class Gallery(Papers):
    charts: list[Any] = field(default_factory=list)

    def write(self, title: str, text: str, citations: Any, chart: Any = None) -> str:
        self.charts.append((chart, [one.text for one in citations]))
        return super().write(title, text, citations, chart)


def test_a_chart_is_planned_only_where_a_table_fits() -> None:
    assert [task["tool"] for task in tasks_of(QUESTION, Papers().sheets, TOOLS)] == ["query_table", "create_chart"]
    assert [task["tool"] for task in tasks_of("Units per region?", Papers().sheets, TOOLS)] == ["query_table"]
    assert tasks_of("What does the organisation chart say?", lambda about: [], TOOLS) == []


def test_it_is_seen_before_it_is_kept_and_drawn_from_the_query_of_the_answer(make: Make) -> None:
    gallery, office = Gallery(rows=ROWS), Office()
    script = in_turn({"sql": SQL}, "North sold 10 units, South 35.")
    context = make(script, shelf=gallery, consent=office, tools=TOOLS)
    assert isinstance(list(run(QUESTION, [], context))[-1], Waiting)
    (proposal,) = office.proposed.values()
    assert (proposal.tool, proposal.arguments["labels"], proposal.arguments["series"]) == (
        "create_chart", ["North", "South"], [{"name": "units", "values": [10, 35]}],
    )  # fmt: skip
    assert not gallery.charts
    office.yes.add(proposal.key)
    list(run(QUESTION, [], context))
    assert set(gallery.selected) == {SQL}
    chart, cited = gallery.charts[0]
    assert (chart["kind"], chart["origin"]) == ("bar", {"document": "sales.csv", "sql": SQL})
    assert cited == ["sales.csv"]


@pytest.mark.parametrize(
    ("columns", "rows", "labels", "names"),
    [
        (["year", "units", "place"], [[2025, 1, "a"], [2026, None, "b"]], ["a", "b"], ["year", "units"]),
        (["year", "units"], [[2025, "1.5"], [2026, "x"]], ["2025", "2026"], ["units"]),
        (["a", "b", "c"], [["x", "1", 2.5]], ["x"], ["b", "c"]),
    ],
)
def test_what_names_and_what_counts_is_told_apart(columns: Any, rows: Any, labels: Any, names: Any) -> None:
    chart = from_rows(columns, rows, "bar")
    assert (chart["labels"], [one["name"] for one in chart["series"]]) == (labels, names)


@pytest.mark.parametrize("rows", [[], [["a", "b"]], [["a", None]], [["a", True]], [["a", float("nan")]], [["a", 1]] * 61])
def test_what_cannot_be_drawn_is_said(rows: Any) -> None:
    with pytest.raises(ToolFailed, match=r"nothing to draw|cannot be read"):
        from_rows(["name", "number"], rows, "bar")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "pie"}, {"labels": []}, {"series": []}, {"series": ["x"]}, {"series": [{"name": "n", "values": [1]}]},
        {"series": [{"name": "n", "values": [1, "2"]}]}, {"series": [{"values": [1, 2]}]}, {"title": "\n"},
    ],
)  # fmt: skip
def test_edited_arguments_that_make_no_sense_keep_nothing(make: Make, wrong: dict[str, Any]) -> None:
    gallery = Gallery()
    series = [{"name": "n", "values": [1, 2]}]
    right = {"title": "T", "kind": "bar", "labels": ["a", "b"], "series": series, "document": "d", "sql": "s", "citations": []}
    with pytest.raises(ToolFailed):
        act(TOOLS["create_chart"], {**right, **wrong}, make(in_turn(), shelf=gallery))
    assert not gallery.charts


@given(st.text(max_size=30), st.text(max_size=60))
def test_the_origin_begins_with_what_is_cited(document: str, sql: str) -> None:
    assert origin(document, sql).startswith(document)
