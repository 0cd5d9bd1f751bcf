"""From where a run goes on: the last whole checkpoint of the same run, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from north.training import checkpoints
from north.training.errors import BadPlan, NoRoom, NotResumable
from north.training.plans import Plan

RUN = {"seed": 1, "steps": 100, "data": "a" * 64}


def test_a_new_run_is_noted_and_goes_on_only_as_itself(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = checkpoints.begun(out, RUN, resume=False)
    assert checkpoints.begun(out, RUN, resume=True) == folder
    with pytest.raises(NotResumable, match=r"is another one .steps: 100 before, 200 now"):
        checkpoints.begun(out, {**RUN, "steps": 200}, resume=True)
    with pytest.raises(NotResumable, match=r"data: aaaaaaaaaaaa\.\.\. before, bbbbbbbbbbbb\.\.\. now"):
        checkpoints.begun(out, {**RUN, "data": "b" * 64}, resume=True)


def test_nothing_is_overwritten_without_being_asked(tmp_path: Path) -> None:
    checkpoints.begun(tmp_path / "out", RUN, resume=False)
    with pytest.raises(NotResumable, match=r"unfinished run. Go on with --resume"):
        checkpoints.begun(tmp_path / "out", RUN, resume=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    with pytest.raises(NotResumable, match="is not empty"):
        checkpoints.begun(tmp_path / "full", RUN, resume=False)


@pytest.mark.parametrize("note", [None, "", "{"])
def test_there_must_be_a_run_to_go_on_with(tmp_path: Path, note: str | None) -> None:
    if note is not None:
        (tmp_path / checkpoints.FOLDER).mkdir()
        (tmp_path / checkpoints.FOLDER / checkpoints.NOTE).write_text(note)
    with pytest.raises(NotResumable, match="holds no run to go on with"):
        checkpoints.begun(tmp_path, RUN, resume=True)


def test_a_checkpoint_that_was_being_written_is_passed_over_and_removed(tmp_path: Path) -> None:
    for step, state in ((90, json.dumps({"global_step": 90})), (100, '{"global_'), (110, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / checkpoints.LAST_WRITTEN).write_text(state)
    assert checkpoints.last(tmp_path) == tmp_path / "checkpoint-90"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-90"]
    assert checkpoints.last(tmp_path / "nowhere") is None


def test_a_disk_that_is_too_small_is_said_before_anything_is_done(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    checkpoints.room(tmp_path / "not" / "there" / "yet", free // 2)
    with pytest.raises(NoRoom, match=r"GB free, and .* GB are needed"):
        checkpoints.room(tmp_path / "not" / "there" / "yet", free * 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 1},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"distil": 1.5},
        {"epochs": 0},
        {"tokens": 4},
        {"dev_share": 0.9},
        {"kind": "poet"},
    ],
)
def test_a_plan_out_of_range_is_refused_with_the_options_name(wrong: dict) -> None:
    name = next(iter(wrong))
    with pytest.raises(BadPlan, match="poet" if name == "kind" else f"--{name.replace('_', '-')} is .* must lie between"):
        Plan(**wrong)


def test_a_plans_steps_are_said_or_come_from_its_epochs() -> None:
    assert Plan(steps=7).steps_of(1000) == 7 and Plan(epochs=3, batch=10).steps_of(105) == 30 and Plan(epochs=2, batch=64).steps_of(5) == 2
