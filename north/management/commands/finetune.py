"""`manage.py finetune reranker|embedder`: a model of one's own from questions and the passages that answer them."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from north.training import bases, cards
from north.training.bases import Base
from north.training.errors import TrainingError
from north.training.plans import DEFAULTS, Plan
from north.training.preparing import prepare

NUMBERS = {
    "steps": "of training; else as many as --epochs give", "epochs": "how often each example is learnt from", "batch": "lists in a step",
    "candidates": "passages in a list", "tokens": "that are read of question and passage", "rate": "the learning rate",
    "warm": "the share of steps in which the rate rises", "decay": "of weights", "distil": "the share of the teacher's word, 0 to 1",
    "layers": "of a reranker: so many of the base's, evenly taken", "temperature": "of an embedder's cosines; 0 for the base's own",
    "keep_every": "steps between two checkpoints", "dev_share": "of the examples is kept to judge by",
    "dev_most": "examples are kept at most",
    "seed": "of all that is left to chance", "workers": "processes that tokenise",
}  # fmt: skip
SAID = ("pooling", "query", "passage", "licence")


class Command(BaseCommand):
    help = "Fine-tunes a reranker or an embedder on your own questions, and writes a folder that `manage.py models add` takes."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=list(DEFAULTS))
        parser.add_argument(
            "--data", type=Path, required=True, help="a folder of corpus.jsonl, queries.jsonl and qrels.tsv, or .jsonl examples"
        )
        parser.add_argument("--qrels", default="", metavar="NAME", help="read qrels.NAME.tsv of it")
        parser.add_argument("--data-licence", default="", help="for the card")
        parser.add_argument(
            "--base", required=True, metavar="NAME_OR_FOLDER", help="what is fine-tuned: a model of this machine, or a folder"
        )
        parser.add_argument("--out", type=Path, required=True, help="a new folder")
        parser.add_argument("--eval", action="append", default=[], metavar="FOLDER[:QRELS]", help="also measured on; may be said again")
        parser.add_argument("--judged", type=int, default=300, metavar="N", help="questions of each of these, at most")
        parser.add_argument("--teacher", metavar="NAME_OR_FOLDER", help="a model whose order of passages is learnt, too; none for none")
        parser.add_argument("--miner", metavar="NAME_OR_FOLDER", help="an encoder that finds hard negatives; else the base, if it is one")
        parser.add_argument("--resume", action="store_true", help="go on with a run that was ended")
        parser.add_argument("--train-words", action="store_true", help="train the table of words, too")
        parser.add_argument("--pooling", choices=["mean", "cls"], help="of a base whose files do not say it")
        for word, told in (
            ("query", "what stands before a question"),
            ("passage", "before a passage"),
            ("licence", "of the base, for the card"),
        ):
            parser.add_argument(f"--{word}", help=told)
        kinds = {field.name: type(field.default) for field in fields(Plan)}
        for name, told in NUMBERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=kinds[name], help=told)

    def handle(self, *, kind: str, **options: Any) -> None:
        try:
            self.finetune(kind, options)
        except TrainingError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}. Mend it, then go on with --resume."
            ) from error
        except KeyboardInterrupt as stop:
            raise CommandError("Stopped. Go on with the same command and --resume.", returncode=130) from stop

    def finetune(self, kind: str, options: Mapping[str, Any]) -> None:
        plan = self.plan(kind, options)
        said = {word: options[word] for word in SAID if options[word] is not None}
        base = bases.find(options["base"], settings.MODELS_DIR, said)
        teacher, miner = self.teacher(kind, base, options["teacher"]), self.miner(base, options["miner"])
        prepared = prepare(
            options["data"], plan, qrels=options["qrels"], evaluations=options["eval"], licence=options["data_licence"], say=self.say
        )
        make, finetune = self.trainer()
        run = make(plan, prepared, base, teacher, miner, self.say, options["judged"])
        found = finetune(run, options["out"], resume=options["resume"])
        self.stdout.write(
            "\n".join(["", *cards.table(found["figures"]), "", f"{options['out']} is whole; its card is README.md. Use it:", found["use"]])
        )

    def plan(self, kind: str, options: Mapping[str, Any]) -> Plan:
        given = {name: options[name] for name in NUMBERS if options[name] is not None}
        return Plan(kind=kind, frozen_words=not options["train_words"], **{**DEFAULTS[kind], **given})  # type: ignore[arg-type]

    def teacher(self, kind: str, base: Base, given: str | None) -> Base | None:
        """Else a reranker that is made of an encoder learns from this encoder."""
        if given:
            return None if given == "none" else bases.find(given, settings.MODELS_DIR)
        return base if kind == "reranker" and not base.judges else None

    def miner(self, base: Base, given: str | None) -> Base | None:
        if given:
            found = bases.find(given, settings.MODELS_DIR)
            if found.judges:
                raise CommandError(f"{found.name} judges and makes no vectors; --miner needs an encoder.")
            return found
        return None if base.judges else base

    def trainer(self) -> tuple[Any, Any]:
        """By dotted path: PyTorch is loaded by nothing but this."""
        try:
            return import_string("north.training.finetuning.Run"), import_string("north.training.finetuning.finetune")
        except ImportError as error:
            raise CommandError(f"Fine-tuning needs PyTorch and transformers ({error}). Install them: pip install -e '.[gpu]'") from error

    def say(self, words: str) -> None:
        self.stderr.write(words)
