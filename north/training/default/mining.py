"""For each question the passages it is compared with, and what teachers think of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from north.training.default.lists import NAMED, Asked, Library, answers
from north.training.examples import Example
from north.training.leaks import folded
from north.training.vectors import Vectors, cosines, nearest

NEAR = 60
FROM, TO = 3, 40
"""Ranks from which hard negatives come: what stands before may well answer too."""
COPY = 0.96
"""The cosine from which on two passages are taken for the same."""
OTHERS = 11
"""Negatives of a question: up to 4 near ones, 4 with the same words, the rest by chance."""
SHARP, SHARP_ENGLISH = 0.025, 0.06
"""Temperatures that make the teachers' cosines logits."""
ENGLISH_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Mined:
    """`places`: (questions, 1 + OTHERS) rows of passages, the answer first; `scores` alike, the teachers' logits."""

    places: np.ndarray
    scores: np.ndarray


def mine(
    asked: Sequence[Asked], known: Library, encoder: Vectors, english: Vectors | None, *, seed: int, say: Callable[[str], None]
) -> Mined:
    keys = list(known.passages)
    texts = [known.passages[key].said(title=True, heading=False) for key in keys]
    passages, queries = encoder.passages(texts), encoder.queries([each.query for each in asked])
    say(f"{len(keys)} passages and {len(asked)} questions have vectors")
    near = _near(asked, known, queries, passages)
    places = _places(asked, known, near, passages, random.Random(seed))  # noqa: S311
    scores = _relative(cosines(queries, passages, places)) / SHARP
    if english:
        told = _relative(_english(asked, known, places, english, texts)) / SHARP_ENGLISH
        scores = np.where(np.isnan(told), scores, (1 - ENGLISH_SHARE) * scores + ENGLISH_SHARE * told)
        some = ~np.isnan(told)
        say(f"the English teacher knows {int(some[:, 0].sum())} questions and {int(some.sum())} of their {some[some[:, 0]].size} passages")
    return Mined(places.astype(np.int32), scores.astype(np.float32))


def _relative(cosines_: np.ndarray) -> np.ndarray:
    """To the answer's: what two teachers say of a list can then be mixed."""
    return cosines_ - cosines_[:, :1]


def _near(asked: Sequence[Asked], known: Library, queries: torch.Tensor, passages: torch.Tensor) -> np.ndarray:
    """(questions, NEAR) rows: of the passages in the answer's language, or for a third of the questions of all."""
    langs = np.array([passage.lang.split("-")[0] for passage in known.passages.values()])
    wanted = np.array([known.passages[each.answer].lang.split("-")[0] for each in asked])
    wanted[::3] = ""
    found = np.full((len(asked), NEAR), -1)
    for lang in sorted(set(wanted)):
        mine = np.flatnonzero(wanted == lang)
        theirs = np.flatnonzero(langs == lang) if lang else np.arange(len(langs))
        there = torch.from_numpy(theirs).to(passages.device)
        nearest_ = nearest(queries[torch.from_numpy(mine).to(queries.device)], passages[there], NEAR)
        found[mine, : nearest_.shape[1]] = theirs[nearest_]
    return found


def _places(asked: Sequence[Asked], known: Library, near: np.ndarray, passages: torch.Tensor, rng: random.Random) -> np.ndarray:
    keys = list(known.passages)
    rows = {key: row for row, key in enumerate(keys)}
    groups = [known.passages[key].group for key in keys]
    langs: dict[str, list[int]] = defaultdict(list)
    for key, row in rows.items():
        langs[known.passages[key].lang.split("-")[0]].append(row)
    true = answers(asked)
    first = np.array([rows[each.answer] for each in asked])
    alike = cosines(passages[torch.from_numpy(first).to(passages.device)], passages, near)
    found = np.full((len(asked), 1 + OTHERS), -1)
    for row, each in enumerate(asked):
        right = {groups[rows[key]] for key in true[folded(each.query)] if key in rows}
        hard = [int(at) for at, same in zip(near[row][FROM:TO], alike[row][FROM:TO], strict=True)
                if at >= 0 and same < COPY and groups[at] not in right]  # fmt: skip
        worded = [rows[key] for key in each.others if key in rows and groups[rows[key]] not in right]
        chosen = [*rng.sample(hard, min(4, len(hard))), *rng.sample(worded, min(4, len(worded)))]
        chosen = list(dict.fromkeys(chosen))
        mates = langs[known.passages[each.answer].lang.split("-")[0]]
        pools = [hard or mates, mates, range(len(keys))]
        for _ in range(20 * OTHERS):
            at = rng.choice(rng.choice(pools[:2]) if rng.random() < 0.9 else pools[2])
            if at not in chosen and groups[at] not in right:
                chosen.append(at)
            if len(chosen) >= OTHERS:
                break
        chosen += [-1] * (OTHERS - len(chosen))
        found[row] = [first[row], *chosen[:OTHERS]]
    return found


def _english(asked: Sequence[Asked], known: Library, places: np.ndarray, english: Vectors, texts: list[str]) -> np.ndarray:
    """The English teacher's cosines; NaN where a question, its answer or a passage has no English wording."""
    keys = list(known.passages)
    rows = {key: row for row, key in enumerate(keys)}
    twin = np.array([rows.get(known.english(key), -1) for key in keys])
    worded = np.where(places >= 0, twin[places], -1)
    able = np.array([bool(each.english) for each in asked]) & (worded[:, 0] >= 0)
    found = np.full(places.shape, np.nan, np.float32)
    if not able.any():
        return found
    needed = np.unique(worded[able][worded[able] >= 0])
    at = np.full(len(keys) + 1, -1)  # the last one for none
    at[needed] = np.arange(len(needed))
    queries = english([asked[row].english for row in np.flatnonzero(able).tolist()])
    found[able] = cosines(queries, english([texts[row] for row in needed]), at[worded[able]])
    return found


def examples(asked: Sequence[Asked], known: Library, mined: Mined, seed: int) -> list[Example]:
    """With titles before three of five lists' passages, and headings before some whose question is none."""
    rng = random.Random(seed)  # noqa: S311
    keys = list(known.passages)
    found = []
    for row, each in enumerate(asked):
        named = each.kind.removesuffix("-x") in NAMED
        title, heading = rng.random() < (0.3 if named else 0.6), not named and rng.random() < 0.4
        said = [known.passages[keys[at]].said(title=title, heading=heading) for at in mined.places[row] if at >= 0]
        scores = [float(score) for score in mined.scores[row]]
        answer, kept = said[0], [number for number in range(1, len(said)) if said[number] != said[0]]
        found.append(
            Example(each.query, (answer,), tuple(said[number] for number in kept), (scores[0], *(scores[number] for number in kept)))
        )
    return found


def save(mined: Mined, path: Path) -> None:
    np.savez(path, places=mined.places, scores=mined.scores)


def load(path: Path) -> Mined:
    with np.load(path) as arrays:
        return Mined(arrays["places"], arrays["scores"])
