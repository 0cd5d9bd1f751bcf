"""What rerankers are worth beside the first search: nDCG@10 on the open sets, and on kept questions what their logits count and how sure
they are (`retrieval/fusion.py: VERDICTS`). Documents as wholes, title before the text; the DEPTH best of the first search are judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from north.evaluation.folders import Folder, sampled
from north.training.default import packed
from north.training.default.mining import Encoder
from north.training.postings import Postings
from retrieval.fusion import SHRUNK, Verdict, weights_of
from retrieval.metrics import interval, ndcg
from retrieval.naming import names_of
from retrieval.reranking import linked
from retrieval.types import Passage

DEPTH, SHOWN = 50, 16
"""Candidates that are judged; of these so many are seen by people, and the calibration is fitted on them."""
QUESTIONS = 2415
"""Of a set, at most."""
BYTES = 8000
"""Of candidates with their questions that a processor judges by default."""
WAYS = ("bm25", "dense", "fused", "alone", "both", "both, 8 kB", "linked")
LOGITS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0)
RIDGE = 1e-3
"""By which the calibration is held back from where it would run off: of sets without a doubt."""
CAUTION = 0.8
"""Kept questions are like those that were learnt from, and others are not: so much of what is best for them is taken."""


@dataclass(frozen=True, slots=True)
class Found:
    """Of a set, by question: the rows of its candidates, best first, what the first search says of them (log-odds), and the tokens of
    their windows; and by way of ranking each question's nDCG@10."""

    folder: Folder
    keys: list[str]
    texts: list[str]
    rows: list[np.ndarray]
    scores: list[np.ndarray]
    cut: list[list[np.ndarray]]
    values: dict[str, list[float]]

    @property
    def judged(self) -> list[Mapping[str, float]]:
        return [self.folder.judged[key] for key in self.folder.questions]

    @property
    def asked(self) -> list[str]:
        return [one.text for one in self.folder.questions.values()]

    def value(self, rankings: Sequence[np.ndarray]) -> list[float]:
        return [ndcg([self.keys[at] for at in rows[:10]], judged) for rows, judged in zip(rankings, self.judged, strict=True)]


def first(folder: Folder, encoder: Encoder, seed: int) -> Found:
    """What each model is asked."""
    folder = sampled(folder, QUESTIONS, seed=seed)
    texts = ["\n".join(filter(None, (one.title, one.text))) for one in folder.documents.values()]
    asked, weights = [one.text for one in folder.questions.values()], weights_of(encoder.base.name)
    cosines = (encoder(encoder.base.query, asked) @ encoder(encoder.base.passage, texts).T).cpu().numpy()
    words = Postings(texts)
    rows, scores, bm25s = [], [], []
    for question, cosine in zip(asked, cosines, strict=True):
        bm25 = words(question)
        odds = weights.cosine * cosine + weights.words * bm25 + weights.offset
        rows.append(np.argsort(-odds, kind="stable")[:DEPTH])
        scores.append(odds[rows[-1]])
        bm25s.append(np.argsort(-bm25, kind="stable")[:10])
    cut = [encoder.tokens.pairs(question, texts[at]) for question, some in zip(asked, rows, strict=True) for at in some]
    found = Found(folder, list(folder.documents), texts, rows, scores, cut, {})
    for way, rankings in (("bm25", bm25s), ("dense", [np.argsort(-row, kind="stable")[:10] for row in cosines]), ("fused", rows)):
        found.values[way] = found.value(rankings)
    return found


def logits(one: Found, model: PreTrainedModel) -> list[np.ndarray]:
    """Of each question's candidates: the best of a document's windows."""
    starts = np.cumsum([0, *map(len, one.cut[:-1])])
    best = np.maximum.reduceat(packed.scored(model, [row for rows in one.cut for row in rows]), starts)
    return np.split(best.astype(np.float64), np.cumsum([len(rows) for rows in one.rows[:-1]]))


def last(one: Found, said: Sequence[np.ndarray], logit: float, size: int = 0) -> list[float]:
    """Each question's nDCG@10 of the final order; those that do not fit into `size` bytes are as good as the worst that was judged."""
    rankings = []
    for question, rows, scores, told in zip(one.asked, one.rows, one.scores, said, strict=True):
        count = len(rows)
        if size:
            lengths = np.cumsum([len(f"{question}{one.texts[at]}".encode(errors="replace")) for at in rows])
            count = max(1, int((lengths <= size).sum()))
        worth = scores + logit * np.concatenate([told[:count], np.full(len(rows) - count, told[:count].min())])
        rankings.append(rows[np.argsort(-worth, kind="stable")])
    return one.value(rankings)


