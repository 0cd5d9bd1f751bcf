"""Seals all stored secrets under the newest key. Stopped in the middle it is simply run again: what is fresh is passed over."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from north import sealing

SEALED: Final = (
    ("webhooks", "Webhook", "sealed"),
    ("webhooks", "Webhook", "old_sealed"),
    ("documents", "Source", "secrets"),
    ("documents", "Hook", "sealed"),
    ("documents", "Closing", "secrets"),
    ("outside", "ServerSecret", "sealed"),
)


class Command(BaseCommand):
    help = "Seals all stored secrets under the newest key; with --new-key under one that is made now and kept in the data folder."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new-key", action="store_true", help="make a key first, and keep it in the data folder")
        parser.add_argument("--forget", action="store_true", help="once everything is sealed anew, forget the older keys of that file")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["new_key"]:
            if settings.SEALING_KEYS:
                raise CommandError(
                    "The keys come from NORTH_SEALING_KEYS: put a new one first there, start North again, and run this without it."
                )
            sealing.add_key()
        done, lost = 0, 0
        for app, name, field in SEALED:
            model = apps.get_model(app, name)
            for pk in model.objects.exclude(**{field: ""}).values_list("pk", flat=True).iterator():
                outcome = reseal(model, pk, field)
                done, lost = done + (outcome == "sealed"), lost + (outcome == "lost")
                if outcome == "lost":
                    self.stderr.write(f"{name} {pk}: its secret cannot be read with any key. Enter it again there.")
        self.stdout.write(f"{done} secrets sealed anew.")
        if lost:
            raise CommandError(f"{lost} secrets cannot be read. No key was forgotten.")
        if options["forget"]:
            sealing.forget_old_keys()
            self.stdout.write("The older keys of the data folder are forgotten.")


def reseal(model: Any, pk: Any, field: str) -> str:
    """Only what is still as it was read is written, so that a secret that somebody enters meanwhile is not lost."""
    for _attempt in range(5):
        old = model.objects.filter(pk=pk).values_list(field, flat=True).first()
        if not old or sealing.is_fresh(old):
            return "fresh"
        try:
            new = sealing.seal(sealing.unseal(old))
        except sealing.Unreadable:
            return "lost"
        if model.objects.filter(pk=pk, **{field: old}).update(**{field: new}):
            return "sealed"
    return "lost"
