"""The fixed set of sets that every change of search is measured on: what they are, not where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from north.evaluation.folders import BrokenFolder, Folder, read


@dataclass(frozen=True, slots=True)
class Set:
    """`folder`: its name; the rest as `folders.read` has it. Between them they ask for single facts and for several documents, in one
    language and across, in scripts with and without spaces, in clean prose and in product help."""

    name: str
    folder: str
    qrels: str = ""
    corpus_language: str = ""
    not_language: str = ""


SETS = (
    Set("cranfield", "cranfield"),
    Set("jaquad-dev", "jaquad-dev"),
    Set("multihop-mini", "multihop-mini"),
    Set("xquad.to_en", "xquad", qrels="to_en", corpus_language="en", not_language="en"),
    Set("lohelp-open", "lohelp-open"),
)


def fixed(root: Path, names: Sequence[str] = ()) -> list[tuple[Set, Path]]:
    """Those of the sets that are named, or all, each with its folder below `root`. Raises BrokenFolder where one is not there."""
    unknown = set(names) - {one.name for one in SETS}
    if unknown:
        raise BrokenFolder(f"There is no set {', '.join(sorted(unknown))}. There are: {', '.join(one.name for one in SETS)}.")
    chosen = [(one, root / one.folder) for one in SETS if not names or one.name in names]
    if missing := [str(folder) for _, folder in chosen if not folder.is_dir()]:
        raise BrokenFolder(f"These folders are missing: {', '.join(missing)}. Unpack the sets, and say where: make eval DATA=FOLDER")
    return chosen


def opened(one: Set, folder: Path, *, limit: int | None, seed: int) -> Folder:
    found = read(folder, qrels=one.qrels, corpus_language=one.corpus_language, not_language=one.not_language, limit=limit, seed=seed)
    return replace(found, name=one.name)
