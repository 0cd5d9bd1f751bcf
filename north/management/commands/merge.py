"""`manage.py merge A B --weight W --out C`: two models of a kind into one, so that what was tuned keeps its general skill."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from north.training import bases, cards, exporting, merging
from north.training.errors import TrainingError


class Command(BaseCommand):
    help = "Merges two models of the same architecture and vocabulary, and writes a folder that `manage.py models add` takes."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("a", metavar="A", help="the general one: a model of this machine, or a folder")
        parser.add_argument("b", metavar="B", help="the tuned one")
        parser.add_argument("--weight", type=float, default=0.5, help="B's share, from 0 (A alone) to 1 (B alone); 0.5 unless said")
        parser.add_argument("--method", choices=["linear", "slerp"], default="linear")
        parser.add_argument("--out", type=Path, required=True, help="a new folder")

    def handle(self, *, a: str, b: str, weight: float, method: str, out: Path, **_: Any) -> None:
        try:
            left, right = (bases.find(one, settings.MODELS_DIR) for one in (a, b))
            merging.merge(left, right, weight, method, out)  # type: ignore[arg-type]
            self.stdout.write(exporting.said(out))
            facts = merging.facts(left, right, weight, method, out)  # type: ignore[arg-type]
            cards.write(out, out.resolve().name, facts)
        except TrainingError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}. {out} is not whole: delete it."
            ) from error
        self.stdout.write(f"{out} is whole; its card is README.md. Use it:\n{facts['use']}")
