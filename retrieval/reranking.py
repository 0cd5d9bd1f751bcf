"""Orders passages: a document is worth its best chunk. Pure; the model that judges, if there is one, is handed in.

Max-chunk scoring after Dai and Callan 2019, "Deeper Text Understanding for IR with Contextual Neural Language Modeling" (MaxP).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Literal

import numpy as np

from retrieval.chunking import shown
from retrieval.fusion import Verdict, for_names, probability
from retrieval.naming import said_in, told_in
from retrieval.similarity import Print, fingerprint, restates
from retrieval.types import Cut, Passage, Score

OLDEST = 0.7
"""What is left of a score, however old its document is."""
VERIFIED = 0.05
"""How far a verified document's score is raised, of what it lacks to 1."""
LISTED = 20
"""As many of those that gave way to a passage are named."""

NAMING, BEARERS = 3, 5
"""So many of the best passages tell which documents are meant, too; names that more of the documents found bear (a folder's, an author's)
tell none. Rules of thumb, not fitted."""
LINK = 1.5
"""What being named by a passage counts beside being named by the question: more, for the judge sees nothing of the question in what is
named. Chosen on half of a set of questions over several documents (from 1 to 2 it changes by 0.8 points of nDCG@10) and on kept ones in
one language and across (at 2 one loses 0.2)."""

BLEND = 0.8
"""What the first search counts beside a cross-encoder's 1, where the scale of its logits is not known. Alone it is often worse than what it
corrects."""


def judge(
    query: str, passages: Sequence[Passage], score: Score, how: Verdict | float = BLEND, *, first: int | None = None
) -> list[Passage]:
    """The passages, best first, with what the model and the first search together make of them: `how`, as the model's calibration says, or
    blended with so much of the first search. Only the `first` ones are judged; the others keep their places behind them.

    For a blend each of the two is taken in standard deviations from its mean over these passages, so that neither's scale matters; the sum
    is brought back to the mean and the deviation of `why["fused"]`, the log-odds. `why` gains the logit `rerank` and the log-odds `final`.
    Raises ValueError where the model gives something else than a number for each.
    """
    judged, rest = passages[:first], passages[len(passages[:first]) :]
    if not judged:
        return list(passages)
    logits = np.asarray(score(query, [shown(passage) for passage in judged]), dtype=np.float64)
    if logits.shape != (len(judged),) or not np.isfinite(logits).all():
        raise ValueError(f"{len(judged)} passages were judged with scores of shape {logits.shape}, or with some that are no number")
    fused = np.array([passage.why["fused"] for passage in judged])
    marked = [replace(one, why={**one.why, "rerank": float(logit)}) for one, logit in zip(judged, logits, strict=True)]
    if not isinstance(how, Verdict):
        final = fused.mean() + fused.std() * standard(standard(logits) + how * standard(fused))
        return [*_ranked(marked, final), *rest]
    worth = how.worth(fused, logits)
    as_the_worst = how.worth(np.array([passage.why["fused"] for passage in rest]), np.full(len(rest), logits.min()))
    return [*_ranked(marked, how.log_odds(worth, worth)), *_ranked(rest, how.log_odds(as_the_worst, worth))]


