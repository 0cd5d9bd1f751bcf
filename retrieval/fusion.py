"""Weighs how near a passage is in meaning against how much of the question's words it holds. Pure; knows no index and no model.

The weighted sum of the raw scores, cosine and BM25 (Wang, Zhuang and Zuccon 2021, "BERT-based Dense Retrievers Require Interpolation with
BM25 for Effective Passage Retrieval"). Ranks alone do not say how sure a search is: where question and text differ in language hardly a
word is shared, BM25's scores are small, and so they hardly count; its ranks would count as always.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from retrieval.naming import words_named


@dataclass(frozen=True, slots=True)
class Weights:
    """A passage's log-odds of being relevant: `cosine` times its cosine, `words` times its BM25 score, plus `offset`.

    How much a difference of cosines says is the embedding model's own, so the weights are, too.
    """

    cosine: float
    words: float
    offset: float

    def log_odds(self, cosine: float, words: float) -> float:
        return self.cosine * cosine + self.words * words + self.offset


FAMILIES = {"multilingual-e5": Weights(31.3, 31.3 / 600, -31.3), "all-minilm": Weights(10.3, 10.3 / 120, -8.2)}
"""By how an embedding model's name begins. Fitted on parts of training sets: headings and index terms to their help sections in 30
languages, the same to English texts, Japanese questions, sentences to the passages they were taken from (MiniLM: the English of them).
words to cosine: the best of a grid for nDCG@10; the rest: logistic regression over the candidates, each set with the same weight."""
DEFAULT = FAMILIES["all-minilm"]
"""Most models learn with a temperature near MiniLM's 0.05; E5's 0.01 packs its cosines closely."""
LEXICAL = Weights(0.0, 0.071, -5.6)
"""Where words alone are searched; fitted in the same way."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a cross-encoder's logits count beside the first search. A passage's worth is the first search's log-odds plus `logit` times its
    logit; its log-odds of being relevant are `scale` times what its worth is above the others' mean, plus `offset`.

    Above the mean, since how near texts are and how many words they share depends on their languages and on how they are written, far more
    than on whether one answers the other. To few others SHRUNK are added, of the worth that is `usual`.
    """

    logit: float
    scale: float
    offset: float
    usual: float

    def worth(self, fused: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return fused + self.logit * logits

    def log_odds(self, worth: np.ndarray, others: np.ndarray) -> np.ndarray:
        mean = (others.sum() + SHRUNK * self.usual) / (len(others) + SHRUNK)
        return self.scale * (worth - mean) + self.offset


SHRUNK = 3
VERDICTS = {
    "north-reranker-12": Verdict(logit=1.0, scale=0.825, offset=-4.946, usual=-7.762),
    "north-reranker-6": Verdict(logit=0.4, scale=1.761, offset=-4.143, usual=-6.625),
}
"""By how a cross-encoder's name begins. Fitted for multilingual-e5-small's log-odds on questions that no training saw, by the recipe's
stage `measure`: headings, index terms and titles to their sections in 30 languages and across, Japanese questions, and such as a chat model
wrote. `logit`: nDCG@10 is best at 1.25 there; such questions are like those that the model was trained on, and others are not, so a little
less was taken. The rest: logistic regression over the 16 best of the first search, each set with the same weight. The smaller model's were
fitted on 200 of these questions, among 80 passages, in 8 bits, but for 0.4, for which its card gives the reason."""


def verdict_of(model: str) -> Verdict | None:
    """None for a model whose logits were not calibrated."""
    return next((verdict for family, verdict in VERDICTS.items() if model.startswith(family)), None)


NAMED, MOST_NAMED = 1.0, 3
"""What each word of the question that names a passage's document adds to its log-odds, and how many of them count."""


def for_names(names: Collection[str], said: Collection[str]) -> float:
    """What a passage's log-odds gain where the question says what its document is called. `said`: all names that the question may say."""
    return NAMED * min(words_named(names, said), MOST_NAMED)


PEERS, TIMES, PLACE = 5, 1.5, 3
"""By words stands out who has TIMES the BM25 score of the one after the best PEERS, and half of the best's. Rules of thumb, not fitted."""


def lifted(log_odds: Sequence[float], words: Sequence[float]) -> list[float]:
    """The log-odds of passages, where those that stand out by their words (BM25, 0 for none) are worth at least as much as the PLACE-th.

    A number, a name or a code that hardly any other passage holds: who asks for it wants that passage, and a model knows nothing of it.
    """
    ranked = sorted(words, reverse=True)
    floor = max(ranked[PEERS] * TIMES if len(ranked) > PEERS else 0.0, ranked[0] / 2 if ranked else 0.0)
    level = sorted(log_odds, reverse=True)[:PLACE][-1] if log_odds else 0.0
    return [max(odds, level) if worth > 0 and worth >= floor else odds for odds, worth in zip(log_odds, words, strict=True)]


def weights_of(model: str) -> Weights:
    return next((weights for family, weights in FAMILIES.items() if model.startswith(family)), DEFAULT)


def probability(log_odds: float) -> float:
    """Of log-odds: the logistic function."""
    return 1 / (1 + exp(-log_odds)) if log_odds > -500 else 0.0
