"""What each chat model was found to be able to do. One card a model and engine; while it is tested, its row is the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models

from agents.card import Card as Facts
from north.inference.outcomes import LANGUAGE, Outcome
from north.leases import Job, JobQuerySet


def identity(config: Mapping[str, object]) -> dict[str, str]:
    """By which fields a card is found, of a model as `settings.MODELS` describe it: another server may run another model of this name."""
    host = urlsplit(str(config.get("base_url", ""))).netloc.rpartition("@")[2]
    return {"model": str(config.get("model", ""))[:200], "engine": f"{config['engine']} {host}".strip()[:200]}


class CardQuerySet(JobQuerySet):
    def in_use(self) -> Any:
        """The `Card` of the chat model of the settings, if it was ever tested or is about to be; else `None`."""
        return self.filter(**identity(settings.MODELS["chat"])).first()


class Card(Job):
    """The job is the test asked for last, and `wants_full`, `asked_at`, `told` and `doing` are of it, too."""

    model = models.CharField(max_length=200)
    engine = models.CharField(max_length=200)
    outcomes = models.JSONField(default=list)
    """Of the last test that came to its end, as dictionaries of `Outcome`; the next four are of that test, too."""
    tested_at = models.DateTimeField(null=True)
    seconds = models.FloatField(default=0)
    full = models.BooleanField(default=False)
    machine = models.CharField(max_length=200, blank=True)

    wants_full = models.BooleanField(default=False)
    asked_at = models.DateTimeField(auto_now_add=True)
    told = models.JSONField(default=list)
    doing = models.CharField(max_length=40, blank=True)

    objects = CardQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["model", "engine"], name="one_card_a_model")]

    def __str__(self) -> str:
        return self.model

    @property
    def working(self) -> bool:
        return not self.over

    def facts(self) -> Facts:
        """What the agents make of it: what was not tested is taken for the default."""
        found = {outcome.probe: outcome for outcome in map(outcome_of, self.outcomes)}
        failed = {probe for probe, outcome in found.items() if outcome.verdict == "failed"}
        spoken = {
            probe.removeprefix(LANGUAGE): probe not in failed for probe, one in found.items() if probe.startswith(LANGUAGE) and one.tried
        }
        figures = {probe: outcome.figures for probe, outcome in found.items()}
        native = found.get("tools_native", Outcome("")).verdict in {"well", "partly"}
        return Facts(
            context=int(figures.get("context", {}).get("tokens", 0)),
            context_ends=bool(figures.get("context", {}).get("ends")),
            reading_rate=float(figures.get("speed", {}).get("prompt_tokens_per_second", 0.0)),
            replies="schema" if "json" not in failed else "tools" if native else "words",
            rewrites="follow_up" not in failed,
            judges="refusal" not in failed,
            languages=spoken or None,
        )


def outcome_of(plain: Mapping[str, Any]) -> Outcome:
    return Outcome(**{**plain, "faults": tuple(plain["faults"])})


def plain_of(outcome: Outcome) -> dict[str, Any]:
    return {**asdict(outcome), "faults": list(outcome.faults)}
