"""A measurement's work: each question of the golden set, asked of the workspace's own index with the rights of who asked it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from north import wiring
from north.documents import passages
from north.documents.models import Document
from north.documents.readers import scope_of
from north.evaluation import fitting
from north.evaluation.errors import NothingToAsk, Refused
from north.evaluation.measuring import Asked, Ways, documents, valued
from north.evaluation.models import WAYS, GoldenQuestion, Measurement, Outcome
from north.evaluation.reporting import commit, figures
from north.workspaces.access import enter
from retrieval.metrics import ndcg
from retrieval.retriever import Retriever
from retrieval.types import Scope, Score

HITS = 10
FIT_DEPTH = 30
"""Passages that each choice of weights orders: enough for ten documents."""


@dataclass(frozen=True, slots=True)
class Askable:
    """`judged`: the documents that answer it and that its asker may read now, with their grades."""

    question: GoldenQuestion
    scope: Scope
    judged: Mapping[str, int]


def carry_out(measurement: Measurement, watch: Callable[[], None]) -> None:
    """The leased measurement, from where an earlier attempt got. Raises `Stopped`, `LeaseLost`, what `askable` and `fitted` refuse, and
    what index and models raise."""
    fitting_weights = measurement.kind == Measurement.Kind.FIT
    measurement.write(
        status=Measurement.Status.RUNNING, started_at=measurement.started_at or timezone.now(), error="", **conditions(measurement)
    )
    found, left_out = askable(measurement.workspace_id)
    measurement.write(questions=len(found), left_out=left_out)
    if not found:
        raise NothingToAsk
    if fitting_weights and len(found) < fitting.FEWEST:
        raise too_few(len(found))
    ask = tried if fitting_weights else partial(measured, ways_of(measurement.workspace_id))
    done = set(measurement.outcomes.values_list("question", flat=True))
    for one in found:
        if one.question.pk not in done:
            watch()
            keep(measurement, one, *ask(one))
    outcomes = list(measurement.outcomes.filter(question__in=[one.question.pk for one in found]))
    if not outcomes:  # all were deleted meanwhile
        raise NothingToAsk
    told = fitted(outcomes) if fitting_weights else summed(outcomes)
    measurement.give_back(status=Measurement.Status.DONE, ended_at=timezone.now(), **told)


def keep(measurement: Measurement, one: Askable, values: Mapping[str, Any], hits: Sequence[str]) -> None:
    """Nothing where the question was deleted or reworded meanwhile."""
    if GoldenQuestion.objects.filter(pk=one.question.pk, digest=one.question.digest).exists():
        kept = {"judged": one.judged, "values": values, "hits": list(hits)}
        Outcome.objects.update_or_create(measurement=measurement, question=one.question, defaults=kept)


def conditions(measurement: Measurement) -> dict[str, Any]:
    """What the figures depend on, as it is now."""
    own = passages.weights_of(str(measurement.workspace_id)) if measurement.kind == Measurement.Kind.MEASURE else {}
    weights, blend = own.get("weights", passages.default_weights()), own.get("first", 1.0)
    ready = Document.objects.alive().filter(workspace=measurement.workspace_id).exclude(indexed_sha256="")
    return {
        "commit": commit(),
        "embed_model": wiring.model_name("embed"),
        "score_model": wiring.model_name("score") if settings.MODELS.get("score") else "",
        "weights": {**asdict(weights), "blend": blend, "own": bool(own)},
        "documents": ready.count(),
    }


def askable(workspace: UUID) -> tuple[list[Askable], dict[str, int]]:
    """The questions that can be asked, each with what its asker may read now; and how many cannot, by reason. Some three queries for each
    person who asked."""
    by_asker: dict[UUID, list[GoldenQuestion]] = {}
    for question in GoldenQuestion.objects.filter(workspace=workspace).select_related("asker").prefetch_related("answers"):
        by_asker.setdefault(question.asker_id, []).append(question)
    found: list[Askable] = []
    left_out: Counter[str] = Counter()
    for questions in by_asker.values():
        try:
            scope = scope_of(enter(questions[0].asker, pk=workspace))
        except Http404:
            left_out["left"] += len(questions)
            continue
        mine = list(judged(questions, scope))
        found += mine
        left_out["hidden"] += len(questions) - len(mine)
    return sorted(found, key=lambda one: str(one.question.pk)), {reason: count for reason, count in left_out.items() if count}


def judged(questions: Sequence[GoldenQuestion], scope: Scope) -> Iterator[Askable]:
    marked = {answer.document_id for question in questions for answer in question.answers.all()}
    rows = Document.objects.readable_by(scope.principals).filter(workspace=UUID(scope.workspace), pk__in=marked).exclude(indexed_sha256="")
    open_ones = set(rows.values_list("pk", flat=True))
    for question in questions:
        grades = {str(one.document_id): one.grade for one in question.answers.all() if one.document_id in open_ones}
        if grades:
            yield Askable(question, scope, grades)


# --- measuring ----------------------------------------------------------------------------------------------------------------------
def ways_of(workspace: UUID) -> Ways:
    own = passages.weights_of(str(workspace))
    return Ways(
        wiring.index(),
        wiring.embedder().embed_queries,
        passages.recheck,
        unhurried if settings.MODELS.get("score") else None,
        verdict=wiring.verdict(),
        judged_bytes=settings.RERANK_BYTES,
        weights=own.get("weights"),
        first=own.get("first", 1.0),
    )


def unhurried(question: str, texts: Sequence[str]) -> Sequence[float]:
    """The model that judges, after those for whom a person waits."""
    return wiring.scorer()(question, texts, hurry=False)


def measured(ways: Ways, one: Askable) -> tuple[dict[str, Any], list[str]]:
    rankings = ways.rankings(one.question.text, one.scope)
    return valued(rankings, one.judged), rankings[last_of(rankings)][:HITS]


def last_of(ways: Mapping[str, object]) -> str:
    """The way that people's searches go."""
    return [way for way in WAYS if way in ways][-1]


