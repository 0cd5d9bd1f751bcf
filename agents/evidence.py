"""How sure it is that passages hold the answer to a question: one number from 0 to 1, by another model than the one that answers, so that a
workspace can say below which it is refused. Knows nothing of how that was chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agents.context import Context, Judge
from agents.tool import Tally
from retrieval.types import Passage

JUDGED = 4
"""Passages that are judged, the best first: a judge reads some 25 of 250 tokens a second and core."""
UNKNOWN = "No model could say how well the passages fit the question, so the threshold was not asked."


def evidence_of(question: str, passages: Sequence[Passage], judge: Judge | None) -> float | None:
    """Of the best passage, each judged by its own words under its heading; None where no model can say."""
    if not passages or judge is None:
        return 0.0 if judge else None
    logits = judge(question, [read_as(passage) for passage in passages[:JUDGED]])
    return round(1 / (1 + math.exp(-max(-30.0, *logits))), 3) if logits is not None else None


def read_as(passage: Passage) -> str:
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def suffices(question: str, passages: Sequence[Passage], context: Context, step: Tally) -> bool:
    """Whether there is evidence enough to ask the chat model at all; what was found and asked for stands in the step."""
    evidence = evidence_of(question, passages, context.judge)
    if evidence is None:
        if context.refuses_below:
            step.detail["note"] = UNKNOWN
        return True
    step.detail |= {"evidence": evidence, "threshold": context.refuses_below, "judge": context.judged_by, "asked": question}
    if evidence >= context.refuses_below:
        return True
    step.detail["note"] = f"Not answered from this: the best evidence, {evidence:.2f}, is below the threshold, {context.refuses_below:.2f}."
    return False
