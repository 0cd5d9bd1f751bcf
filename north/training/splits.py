"""Keeps some examples apart, by which a run is judged and nothing is learnt. Pure.

Examples that share a question or an answering passage (folded) stay together, directly or over others: a model that has seen the passage
as an answer is not judged by another question to it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from north.training.errors import BadData
from north.training.examples import Example
from north.training.leaks import folded

LEAST = 20
"""Examples from which on there is something to learn, and some left to judge by."""


def split(examples: Sequence[Example], share: float, most: int, seed: int) -> tuple[list[Example], list[Example]]:
    """(learnt from, kept): about `share` of the examples are kept, `most` at most. What is learnt from has no kept answer as a negative
    either. The seed decides, not the order. Raises BadData where too few are left."""
    if len(examples) < LEAST:
        raise BadData(f"There are {len(examples)} examples. Fine-tuning needs {LEAST} at least, and some thousand to be worth it.")
    wanted = min(most, max(1, round(share * len(examples))))
    groups = _groups(examples)
    kept: set[int] = set()
    for group in sorted(groups, key=lambda group: _chance(examples[group[0]], seed)):
        if len(kept) + len(group) <= wanted:
            kept.update(group)
    if not kept:
        raise BadData("The examples hang together: nearly all share a question or a passage with others, so that none can be kept apart to"
                      " judge by. Give more that differ.")  # fmt: skip
    answers = frozenset(passage for at in kept for passage in examples[at].positives)
    return [one.without(answers) for at, one in enumerate(examples) if at not in kept], [examples[at] for at in sorted(kept)]


def _groups(examples: Sequence[Example]) -> list[list[int]]:
    """Each group's first example is the one whose question sorts first, so that the input's order is of no weight."""
    parent = list(range(len(examples)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    holder: dict[tuple[str, str], int] = {}
    for at, one in enumerate(examples):
        for key in (("question", folded(one.query)), *(("passage", folded(text)) for text in one.positives)):
            parent[root(at)] = root(holder.setdefault(key, at))
    found: dict[int, list[int]] = defaultdict(list)
    for at in range(len(examples)):
        found[root(at)].append(at)
    return [sorted(group, key=lambda at: (examples[at].query, examples[at].positives)) for group in found.values()]


def _chance(example: Example, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {example.query} {example.positives[0]}".encode(errors="replace")).digest()
