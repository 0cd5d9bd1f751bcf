"""The parts in which the cases may be put, several at the same time."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from pathlib import Path

import pytest

from tests.bench.agents.__main__ import SAMPLE, lines, part, part_of, wanted
from tests.bench.agents.tasks import BFCL, Task

CASES = [Task(kind, f"{kind} {number}", "", "", (), 2, None) for number in range(30) for kind in BFCL]


def keys(whole: bool, *parts: tuple[int, int] | None) -> list[str]:
    return [task.key for one in parts for task in wanted(CASES, Namespace(part=one, all=whole))]


def test_the_parts_together_are_the_whole_and_no_case_is_in_two() -> None:
    for whole in (True, False):
        assert Counter(keys(whole, (1, 4), (2, 4), (3, 4), (4, 4))) == Counter(keys(whole, None))


def test_each_part_is_as_mixed_as_the_whole_from_its_beginning_on() -> None:
    first = [key.split()[0] for key in keys(True, (3, 4))]
    assert first[:6] == [*BFCL, *BFCL]


def test_a_sample_is_as_large_in_parts_as_in_one() -> None:
    assert Counter(key.split()[0] for key in keys(False, (1, 2), (2, 2))) == {kind: min(30, SAMPLE[kind]) for kind in BFCL}


def test_what_was_done_in_other_parts_is_read_with_them_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "agents.jsonl"
    assert lines(out) == []
    for number, path in enumerate((out, part_of(out, "1-of-2"), part_of(out, "3-of-8"), tmp_path / "agents-old.jsonl")):
        path.write_text(json.dumps({"key": number}) + "\n")
    assert [one["key"] for one in lines(out)] == [0, 1, 2]


def test_a_part_beyond_the_last_is_refused() -> None:
    assert part("8/8") == (8, 8)
    for said in ("0/8", "9/8", "3"):
        with pytest.raises(ValueError):
            part(said)
