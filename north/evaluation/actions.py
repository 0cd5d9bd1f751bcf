"""What owners do with measurements and with the weights of their workspace. Each verb: rows and audit event in one transaction, work on
commit."""

from __future__ import annotations

from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from north.documents.models import SearchWeights
from north.evaluation.errors import Refused
from north.evaluation.models import Measurement
from north.hints import hint
from north.tracing import trace_id
from north.workspaces.audit import record
from north.workspaces.models import Membership


def begin(kind: Measurement.Kind, *, actor: Membership) -> Measurement:
    """Waits for a worker. Raises Refused where one is under way."""
    try:
        with transaction.atomic():
            made = Measurement.objects.create(workspace=actor.workspace, kind=kind, asked_by=actor.user, trace=trace_id.get())
            record(f"golden.{kind}", actor=actor, thing=made)
            transaction.on_commit(partial(hint, "evaluation.measure", str(made.pk)), robust=True)
            return made
    except IntegrityError:
        raise Refused(_("A measurement of this workspace is under way already. Wait for it, or stop it.")) from None


@transaction.atomic
def stop(measurement: Measurement, *, actor: Membership) -> None:
    """What waits ends now, what works after the question that it asks."""
    row = Measurement.objects.filter(pk=measurement.pk)
    over = {"status": Measurement.Status.CANCELLED, "ended_at": timezone.now()}
    if row.filter(status=Measurement.Status.PENDING).update(**over) or row.filter(status=Measurement.Status.RUNNING).update(
        cancel_requested=True
    ):
        record("golden.stop", actor=actor, thing=measurement)


@transaction.atomic
def use(fit: Measurement, *, actor: Membership) -> None:
    """From now on the workspace's searches weigh as was fitted. Raises Refused where the fit was no better, or is of other models."""
    if fit.kind != Measurement.Kind.FIT or fit.status != Measurement.Status.DONE or not fit.figures.get("better"):
        raise Refused(_("These weights were not found to be better than the defaults, so they are not used."))
    values = {name: fit.weights[name] for name in ("cosine", "words", "offset", "blend")}
    models = {"embed_model": fit.embed_model, "score_model": fit.score_model}
    SearchWeights.objects.update_or_create(workspace=actor.workspace, defaults={**values, **models})
    record("search.weigh", actor=actor, thing=fit, weights=values, models=models)


@transaction.atomic
def reset(*, actor: Membership) -> None:
    """From now on the workspace's searches weigh as everywhere. Twice is once."""
    if SearchWeights.objects.filter(workspace=actor.workspace).delete()[0]:
        record("search.weigh_as_everywhere", actor=actor, thing=actor.workspace)