def summed(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    asked = [Asked(str(one.question_id), "", one.values) for one in outcomes]
    return {"questions": len(asked), "figures": {way: figures(asked, way) for way in WAYS if all(way in one.values for one in asked)}}


# --- fitting ------------------------------------------------------------------------------------------------------------------------
def tried(one: Askable) -> tuple[dict[str, float], list[str]]:
    """nDCG@10 of each choice, by the search itself; what does not depend on the choice is computed once."""
    judge = remembered(unhurried) if settings.MODELS.get("score") else None
    vectors = remembered_vectors()
    search = Retriever(
        wiring.index(),
        embed_query=vectors,
        embed_passages=vectors,
        recheck=passages.recheck,
        score=judge,
        verdict=wiring.verdict(),
        judged_bytes=settings.RERANK_BYTES,
    ).search
    values = {}
    for words, blend in fitting.choices(bool(judge)):
        weights = replace(passages.default_weights(), words=passages.default_weights().words * words)
        found = search(one.question.text, one.scope, FIT_DEPTH, weights=weights, first=blend)
        values[f"{words:g} {blend:g}"] = ndcg(documents(found), one.judged)
    return values, []


def remembered(score: Score) -> Score:
    """Each text is judged once."""
    known: dict[str, float] = {}

    def judge(question: str, texts: Sequence[str]) -> Sequence[float]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, score(question, new) if new else [], strict=True))
        return [known[text] for text in texts]

    return judge


def remembered_vectors() -> Callable[[Sequence[str]], Any]:
    """Each text is embedded once."""
    known: dict[tuple[str, ...], Any] = {}

    def embed(texts: Sequence[str]) -> Any:
        key = tuple(texts)
        if key not in known:
            known[key] = wiring.embedder().embed_queries(texts)
        return known[key]

    return embed


def fitted(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    table = {str(one.question_id): {choice_of(key): value for key, value in one.values.items()} for one in outcomes}
    if len(table) < fitting.FEWEST:
        raise too_few(len(table))
    found = fitting.fit(table)
    default = passages.default_weights()
    weights = {**asdict(replace(default, words=default.words * found.words)), "blend": found.blend}
    return {"questions": len(table), "weights": {**weights, "own": True}, "figures": {**asdict(found), "better": found.better}}


def choice_of(key: str) -> fitting.Choice:
    words, blend = map(float, key.split())
    return words, blend


def too_few(count: int) -> Refused:
    said = _("Weights are fitted from %(least)d questions on; %(count)d can be asked. Fewer would fit chance. Mark more answers.")
    return Refused(said % {"least": fitting.FEWEST, "count": count})
