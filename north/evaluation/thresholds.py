"""Below which evidence a workspace refuses: what people marked, and the threshold that an owner took over. Rows and their audit event in
one transaction; the audit log names no question."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from north import wiring
from north.evaluation import calibrating
from north.evaluation.errors import Refused
from north.evaluation.models import EvidenceMark, RefusalThreshold, digest
from north.workspaces.access import demand
from north.workspaces.audit import record
from north.workspaces.models import Membership, Role
from retrieval.questions import cleaned

DEFAULT = 0.0
"""Where no workspace said otherwise: the chat model alone says whether passages hold the answer."""
RISK = 0.05
RISKS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of wrong answers that a threshold may be fitted to."""
MOST = 2000
"""Marks of one workspace."""


def judge_name() -> str:
    return wiring.model_name("score") if settings.MODELS.get("score") else ""


def own(workspace: UUID) -> RefusalThreshold | None:
    """The workspace's threshold, whatever model it was fitted for."""
    return RefusalThreshold.objects.filter(workspace=workspace).first()


def refuses_below(workspace: UUID) -> float:
    """What holds now: a threshold for the evidence of another model says nothing of this one's."""
    row = own(workspace)
    return row.value if row and row.score_model == judge_name() else DEFAULT


def marks_of(workspace: UUID) -> list[calibrating.Mark]:
    """All people's, as far as they are of the model that judges today."""
    rows = EvidenceMark.objects.filter(workspace=workspace, score_model=judge_name()).order_by("pk")
    return [calibrating.Mark(evidence, answers) for evidence, answers in rows.values_list("evidence", "answers")]


@transaction.atomic
def mark(text: str, evidence: float, *, answers: bool, actor: Membership) -> EvidenceMark:
    """The passages of this evidence answer the question, or not. A second word of the same person replaces the first. Raises Refused."""
    demand(actor, Role.EDITOR)
    text = cleaned(text)
    known: dict[str, Any] = {"workspace": actor.workspace, "marked_by": actor.user, "digest": digest(text)}
    rows = EvidenceMark.objects.filter(workspace=actor.workspace)
    if rows.count() >= MOST and not rows.filter(**known).exists():
        raise Refused(_("The workspace has %d marks already, which is enough.") % MOST)
    values = {"text": text, "evidence": evidence, "score_model": judge_name(), "answers": answers}
    made, _new = EvidenceMark.objects.update_or_create(**known, defaults=values)
    record("refusals.mark", actor=actor, thing=made, answers=answers)
    return made


@transaction.atomic
def take_back(mark: EvidenceMark, *, actor: Membership) -> None:
    demand(actor, Role.EDITOR)
    record("refusals.unmark", actor=actor, thing=mark)
    mark.delete()


def fitted(workspace: UUID, risk: float) -> calibrating.Fit | None:
    """By the marks of today. None where they are too few, or no threshold keeps the risk."""
    marks = marks_of(workspace)
    return None if any(calibrating.lacking(marks)) else calibrating.fit(marks, risk)


@transaction.atomic
def use(risk: float, *, actor: Membership) -> RefusalThreshold:
    """From now on this workspace refuses below the threshold that is fitted to this risk. Raises Refused."""
    demand(actor, Role.OWNER)
    if risk not in RISKS:
        raise Refused(_("Choose one of the risks that are offered."))
    found = fitted(actor.workspace_id, risk)
    if found is None:
        raise Refused(_("There is no threshold that keeps this risk: mark more questions, or choose a higher one."))
    values = {"value": found.chosen.threshold, "risk": risk, "marks": found.chosen.marks, "score_model": judge_name(), "set_by": actor.user}
    row, _new = RefusalThreshold.objects.update_or_create(workspace=actor.workspace, defaults=values)
    record("refusals.calibrate", actor=actor, thing=actor.workspace, threshold=row.value, risk=risk, marks=row.marks)
    return row


@transaction.atomic
def reset(*, actor: Membership) -> None:
    """From now on as everywhere. Twice is once."""
    demand(actor, Role.OWNER)
    if RefusalThreshold.objects.filter(workspace=actor.workspace).delete()[0]:
        record("refusals.as_everywhere", actor=actor, thing=actor.workspace)
