"""Where a run writes, and from where it goes on: `<out>/checkpoints/` with run.json (whose they are), learnt.jsonl (what is learnt from,
with its negatives) and the trainer's own checkpoint-N folders. It is gone once the model is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from north.training.errors import NoRoom, NotResumable

FOLDER, NOTE, LEARNT = "checkpoints", "run.json", "learnt.jsonl"
LAST_WRITTEN = "trainer_state.json"
"""The trainer writes this file of a checkpoint last: where it is whole, the others are."""


def begun(out: Path, run: Mapping[str, Any], *, resume: bool) -> Path:
    """The folder of checkpoints of a run, new or, with `resume`, begun before. Raises NotResumable."""
    folder = out / FOLDER
    known = json.loads(json.dumps(run))
    if resume:
        return _same(folder, known)
    if (folder / NOTE).exists():
        raise NotResumable(f"{out} holds an unfinished run. Go on with --resume, or name another folder with --out, or delete it.")
    if out.exists() and any(out.iterdir()):
        raise NotResumable(f"{out} is not empty. Name a new folder with --out.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NOTE).write_text(json.dumps(known, indent=1))
    return folder


def _same(folder: Path, known: Mapping[str, Any]) -> Path:
    try:
        before = json.loads((folder / NOTE).read_text())
    except (OSError, ValueError) as error:
        raise NotResumable(f"{folder.parent} holds no run to go on with. Start without --resume.") from error
    if other := sorted(key for key in {*before, *known} if before.get(key) != known.get(key)):
        told = "; ".join(f"{key}: {_short(before.get(key))} before, {_short(known.get(key))} now" for key in other)
        raise NotResumable(f"The run in {folder.parent} is another one ({told}). Give it the same, or another --out.")
    return folder


def _short(value: Any) -> str:
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else str(value)


def last(folder: Path) -> Path | None:
    """The latest checkpoint that is whole: one that was being written when the run was killed is not, and is removed."""
    for path in sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        try:
            json.loads((path / LAST_WRITTEN).read_text())
            return path
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    return None


def room(out: Path, needed: int) -> None:
    """`needed`: bytes. Raises NoRoom."""
    there = next(parent for parent in (out.absolute(), *out.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise NoRoom(f"{there} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed: two checkpoints and the"
                     " model. Make room, or name a folder on another disk with --out.")  # fmt: skip
