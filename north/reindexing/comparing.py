"""Two indexes side by side, before one takes the other's place: do both hold what the rows say, and do they find the same, or better?

What is asked: the workspaces' golden questions, each with its asker's rights; and sentences drawn by lot from documents, which should find
the document that they are from. Only numbers come out, so nobody reads here what is not theirs.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from north import wiring
from north.documents import passages
from north.documents.models import Copy, Document, Principal
from north.documents.reconciling import compare_copies
from north.evaluation.asking import askable
from north.evaluation.measuring import documents
from north.evaluation.models import GoldenQuestion
from north.indexes.models import Generation
from retrieval.metrics import ndcg
from retrieval.types import Passage, Scope

DEPTH = 10
SAMPLE = 50
GOLDEN = 500
"""Golden questions that are asked, at most."""
SENTENCE = re.compile(r"[^.!?\n]{40,300}")
WORSE_GOLDEN, WORSE_FOUND = 0.03, 0.1
"""So much less nDCG@10, or so much less often the sentence's own document among ten, and nobody swaps but a person."""

Search = Callable[[str, Scope], Sequence[Passage]]


@dataclass(frozen=True)
class Sampled:
    text: str
    document: str
    scope: Scope


def compared(new: Generation, watch: Callable[[], None]) -> dict[str, Any]:
    """What stands in `Generation.figures`. `watch` is called between two questions. Raises what models and indexes raise."""
    old = wiring.serving()
    searches = search_of(old), search_of(new)
    counts = counted(old, new)
    found = counts | {"sample": asked(searches, watch), "golden": golden(searches, watch), "beside": old.collection, "model": old.model}
    return found | {"against": against(found)}


def counted(old: Generation, new: Generation) -> dict[str, Any]:
    """What each index holds, and `wrong`: how many documents of the new one were another than the rows say, and are brought there again."""
    held: dict[str, dict[str, int]] = {"old": {"documents": 0, "chunks": 0}, "new": {"documents": 0, "chunks": 0}}
    wrong = 0
    for workspace in workspaces():
        difference = compare_copies(workspace, new)
        wrong += difference.lost + difference.orphans
        for name, generation in (("old", old), ("new", new)):
            found = wiring.index(of=generation).counts(str(workspace))
            held[name]["documents"] += len(found)
            held[name]["chunks"] += sum(found.values())
    rows = Copy.objects.filter(generation=new, document__deleted_at=None)
    return {**held, "rows": rows.count(), "wrong": wrong}


def workspaces() -> list[UUID]:
    return list(Document.objects.order_by().values_list("workspace", flat=True).distinct())


def search_of(generation: Generation) -> Search:
    """As people search, before any passage is judged: the judge is the same for both."""
    retriever = wiring.retriever(passages.recheck, of=generation)
    return lambda text, scope: retriever.search(text, scope, DEPTH, by="meaning" if settings.MODELS.get("score") else "all")


def asked(searches: tuple[Search, Search], watch: Callable[[], None]) -> dict[str, Any]:
    """`overlap`: the share of the ten nearest documents that both find; `found`: how often the one that the sentence is from is among
    them."""
    overlaps, found_old, found_new = [], [], []
    for one in sampled():
        watch()
        old, new = (list(dict.fromkeys(passage.document for passage in search(one.text, one.scope))) for search in searches)
        overlaps.append(len(set(old) & set(new)) / max(len(old), len(new), 1))
        found_old.append(one.document in old)
        found_new.append(one.document in new)
    if not overlaps:
        return {"questions": 0}
    return {"questions": len(overlaps), "overlap": fmean(overlaps), "found_old": fmean(found_old), "found_new": fmean(found_new)}


def sampled(number: int = SAMPLE) -> Iterator[Sampled]:
    """The same documents for the same rows, so that a comparison can be made again."""
    keys = list(Document.objects.alive().exclude(indexed_sha256="").order_by("pk").values_list("pk", flat=True))
    lot = random.Random(len(keys))  # noqa: S311
    for pk in lot.sample(keys, min(number, len(keys))):
        document = Document.objects.filter(pk=pk).first()
        readers = frozenset(Principal.objects.filter(document=pk).values_list("value", flat=True))
        sentences = SENTENCE.findall(document.text[:100_000]) if document else []
        if document and sentences and readers:
            yield Sampled(lot.choice(sentences).strip(), str(pk), Scope(str(document.workspace_id), readers))


def golden(searches: tuple[Search, Search], watch: Callable[[], None]) -> dict[str, Any]:
    """nDCG@10 of both over the golden questions that can be asked."""
    values: tuple[list[float], list[float]] = ([], [])
    for workspace in GoldenQuestion.objects.order_by().values_list("workspace", flat=True).distinct():
        for one in askable(workspace)[0][: GOLDEN - len(values[0])]:
            watch()
            for search, kept in zip(searches, values, strict=True):
                kept.append(ndcg(documents(search(one.question.text, one.scope)), one.judged))
    return {"questions": len(values[0])} | ({"old": fmean(values[0]), "new": fmean(values[1])} if values[0] else {})


def against(figures: dict[str, Any]) -> str:
    """What speaks against swapping without a person's word; empty where nothing does."""
    golden, sample = figures.get("golden", {}), figures.get("sample", {})
    if golden.get("questions") and golden["new"] < golden["old"] - WORSE_GOLDEN:
        return _("It answers the golden questions worse than the old one.")
    if sample.get("questions") and sample["found_new"] < sample["found_old"] - WORSE_FOUND:
        return _("It finds the documents of the sample less often than the old one.")
    return ""
