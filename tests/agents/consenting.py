"""Consent and a shelf without rows, for tests of the agent: everything that was asked and done is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.consent import Decision, Proposal, Rule, rule_for
from agents.context import About, Sheets
from agents.errors import ToolFailed
from agents.events import Citation, Source
from agents.planning import named_in
from agents.tool import Outcome, Tool
from retrieval.types import Passage


@dataclass
class Office:
    """Keeps to the rules, and approves by itself only what somebody put into `yes`."""

    rules: dict[str, Rule] = field(default_factory=dict)
    yes: set[str] = field(default_factory=set)
    proposed: dict[str, Proposal] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)

    def free(self, tool: str) -> bool:
        return rule_for("reads", self.rules.get(tool), derived=False) == "allow"

    def propose(self, proposal: Proposal) -> Decision:
        self.proposed.setdefault(proposal.key, proposal)
        if proposal.key in self.done:
            return Decision("done", proposal.arguments, self.done[proposal.key])
        rule = rule_for(proposal.effect, self.rules.get(proposal.tool), derived=bool(proposal.derived))
        if rule == "deny":
            return Decision("denied", proposal.arguments, "It is forbidden.")
        return Decision("approved" if rule == "allow" or proposal.key in self.yes else "waiting", proposal.arguments)

    def perform(self, key: str, act: Callable[[Mapping[str, Any]], Outcome]) -> Decision:
        assert key not in self.done
        try:
            self.done[key] = act(self.proposed[key].arguments).text
        except ToolFailed as error:
            return Decision("failed", {}, str(error))
        return Decision("done", self.proposed[key].arguments, self.done[key])


@dataclass
class Papers:
    """A shelf with one table and what was written."""

    passages: Sequence[Passage] = ()
    rows: Mapping[str, Any] = field(default_factory=lambda: {"columns": ["total"], "rows": [[45]], "more": False})
    selected: list[str] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)

    def whole(self, name: str) -> Passage | None:
        return next((passage for passage in self.passages if passage.name == name), None)

    def named(self, question: str) -> Sequence[str]:
        return named_in(question, [passage.name for passage in self.passages])

    def sheets(self, about: str) -> Sequence[Sheets]:
        columns = [{"name": "region", "type": "VARCHAR", "samples": ["North"]}, {"name": "units", "type": "BIGINT", "samples": ["10"]}]
        header = Source("sales", "sales.csv", 0, 13, "Region, Units", 1.0)
        return [Sheets("sales", "sales.csv", [{"name": "sales", "columns": columns, "rows": 3}], header)]

    def select(self, document: str, sql: str) -> Mapping[str, Any]:
        self.selected.append(sql)
        return self.rows if "units" in sql else {"error": "Column not found"}

    def about(self, documents: Sequence[str]) -> Mapping[str, About]:
        return {}

    def write(self, title: str, text: str, citations: Sequence[Citation], chart: Any = None) -> str:
        self.written.append((title, text))
        return f"Kept as {title}."


def tool(name: str, run: Callable[..., Any], effect: Any = "reads", **arguments: Any) -> Tool:
    return Tool(name, effect, name, arguments or {"input": {"type": "string"}}, run)
