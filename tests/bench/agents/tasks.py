"""What is asked of both sides, in an order that makes any beginning of it a fair sample: a case of each kind in turn, shuffled by a fixed
seed. A fifth of each kind is kept apart (`tuning`) to look at while prompts are written; figures are of the rest."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tests.bench.agents import calls, workplace
from tests.bench.agents.calls import Function

SEED = 7
APART = 5
BFCL = ("simple", "multiple", "irrelevance")
KINDS = (*BFCL, "workbench")
Call = tuple[str, Mapping[str, Any]]


@dataclass(slots=True)
class Task:
    """One question with its tools. `use` is what a tool says; what was called is kept in `made`."""

    kind: str
    key: str
    question: str
    instructions: str
    functions: Sequence[Function]
    steps: int
    """After so many words of the model and uses of tools the plain loop is over; half of it are uses."""
    case: Any
    _place: Any = None
    made: list[Call] = field(default_factory=list)

    def use(self, name: str, arguments: Mapping[str, Any]) -> str:
        self.made.append((name, dict(arguments)))
        return self._place.use(name, arguments) if self._place else "Done."

    def fresh(self) -> Task:
        """The same, with nothing done yet."""
        place = self._place and Office(self._place.original, self._place.people)
        return replace(self, made=[], _place=place)

    def judged(self) -> dict[str, Any]:
        if isinstance(self.case, calls.Case):
            return {"right": calls.right(self.case, self.made), "side_effects": False, "acts": self.case.allowed is not None}
        aim = workplace.wanted(self.case["answer_calls"])
        right, harm = workplace.judged(lambda: workplace.Workplace(self._place.original, self._place.people), aim, self.made)
        return {"right": right, "side_effects": harm, "acts": bool(aim)}


class Office(workplace.Workplace):
    def __init__(self, tables: Mapping[str, list[workplace.Row]], people: Sequence[str]) -> None:
        super().__init__(tables, people)
        self.original = tables


def load(folder: Path, kinds: Sequence[str] = KINDS, *, tuning: bool = False) -> Iterator[Task]:
    """Each kind's cases, one of each in turn. An answer to a question is right at once (bfcl), or after several steps (workbench)."""
    shuffled = [list(_of(folder, kind)) for kind in kinds]
    for tasks in shuffled:
        random.Random(SEED).shuffle(tasks)
    chosen = [tasks[::APART] if tuning else [task for place, task in enumerate(tasks) if place % APART] for tasks in shuffled]
    for turn in zip_longest(*chosen):
        yield from (task for task in turn if task is not None)


def _of(folder: Path, kind: str) -> Iterator[Task]:
    if kind != "workbench":
        for case in calls.load(folder / "bfcl", kind):
            yield Task(kind, case.key, case.question, "", case.functions, 2, case)
        return
    tables = workplace.load(folder / "workbench")
    people = Path(folder, "workbench", "data", "email_addresses.csv").read_text().split()
    functions = [Function(name, spec["about"], workplace.schema_of(name)) for name, spec in workplace.SPECS.items()]
    for line in Path(folder, "workbench", "tasks.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        yield Task(kind, one["_id"], one["query"], workplace.TODAY, functions, 16, one, Office(tables, people))