def linked(question: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages, best first, where one is worth more if another of the best NAMING names its document and the question does not; never
    more than the one that names it.

    Where a question leads over several documents, it names only the first: who asks for the tax in the town where a plant lies names the
    plant, and its document names the town. `why` gains `linked`, in log-odds, and `final` rises by it. What has no `final`, because a
    blend knows nothing of what is not judged, stays behind.
    """
    judged = sorted((one for one in passages if "final" in one.why), key=lambda passage: -passage.why["final"])
    borne = Counter(name for names in {one.document: one.names for one in judged}.values() for name in names)
    common = {name for name, bearers in borne.items() if bearers > BEARERS} | said_in(question)
    told = [(one.why["final"], told_in(one.text) - common - set(one.names)) for one in judged[:NAMING]]
    raised = [
        _raised(one, max(min(LINK * for_names(one.names, names), level - one.why["final"]) for level, names in told)) for one in judged
    ]
    return [*sorted(raised, key=lambda passage: -passage.why["final"]), *(one for one in passages if "final" not in one.why)]


def _raised(passage: Passage, more: float) -> Passage:
    if more <= 0:
        return passage
    final = passage.why["final"] + more
    return replace(passage, score=probability(final), why={**passage.why, "linked": more, "final": final})


def weighed_by(how: Verdict | float, times: float) -> Verdict | float:
    """The same with so many times the weight on the first search."""
    return replace(how, logit=how.logit / times) if isinstance(how, Verdict) else how * times


def _ranked(passages: Sequence[Passage], log_odds: np.ndarray) -> list[Passage]:
    """Best first."""
    found = [
        replace(one, score=probability(odds), why={**one.why, "final": float(odds)}) for one, odds in zip(passages, log_odds, strict=True)
    ]
    return sorted(found, key=lambda passage: -passage.why["final"])


def affordable(question: str, passages: Sequence[Passage], size: int) -> int:
    """How many of the passages, the first ones, a model reads in `size` bytes of UTF-8, the question counted with each; all where `size`
    is 0. Bytes, since four to five make a token in any script, where letters make one to five."""
    if not size:
        return len(passages)
    lengths = accumulate(len(f"{question}{shown(one)}".encode(errors="replace")) for one in passages)
    return min(len(passages), max(1, sum(length <= size for length in lengths)))


def standard(values: np.ndarray) -> np.ndarray:
    """In standard deviations from the mean; zeros where all are equal."""
    centred = values - values.mean()
    spread = np.sqrt(np.mean(centred**2))
    return centred / spread if spread > 1e-12 * (1 + np.abs(values).max()) else np.zeros(len(values))


def recency(age_days: float, half_life_days: float) -> float:
    """What a score is multiplied by: 1 for what is new, half-way to OLDEST after the half-life; 1 where there is no half-life."""
    if half_life_days <= 0:
        return 1.0
    return OLDEST + (1 - OLDEST) * 0.5 ** (max(0.0, age_days) / half_life_days)


def weighed(passages: Iterable[Passage]) -> list[Passage]:
    """The passages with what the rows know counted in: `why["recency"]` a factor, `why["verified"]` whether an owner vouches for it."""
    return [replace(one, score=_weighed(one)) if one.why.keys() & {"recency", "verified"} else one for one in passages]


def _weighed(passage: Passage) -> float:
    score = passage.score * passage.why.get("recency", 1.0)
    return score + VERIFIED * (1 - score) if passage.why.get("verified") else score


def best(passages: Iterable[Passage], *, limit: int, per_document: int = 3) -> list[Passage]:
    """The `limit` best passages, best first, at most `per_document` of one document, and none that nearly says again what a better one
    says; equals keep their order. What gave way while places were free is in the `cut` of what it gave way to (of a document, its best
    passage)."""
    kept: list[Passage] = []
    prints: list[Print] = []
    cuts: dict[int, list[Cut]] = {}
    taken: Counter[str] = Counter()
    for passage in sorted(newest(passages), key=lambda passage: -passage.score):
        if len(kept) >= limit:
            break
        look = fingerprint(passage.text)
        twin = next((number for number, other in enumerate(prints) if look.is_near(other)), None)
        if twin is not None:
            cuts.setdefault(twin, []).append(_cut(passage, "duplicate"))
        elif taken[passage.document] == per_document:
            first = next(number for number, other in enumerate(kept) if other.document == passage.document)
            cuts.setdefault(first, []).append(_cut(passage, "document"))
        else:
            taken[passage.document] += 1
            kept.append(passage)
            prints.append(look)
    return [replace(one, cut=(*one.cut, *cuts[number])[:LISTED]) if number in cuts else one for number, one in enumerate(kept)]


def newest(passages: Iterable[Passage]) -> list[Passage]:
    """Without those of older editions of a document that the newest restates: it takes their place, and names them in its `cut`. What only
    an older edition says stays."""
    found = list(passages)
    prints = {number: fingerprint(one.text) for number, one in enumerate(found) if one.edition}
    gone: set[int] = set()
    for number, look in prints.items():
        one = found[number]
        if one.document == one.edition:
            continue
        newer = (at for at in prints if found[at].document == one.edition and restates(look, prints[at]))
        if (at := next(newer, None)) is not None:
            gone.add(number)
            found[at] = replace(found[at], score=max(found[at].score, one.score), cut=(*found[at].cut, _cut(one, "duplicate"))[:LISTED])
    return [one for number, one in enumerate(found) if number not in gone]


def _cut(passage: Passage, reason: Literal["duplicate", "document"]) -> Cut:
    return Cut(passage.document, passage.name, passage.start, passage.end, passage.score, reason)


def by_document(passages: Iterable[Passage]) -> dict[str, list[Passage]]:
    """The passages of each document, best first; the documents in the order of their best passage."""
    found: dict[str, list[Passage]] = {}
    for passage in sorted(passages, key=lambda passage: -passage.score):
        found.setdefault(passage.document, []).append(passage)
    return found
