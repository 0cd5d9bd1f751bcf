"""From a folder of examples to what is learnt from and what is judged by: read, refused where it leaks, parted. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from north.evaluation.folders import BrokenFolder, Folder
from north.evaluation.folders import read as read_folder
from north.training import examples, leaks
from north.training.errors import BadData
from north.training.examples import Example
from north.training.plans import Plan
from north.training.splits import split


@dataclass(frozen=True, slots=True)
class Prepared:
    """`learnt` may hold negatives from `pool` only; `kept` is the development set; `evaluations` are other sets to be judged by. `facts`:
    what a card says of the data."""

    learnt: Sequence[Example]
    kept: Sequence[Example]
    pool: Sequence[str]
    evaluations: Sequence[Folder]
    sha256: str
    facts: Mapping[str, Any]


def evaluation(given: str) -> Folder:
    """FOLDER, or FOLDER:NAME for its qrels.NAME.tsv. Raises BadData."""
    folder, _, qrels = given.partition(":")
    try:
        return read_folder(Path(folder).expanduser(), qrels=qrels)
    except BrokenFolder as error:
        raise BadData(f"An evaluation set cannot be used: {error}") from error


def prepare(
    path: Path, plan: Plan, *, qrels: str = "", evaluations: Sequence[str] = (), licence: str = "", say: Callable[[str], object]
) -> Prepared:
    """Raises BadData, Leak."""
    path = path.expanduser()
    if not path.exists():
        raise BadData(f"{path} does not exist.")
    folders = [evaluation(one) for one in evaluations]
    data = examples.read(path, qrels=qrels)
    against = leaks.judged(folders)
    leaks.refuse(data.examples, against)
    learnt, kept = split(data.examples, plan.dev_share, plan.dev_most, plan.seed)
    answers = {text for one in kept for text in one.positives}
    pool = [text for text in data.pool if text not in answers and not against.passage(text)]
    say(f"{len(learnt):,} examples to learn from and {len(kept):,} kept to judge by, {len(pool):,} passages")
    facts = {
        "from": f"{path.resolve().name}{f' (qrels.{qrels}.tsv)' if qrels else ''}", "licence": licence or "not said",
        "examples": len(data.examples), "learnt from": len(learnt), "kept to judge by": len(kept), "passages": len(data.pool),
        "sha256": data.sha256,
        "checked for leaks against": ", ".join(folder.name for folder in folders) or "the development set alone",
    }  # fmt: skip
    return Prepared(learnt, kept, pool, folders, data.sha256, facts)
