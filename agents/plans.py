"""Plans as people see and change them: named steps with what they are for, what must be done before them and when they have succeeded.

Pure: loads no graph and no model, so that a web process can check what a person made of a plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from agents.errors import PlanUnusable

Plain = dict[str, Any]

MOST_STEPS = 8
NAME_CHARACTERS, INPUT_CHARACTERS, CRITERION_CHARACTERS = 60, 200, 120
CRITERIA = {
    "search": "A passage says something about it",
    "read_document": "The document was opened",
    "compare_documents": "A cell is filled",
    "query_table": "A row fits",
    "calculate": "A number comes out",
    "ask_user": "You said it",
    "fetch_page": "The page was read",
    "write_document": "It was kept",
    "create_chart": "It was kept",
}
"""When a step of a tool has succeeded, unless somebody said otherwise."""
LAST = {"write_document", "create_chart"}
"""What is done with the finished answer."""


def task(
    name: str, tool: str, input: str = "", arguments: Mapping[str, Any] | None = None, *, after: Sequence[int] = (), criterion: str = ""
) -> Plain:
    """One named step, not yet done. Without `arguments` they are found when its turn comes; `after`: the places of steps before it."""
    return {"name": name[:NAME_CHARACTERS], "tool": tool, "input": input[:INPUT_CHARACTERS], "arguments": dict(arguments or {}),
            "late": False, "status": "", "words": "", "after": list(after), "met": "",
            "criterion": criterion or CRITERIA.get(tool, "It gave a result")}  # fmt: skip


def key_of(task: Plain, place: int) -> str:
    """The key of the step that does it, the same in every attempt."""
    return f"{'search:step' if task['tool'] == 'search' else 'act:'}{place + 1}"


def shown(tasks: Sequence[Plain]) -> list[Plain]:
    """The plan as it is shown, kept and sent back: `after` counts from 1."""
    return [
        {**{name: one[name] for name in ("name", "tool", "input", "criterion")}, "after": [place + 1 for place in one["after"]]}
        for one in tasks
    ]


def with_keys(tasks: Sequence[Plain]) -> list[Plain]:
    return [{**step, "key": key_of(one, place)} for place, (step, one) in enumerate(zip(shown(tasks), tasks, strict=True))]


def checked(said: object, tools: Collection[str], before: Sequence[Plain] = ()) -> list[Plain]:
    """The tasks of a plan that a person wrote. `before`: those that were shown, whose arguments stay where nothing else was said. Raises
    PlanUnusable, in words that say which step and what to do."""
    if not isinstance(said, list) or not said:
        raise PlanUnusable("A plan needs one step at least. To go on without a plan, say so instead.")
    if len(said) > MOST_STEPS:
        raise PlanUnusable(f"This plan has {len(said)} steps; at most {MOST_STEPS} are done. Take some out.")
    known = {(one["tool"], one["input"]): one["arguments"] for one in before}
    tasks = [_step(number, one, [*tools, "search"], len(said)) for number, one in enumerate(said, 1)]
    _once(tasks)
    _in_order(tasks)
    return [{**one, "arguments": known.get((one["tool"], one["input"]), {})} for one in tasks]


def _step(number: int, said: object, tools: Collection[str], count: int) -> Plain:
    if not isinstance(said, Mapping):
        raise PlanUnusable(f"Step {number} is not a step: it needs a name, a tool and what goes into it.")
    name, tool, input = (
        _text(number, said, part, most) for part, most in (("name", NAME_CHARACTERS), ("tool", 60), ("input", INPUT_CHARACTERS))
    )
    if tool not in tools:
        raise PlanUnusable(f"Step {number}: there is no tool “{tool[:40]}”. There are {', '.join(sorted(set(tools)))}.")
    criterion = _text(number, said, "criterion", CRITERION_CHARACTERS) if said.get("criterion") else ""
    return {**task(name, tool, input, criterion=criterion, after=_after(number, said.get("after", []), count)), "late": tool in LAST}


def _text(number: int, said: Mapping[str, Any], part: str, most: int) -> str:
    value = said.get(part)
    text = " ".join(value.replace("\0", "").split()) if isinstance(value, str) else ""
    if not any(map(str.isalnum, text)) or len(text) > most:
        raise PlanUnusable(f"Step {number}: its {part} must say something, in at most {most} characters.")
    return text


def _after(number: int, said: object, count: int) -> list[int]:
    numbers = [one for one in said if type(one) is int and 1 <= one <= count] if isinstance(said, list) else []
    if not isinstance(said, list) or len(numbers) != len(said):
        raise PlanUnusable(f"Step {number} waits for a step that is not there. There are 1 to {count}.")
    return sorted({one - 1 for one in numbers})


def _once(tasks: Sequence[Plain]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for number, one in enumerate(tasks, 1):
        first = seen.setdefault((one["tool"], one["input"].lower()), number)
        if first != number:
            raise PlanUnusable(f"Steps {first} and {number} do the same. Take one of them out.")


def _in_order(tasks: Sequence[Plain]) -> None:
    try:
        TopologicalSorter({place: one["after"] for place, one in enumerate(tasks)}).prepare()
    except CycleError as error:
        circle = sorted({place + 1 for place in error.args[1]})
        said = f"Step {circle[0]} waits" if len(circle) == 1 else f"Steps {', '.join(map(str, circle[:-1]))} and {circle[-1]} wait"
        raise PlanUnusable(f"{said} for {'itself' if len(circle) == 1 else 'each other'}, so none could begin.") from None
    late = {place for place, one in enumerate(tasks) if one["late"]}
    for number, one in enumerate(tasks, 1):
        if not one["late"] and late & set(one["after"]):
            raise PlanUnusable(f"Step {number} waits for what is done last, with the finished answer.")
