"""For each question the passages it is compared with, and what teachers think of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from north.training.bases import Base
from north.training.default import packed
from north.training.default.lists import NAMED, Asked, Library, answers
from north.training.default.tokens import Tokens
from north.training.examples import Example
from north.training.leaks import folded
from north.training.models import encoder
from north.training.vectors import cosines, nearest
from retrieval.fusion import weights_of

NEAR = 60
FROM, TO = 3, 40
"""Ranks from which hard negatives come: what stands before may well answer too."""
COPY = 0.96
"""The cosine from which on two passages are taken for the same."""
OTHERS = 11
"""Negatives of a question: up to 4 near ones, 4 with the same words, the rest by chance."""
SHARP_ENGLISH = 0.06
"""The temperature that makes the English teacher's cosines logits."""
ENGLISH_SHARE = 0.4
NATURAL_TOLD, WRITTEN_TOLD = 0.4, 0.6
"""Of the questions that people asked and of those that a chat model wrote, how many are learnt with the teachers' word: the answers of the
first are right, the teachers not always."""
REACHED = 20
"""A written question is learnt from if its passage is among so many nearest to it, of those in the passage's language."""
K1, B = 1.2, 0.75
AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Mined:
    """`places`: (questions, 1 + OTHERS) rows of passages, the answer first, -1 for none; `scores` alike, the teachers' logits. Without an
    answer: a written question that may be about anything; nothing is learnt from it."""

    places: np.ndarray
    scores: np.ndarray


class Encoder:
    """`prefix + text` -> float32 (texts, size) on its device, rows of length 1."""

    def __init__(self, base: Base, tokens: Tokens) -> None:
        on_gpu = torch.cuda.is_available()
        self.base, self.tokens = base, tokens
        self.model = packed.ready(encoder(base).to("cuda" if on_gpu else "cpu", torch.float16 if on_gpu else torch.float32).eval())

    def __call__(self, prefix: str, texts: Sequence[str]) -> torch.Tensor:
        self.tokens.learn([prefix.strip(), *texts])
        return packed.embedded(self.model, [self.tokens.one(prefix, text, self.base.context) for text in texts])


def mine(
    asked: Sequence[Asked], known: Library, first: Encoder, english: Encoder | None, *, seed: int, say: Callable[[str], None]
) -> Mined:
    """The teachers' word: what the first search says of a passage (its vectors' cosine and BM25, weighed as North weighs them), and, where
    question and passage have an English wording, that of an encoder of English."""
    keys = list(known.passages)
    texts = [known.passages[key].said(title=True, heading=False) for key in keys]
    passages = first(first.base.passage, texts)
    say(f"{len(keys)} passages have vectors")
    queries = first(first.base.query, [each.query for each in asked])
    say(f"{len(asked)} questions have vectors")
    near = _near(asked, known, queries, passages)
    places = _places(asked, known, near, passages, random.Random(seed))  # noqa: S311
    say("found what they are compared with")
    weights = weights_of(first.base.name)
    words = bm25([first.tokens(each.query) for each in asked], [first.tokens(text) for text in texts], places, passages.device)
    scores = _relative(weights.cosine * cosines(queries, passages, places) + weights.words * words)
    if english:
        told = _relative(_english(asked, known, places, english, texts)) / SHARP_ENGLISH
        some = ~np.isnan(told)
        scores = np.where(some, (1 - ENGLISH_SHARE) * scores + ENGLISH_SHARE * told, scores)
        say(f"the English teacher knows {int(some[:, 0].sum())} questions and {int(some.sum())} of their {some[some[:, 0]].size} passages")
    return Mined(places.astype(np.int32), scores.astype(np.float32))