def led(one: Found, said: Sequence[np.ndarray], how: Verdict) -> list[float]:
    """Each question's nDCG@10 of the final order, with what the best passages name."""
    rankings, places = [], {key: at for at, key in enumerate(one.keys)}
    names = [tuple(names_of("", text.title, "", "", text.text)) for text in one.folder.documents.values()]
    for question, rows, scores, told in zip(one.asked, one.rows, one.scores, said, strict=True):
        worth = how.worth(scores, told)
        odds = how.log_odds(worth, worth)
        found = [
            Passage(one.keys[at], "", 0, 0, 0, one.texts[at], 0.0, why={"final": final}, names=names[at])
            for at, final in zip(rows, odds.tolist(), strict=True)
        ]
        rankings.append(np.array([places[passage.document] for passage in linked(question, found)]))
    return one.value(rankings)


def measured(opened: Sequence[Found], kept: Sequence[Found], model: PreTrainedModel) -> dict[str, Any]:
    """`verdict`: fitted on the kept sets alone; `sets`: what comes of it on the open ones, in points, with the 95 % interval of the gain on
    fused; `grid`: each of LOGITS, on the means of both."""
    said = {id(one): logits(one, model) for one in (*opened, *kept)}
    grid = {str(logit): [_mean([_mean(last(one, said[id(one)], logit)) for one in some]) for some in (kept, opened)] for logit in LOGITS}
    verdict = calibrated(kept, [said[id(one)] for one in kept], CAUTION * max(LOGITS, key=lambda logit: grid[str(logit)][0]))
    sets: dict[str, dict[str, Any]] = {}
    for one in opened:
        ways = {**one.values, "alone": _alone(one, said[id(one)]), "both": last(one, said[id(one)], verdict.logit),
                "both, 8 kB": last(one, said[id(one)], verdict.logit, BYTES), "linked": led(one, said[id(one)], verdict)}  # fmt: skip
        gain = np.subtract(ways["linked"], ways["fused"])
        points = {way: 100 * _mean(values) for way, values in ways.items()}
        sets[one.folder.name] = {**points, "questions": len(gain), "gain": [100 * end for end in interval(gain.tolist())]}
    means = {way: _mean([one[way] for one in sets.values()]) for way in WAYS}
    return {"verdict": asdict(verdict), "sets": sets, "mean": means, "grid": grid}


def _alone(one: Found, said: Sequence[np.ndarray]) -> list[float]:
    return one.value([rows[np.argsort(-told, kind="stable")] for rows, told in zip(one.rows, said, strict=True)])


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def calibrated(kept: Sequence[Found], said: Sequence[Sequence[np.ndarray]], logit: float) -> Verdict:
    """Logistic regression (Newton's steps) of relevance on how far a candidate's worth is above the others' mean; each set counts alike."""
    worths = [[scores + logit * told for scores, told in zip(one.scores, some, strict=True)] for one, some in zip(kept, said, strict=True)]
    usual = _mean([_mean([_mean(each) for each in some]) for some in worths])
    above, right, weight = [], [], []
    for one, some in zip(kept, worths, strict=True):
        for rows, worth, judged in zip(one.rows, some, one.judged, strict=True):
            shown = np.argsort(-worth, kind="stable")[:SHOWN]
            above.append(worth[shown] - (worth.sum() + SHRUNK * usual) / (len(worth) + SHRUNK))
            right.append(np.array([judged.get(one.keys[rows[at]], 0) > 0 for at in shown], float))
            weight.append(np.full(len(shown), 1 / len(one.rows)))
    given, asked, counts = (np.concatenate(each) for each in (above, right, weight)) if above else (np.zeros(1),) * 3
    features, found = np.stack([given, np.ones_like(given)], axis=1), np.zeros(2)
    for _ in range(50):
        sure = 1 / (1 + np.exp(-features @ found))
        slope = features.T @ (counts * (sure - asked)) + RIDGE * found
        curve = (features * (counts * sure * (1 - sure))[:, None]).T @ features + RIDGE * np.eye(2)
        found = found - np.linalg.solve(curve, slope)
    return Verdict(round(logit, 3), round(float(found[0]), 3), round(float(found[1]), 3), round(usual, 3))


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: for each model its sets, in points."""
    lines = []
    for name, said in figures.items():
        head = f"| set (questions) | {' | '.join(WAYS)} | linked minus fused |"
        lines += [f"{name}: {said['verdict']}", "", head, "|---" * (len(WAYS) + 2) + "|"]
        for one, found in said["sets"].items():
            low, high = found["gain"]
            cells = " | ".join(f"{found[way]:.1f}" for way in WAYS)
            lines.append(f"| {one} ({found['questions']}) | {cells} | {found['linked'] - found['fused']:+.1f} ({low:.1f} to {high:.1f}) |")
        cells = " | ".join(f"{said['mean'][way]:.1f}" for way in WAYS)
        lines += [f"| mean | {cells} | {said['mean']['linked'] - said['mean']['fused']:+.1f} |", ""]
    return "\n".join(lines)
