"""The questions that are kept apart, as folders that `manage.py evaluate` and `manage.py finetune` read: one for each kind."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from north.training.default.lists import Asked, Library, Passage, answers
from north.training.leaks import folded

MOST, LEAST = 150, 30
"""Questions of a kind."""
OTHERS = 6000
"""Passages that are learnt from, among which a kept one must be found."""
VERBATIM = {"sentence", "asked", "words", "natural"}
"""Kinds that repeat their passage's words: easy for BM25 as no real question is."""


def write(kept: Sequence[Asked], known: Library, folder: Path, seed: int) -> dict[str, int]:
    """How many questions there are in each folder. `-x`: asked in another language than English, answered in English."""
    kinds: dict[str, list[Asked]] = defaultdict(list)
    for each in kept:
        across = each.kind.endswith("-x")
        fits = not across or (known.passages[each.answer].english and not each.lang.startswith("en"))
        if fits and each.kind not in VERBATIM and not each.kind.startswith("path"):
            kinds[f"{known.passages[each.answer].source}-{each.kind}"].append(each)
    rng, true, counts = random.Random(seed), answers(kept), {}  # noqa: S311
    for name, asked in sorted(kinds.items()):
        if len(asked) >= LEAST:
            chosen = rng.sample(asked, min(MOST, len(asked)))
            _folder(folder / name, chosen, _pool(chosen, known, rng), true)
            counts[name] = len(chosen)
    return counts


def _pool(chosen: Sequence[Asked], known: Library, rng: random.Random) -> list[Passage]:
    """Of the answers' source and languages: all that are kept, and some of the others."""
    source = known.passages[chosen[0].answer].source
    langs = {known.passages[each.answer].lang.split("-")[0] for each in chosen}
    near = [one for one in known.passages.values() if one.source == source and one.lang.split("-")[0] in langs]
    kept, others = [one for one in near if known.kept(one.key)], [one for one in near if not known.kept(one.key)]
    return kept + rng.sample(others, min(OTHERS, len(others)))


def _folder(folder: Path, chosen: Sequence[Asked], pool: Sequence[Passage], true: dict[str, set[str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    there = {one.key for one in pool}
    corpus = ({"_id": one.key, "title": one.title, "text": one.text, "lang": one.lang} for one in pool)
    queries = ({"_id": str(number), "text": each.query, "lang": each.lang} for number, each in enumerate(chosen))
    for name, rows in (("corpus.jsonl", corpus), ("queries.jsonl", queries)):
        (folder / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    right = [(number, key) for number, each in enumerate(chosen) for key in sorted((true[folded(each.query)] | {each.answer}) & there)]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"{number}\t{key}\t1\n" for number, key in right))