@torch.inference_mode()
def bm25(queries: Sequence[np.ndarray], passages: Sequence[np.ndarray], places: np.ndarray, device: torch.device) -> np.ndarray:
    """float32 (questions, columns): of the passages at `places`, over word pieces, with Lucene's inverse document frequency; NaN for -1."""
    held, asked = _filled(passages, 512, device), _filled(queries, 48, device)
    frequency = np.zeros(1 + max(int(ids.max(initial=0)) for ids in (*passages, *queries)))
    for ids in passages:
        frequency[np.unique(ids)] += 1
    idf = torch.from_numpy(np.log(1 + (len(passages) - frequency + 0.5) / (frequency + 0.5))).float().to(device)
    lengths = torch.tensor([len(ids) for ids in passages], device=device).float()
    damped = K1 * (1 - B + B * lengths / lengths.mean())
    found = np.full(places.shape, np.nan, np.float32)
    for start in range(0, len(places), AT_ONCE):
        at, words = torch.from_numpy(places[start : start + AT_ONCE]).to(device), asked[start : start + AT_ONCE]
        there = held[at.clamp(min=0)]
        counts = torch.stack([(there == words[:, number, None, None]).sum(2) for number in range(words.shape[1])], dim=2).float()
        worth = idf[words.clamp(min=0)] * (words >= 0)
        scores = (worth[:, None] * counts * (K1 + 1) / (counts + damped[at.clamp(min=0)][:, :, None])).sum(2)
        found[start : start + AT_ONCE] = torch.where(at >= 0, scores, torch.nan).cpu().numpy()
    return found


def _filled(rows: Sequence[np.ndarray], most: int, device: torch.device) -> torch.Tensor:
    """int32 (rows, longest), -1 where there is nothing."""
    made = np.full((len(rows), min(most, max(map(len, rows)))), -1, np.int32)
    for row, ids in enumerate(rows):
        made[row, : len(ids[:most])] = ids[:most]
    return torch.from_numpy(made).to(device)


def _relative(cosines_: np.ndarray) -> np.ndarray:
    """To the answer's: what two teachers say of a list can then be mixed."""
    return cosines_ - cosines_[:, :1]


def _near(asked: Sequence[Asked], known: Library, queries: torch.Tensor, passages: torch.Tensor) -> np.ndarray:
    """(questions, NEAR) rows: of the passages in the answer's language, or for a third of the questions of all."""
    langs = np.array([passage.lang.split("-")[0] for passage in known.passages.values()])
    own = np.array([known.passages[each.answer].lang.split("-")[0] for each in asked])
    wanted = own.copy()
    wanted[::3] = ""
    wanted = np.where([each.written for each in asked], own, wanted)
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
        reached = not each.written or first[row] in near[row][:REACHED]
        found[row] = [first[row] if reached else -1, *chosen[:OTHERS]]
    return found


def _english(asked: Sequence[Asked], known: Library, places: np.ndarray, english: Encoder, texts: list[str]) -> np.ndarray:
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
    queries = english("", [asked[row].english for row in np.flatnonzero(able).tolist()])
    found[able] = cosines(queries, english("", [texts[row] for row in needed]), at[worded[able]])
    return found


def examples(asked: Sequence[Asked], known: Library, mined: Mined, seed: int, *, made: float = 1.0) -> list[Example]:
    """With titles before three of five lists' passages, and headings before some whose question is none. What people asked or a model
    wrote, twice; of what was made by rule or came from headings, the share `made`."""
    rng = random.Random(seed)  # noqa: S311
    keys = list(known.passages)
    said = cache(lambda at, title, heading: known.passages[keys[at]].said(title=title, heading=heading))
    found = []
    for row, each in enumerate(asked):
        if mined.places[row][0] < 0:
            continue
        natural, named = each.kind == "question", each.kind.removesuffix("-x") in NAMED
        if not (natural or each.written or rng.random() < made):
            continue
        share = NATURAL_TOLD if natural else WRITTEN_TOLD if each.written else 1.0
        for _ in range(1 + (natural or each.written)):
            title, heading = rng.random() < (0.3 if named else 0.6), not named and rng.random() < 0.4
            texts = [said(int(at), title, heading) for at in mined.places[row] if at >= 0]
            others = [number for number in range(1, len(texts)) if texts[number] != texts[0]]
            told = rng.random() < share
            scores = tuple(float(mined.scores[row][number]) for number in (0, *others)) if told else ()
            found.append(Example(each.query, (texts[0],), tuple(texts[number] for number in others), scores))
    return found


def save(mined: Mined, path: Path) -> None:
    np.savez(path, places=mined.places, scores=mined.scores)


def load(path: Path) -> Mined:
    with np.load(path) as arrays:
        return Mined(arrays["places"], arrays["scores"])
