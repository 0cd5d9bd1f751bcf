"""Which questions a person is asked to mark: of their own threads, and of the golden set as far as they may see it, those whose evidence is
nearest to the threshold first. Passages are shown as far as they may be read now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from north.documents.models import Document
from north.documents.readers import scope_of
from north.evaluation import thresholds
from north.evaluation.models import EvidenceMark, GoldenQuestion, Measurement, Outcome, digest
from north.threads.models import Run, Step
from north.workspaces.models import Membership
from retrieval.questions import cleaned

LOOKED_AT = 300
"""Questions of each origin, the newest."""
TRIED = 40
"""Proposals that are looked at for some that may still be read."""
UNCERTAIN = 0.5
"""About which evidence is asked where there is no threshold yet."""
QUOTED = 900


@dataclass(frozen=True, slots=True)
class Quote:
    document: UUID
    name: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """`id`: of the run or the golden question."""

    id: UUID
    question: str
    evidence: float
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    id: UUID
    question: str
    evidence: float
    places: Sequence[Mapping[str, Any]]


def proposals(membership: Membership, limit: int) -> list[Proposal]:
    """Those of which this person said nothing yet, with at least one passage that they may read."""
    marks = EvidenceMark.objects.filter(workspace=membership.workspace_id, marked_by=membership.user_id)
    said = set(marks.filter(score_model=thresholds.judge_name()).values_list("digest", flat=True))
    middle = thresholds.refuses_below(membership.workspace_id) or UNCERTAIN
    open_ones = {digest(cleaned(one.question)): one for one in candidates(membership)}
    nearest = sorted((one for key, one in open_ones.items() if key not in said), key=lambda one: abs(one.evidence - middle))
    shown = (proposal for one in nearest[:TRIED] if (proposal := quoted(one, membership)))
    return list(islice(shown, limit))


def one_of(membership: Membership, id: UUID) -> Candidate | None:
    """What may be marked under this id."""
    found = [one for one in candidates(membership) if one.id == id]
    return found[-1] if found else None


def candidates(membership: Membership) -> Iterator[Candidate]:
    yield from of_golden_set(membership)
    yield from of_threads(membership)


def of_threads(membership: Membership) -> Iterator[Candidate]:
    """The person's own questions, oldest first."""
    steps = Step.objects.filter(run__in=Run.objects.of(membership), kind="read", detail__has_key="evidence").select_related("run")
    for step in list(steps.order_by("-started_at")[:LOOKED_AT])[::-1]:
        if step.detail["judge"] == thresholds.judge_name():
            yield Candidate(step.run_id, step.detail["asked"], step.detail["evidence"], step.detail.get("passages", []))


def of_golden_set(membership: Membership) -> Iterator[Candidate]:
    """Of the last measurement: an owner's all, others' own."""
    rows = GoldenQuestion.objects.filter(workspace=membership.workspace_id)
    rows = rows if membership.is_owner else rows.filter(asker=membership.user_id)
    measured = Measurement.objects.filter(workspace=membership.workspace_id, score_model=thresholds.judge_name())
    last = measured.filter(kind=Measurement.Kind.MEASURE).first()
    outcomes = Outcome.objects.filter(measurement=last, question__in=rows, evidence__isnull=False).select_related("question")
    for one in outcomes[:LOOKED_AT] if last else []:
        yield Candidate(one.question_id, one.question.text, one.evidence or 0.0, one.shown)


def quoted(one: Candidate, membership: Membership) -> Proposal | None:
    """With the words as the documents hold them now; None where nothing of it may be read any more."""
    wanted = {str(place["document"]) for place in one.places}
    rows = Document.objects.in_scope(scope_of(membership)).filter(pk__in=wanted).only("pk", "name", "text")
    known = {str(row.pk): row for row in rows}
    quotes = tuple(quote(known[str(place["document"])], place) for place in one.places if str(place["document"]) in known)
    return Proposal(one.id, one.question, one.evidence, quotes) if quotes else None


def quote(document: Document, place: Mapping[str, Any]) -> Quote:
    return Quote(document.pk, document.name, place["start"], place["end"], document.text[place["start"] : place["end"]][:QUOTED])
