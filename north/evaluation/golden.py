"""Which documents answer which question, as people mark it where they are, and as owners edit it. Rows and their audit event in one
transaction; the audit log names no question, for those who read it may not know what was asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from north.documents.models import Document, DocumentQuerySet
from north.documents.readers import scope_of
from north.evaluation.errors import Refused
from north.evaluation.models import GoldenAnswer, GoldenQuestion, digest
from north.workspaces.audit import record
from north.workspaces.models import Membership
from retrieval.questions import cleaned, has_words

MOST = 5000
"""Questions of one workspace."""
ANSWERS = 50
"""Documents of one question."""


def readable(membership: Membership) -> DocumentQuerySet:
    """What this person may read now."""
    return Document.objects.readable_by(scope_of(membership).principals).filter(workspace=membership.workspace_id)


def mark(text: str, document: UUID, *, actor: Membership) -> GoldenQuestion:
    """This document answers this question of the actor's. Twice is once. Raises Refused, and Http404 for what they may not read."""
    if not readable(actor).filter(pk=document).exists():
        raise Http404
    with transaction.atomic():
        question = asked(text, actor)
        if not question.answers.filter(document=document).exists():
            add(question, {document: 1}, actor)
    return question


def unmark(text: str, document: UUID, *, actor: Membership) -> None:
    """Takes the actor's own mark back; a question without one goes with it. Twice is once."""
    question = GoldenQuestion.objects.filter(workspace=actor.workspace, asker=actor.user, digest=digest(cleaned(text))).first()
    if question:
        take_back(question, document, actor=actor)


def marked(membership: Membership, texts: Iterable[str]) -> dict[str, set[str]]:
    """By question, the documents that this person marked as its answers. One query."""
    by_digest = {digest(cleaned(text)): text for text in texts}
    rows = GoldenAnswer.objects.filter(
        question__workspace=membership.workspace_id, question__asker=membership.user_id, question__digest__in=by_digest
    )
    found: dict[str, set[str]] = {}
    for named, document in rows.order_by().values_list("question__digest", "document"):
        found.setdefault(by_digest[named], set()).add(str(document))
    return found


# --- what owners do ---------------------------------------------------------------------------------------------------------------
def questions_of(owner: Membership) -> QuerySet[GoldenQuestion]:
    """The set, for those who own the workspace; for others there is none."""
    rows = GoldenQuestion.objects.filter(workspace=owner.workspace_id)
    return rows if owner.is_owner else rows.none()


def write(text: str, documents: Mapping[UUID, int], *, actor: Membership) -> GoldenQuestion:
    """A question of the owner's own, with its answers and their grades; what it had stays. Raises Refused."""
    with transaction.atomic():
        question = asked(text, actor)
        known = set(question.answers.values_list("document", flat=True))
        if new := {pk: grade for pk, grade in documents.items() if pk not in known}:
            add(question, new, actor)
    return question


def reword(question: GoldenQuestion, text: str, *, actor: Membership) -> None:
    """Other words make it a question of the owner who writes them: asked in their name from now on. What was measured with the old words
    goes. Raises Refused."""
    found = GoldenQuestion(workspace=actor.workspace, asker=actor.user, text=checked(text))
    try:
        with transaction.atomic():
            values = {"text": found.text, "digest": digest(found.text), "asker": actor.user}
            questions_of(actor).filter(pk=question.pk).update(**values)
            question.outcomes.all().delete()
            record("golden.reword", actor=actor, thing=question)
    except IntegrityError:
        raise Refused(_("You have this question in the set already.")) from None


def remove(question: GoldenQuestion, *, actor: Membership) -> None:
    with transaction.atomic():
        record("golden.remove", actor=actor, thing=question)
        question.delete()


def take_back(question: GoldenQuestion, document: UUID, *, actor: Membership) -> None:
    """This document does not answer it; a question that nothing answers goes."""
    with transaction.atomic():
        if not question.answers.filter(document=document).delete()[0]:
            return
        record("golden.unmark", actor=actor, thing=question, document=str(document))
        if not question.answers.exists():
            question.delete()


# --- rows -------------------------------------------------------------------------------------------------------------------------
def asked(text: str, actor: Membership) -> GoldenQuestion:
    """The actor's question of these words, made where it is new."""
    text = checked(text)
    mine = {"workspace": actor.workspace, "asker": actor.user, "digest": digest(text)}
    known = GoldenQuestion.objects.filter(**mine).first()
    if known is None and GoldenQuestion.objects.filter(workspace=actor.workspace).count() >= MOST:
        raise Refused(_("The golden set of this workspace is full: it holds %d questions.") % MOST)
    return known or GoldenQuestion.objects.get_or_create(**mine, defaults={"text": text})[0]


def add(question: GoldenQuestion, documents: Mapping[UUID, int], actor: Membership) -> None:
    if question.answers.count() + len(documents) > ANSWERS:
        raise Refused(_("A question has %d answers at most: one that so many documents answer measures nothing.") % ANSWERS)
    rows = [GoldenAnswer(question=question, document_id=pk, grade=grade) for pk, grade in documents.items()]
    GoldenAnswer.objects.bulk_create(rows, ignore_conflicts=True)
    record("golden.mark", actor=actor, thing=question, documents=[str(pk) for pk in documents])


def checked(text: str) -> str:
    text = cleaned(text)
    if not has_words(text):
        raise Refused(_("There is no word in the question that could be searched for."))
    return text


def names_of(documents: Collection[UUID], reader: Membership) -> dict[UUID, str]:
    """What those of the documents are called that this person may read."""
    return dict(readable(reader).filter(pk__in=set(documents)).values_list("pk", "name"))
