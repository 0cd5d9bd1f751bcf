"""`manage.py models list | add | pull | verify | remove | test`: the model files of this machine, and what a chat model can do."""

from __future__ import annotations

import shutil
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from north.inference import bringing, catalogue, installed, pulling
from north.inference.catalogue import Model
from north.inference.errors import ModelError
from north.inference.sources import SourceSettings

SAID = ("context", "dimensions", "pooling", "query", "passage", "title", "licence", "languages")


class Command(BaseCommand):
    help = "Lists, fetches, checks and removes the model files of this machine."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="what the catalogue knows and what is here")
        add = verbs.add_parser("add", help="take a model from a folder that was downloaded elsewhere, under the folder's name")
        add.add_argument("folder", type=Path)
        add.add_argument("--role", required=True, choices=["chat", "embed", "score"])
        add.add_argument("--context", type=int, help="tokens that it reads, where its files do not say it")
        add.add_argument("--dimensions", type=int, help="of the vectors of a model that embeds")
        add.add_argument("--pooling", choices=["mean", "cls"], help="how its vectors come from its tokens")
        for word, help in (("query", "what stands before a question that is embedded"), ("passage", "what stands before a passage")):
            add.add_argument(f"--{word}", help=help)
        for word in ("title", "licence", "languages"):
            add.add_argument(f"--{word}", help="for people to read")
        pull = verbs.add_parser("pull", help="fetch models; without a name those that the settings use")
        pull.add_argument("names", nargs="*")
        pull.add_argument("--again", action="store_true", help="throw away a file that is wrong and fetch it anew")
        for verb, words in (("verify", "read every byte and compare the checksums"), ("remove", "delete the files")):
            verbs.add_parser(verb, help=words).add_argument("names", nargs="*" if verb == "verify" else "+")
        test = verbs.add_parser("test", help="ask a chat model questions with known answers, and keep its capability card")
        test.add_argument("name", nargs="?", help="without it the chat model of the settings")
        test.add_argument("--full", action="store_true", help="more questions and longer prompts; an hour on a slow machine")

    def handle(self, *, verb: str, names: list[str] | None = None, **options: Any) -> None:
        try:
            if verb == "test":
                self.handle_test(**options)
                return
            if verb == "add":
                self.handle_add(**options)
                return
            folders = settings.MODEL_FOLDERS
            wanted = [catalogue.model(name, *folders) for name in names] if names else catalogue.used(settings.MODELS, *folders)
            getattr(self, f"handle_{verb}")(wanted, **options)
        except ModelError as error:
            raise CommandError(str(error)) from error

    def handle_list(self, wanted: list[Model], **_: Any) -> None:
        for model in catalogue.known(*settings.MODEL_FOLDERS):
            here = "here" if installed.installed(model, settings.MODELS_DIR) else "-"
            use = "used" if model in wanted else ""
            self.stdout.write(f"{model.name:40} {model.role:6} {model.bytes / 1e6:7.0f} MB  {model.licence:12} {here:5} {use}")

    def handle_add(self, *, folder: Path, role: str, **options: Any) -> None:
        said = {word: options[word] for word in SAID if options[word] is not None}
        model = bringing.bring(folder, role, said)
        source = SourceSettings(folder=folder.expanduser().resolve().parent)
        pulling.pull(model, settings.MODELS_DIR, ["folder"], Bar(self, model), settings=source)
        left = sorted(path.name for path in folder.expanduser().iterdir() if path.name not in {file.name for file in model.files})
        told = f"{model.role}, reads {model.context:,} tokens"
        if model.role == "embed":
            told += f", {model.dimensions} dimensions, pooling {model.pooling}, prefixes {model.query!r} and {model.passage!r}"
        self.stdout.write(f"{model.name} is here: {told}. Its checksums hold from now on. Use it: NORTH_{role.upper()}_MODEL={model.name}")
        if left:
            self.stdout.write(f"Not taken: {', '.join(left)}")

    def handle_pull(self, wanted: list[Model], *, again: bool, **_: Any) -> None:
        folder = Path(settings.MODEL_FOLDER) if settings.MODEL_FOLDER else None
        sources = [source for source in settings.MODEL_SOURCES if source != "folder" or folder]
        for model in wanted:
            bar = Bar(self, model)
            pulling.pull(
                model, settings.MODELS_DIR, sources, bar, say=self.stdout.write, settings=SourceSettings(folder=folder), again=again
            )
            self.stdout.write(f"{model.name} is here, and its checksums are right. Licence: {model.licence}.")

    def handle_verify(self, wanted: list[Model], **_: Any) -> None:
        for model in wanted:
            installed.verify(model, settings.MODELS_DIR)
            self.stdout.write(f"{model.name}: every byte is right")

    def handle_remove(self, wanted: list[Model], **_: Any) -> None:
        for model in wanted:
            shutil.rmtree(settings.MODELS_DIR / model.name, ignore_errors=True)
            self.stdout.write(f"{model.name} was removed from {settings.MODELS_DIR}")

    def handle_test(self, name: str | None, *, full: bool, **_: Any) -> None:
        """By dotted path: the other verbs load no agent and no engine."""
        test = import_string("north.cards.terminal.test")
        if not test(name, full=full, say=self.stdout.write):
            raise CommandError("Stopped. The card is as it was before.", returncode=130)


class Bar:
    """A progress bar on a terminal, a line every ten percent elsewhere."""

    def __init__(self, command: BaseCommand, model: Model) -> None:
        self.command, self.model = command, model
        self.shown, self.told = 0.0, -1

    def __call__(self, done: int, total: int) -> None:
        part = min(1.0, done / max(total, 1))
        if sys.stderr.isatty():
            if part < 1.0 and time.monotonic() - self.shown < 0.1:
                return
            self.shown = time.monotonic()
            bar = "█" * round(part * 30)
            end = "\n" if part >= 1.0 else ""
            sys.stderr.write(f"\r{self.model.name:38.38} {bar:30} {done / 1e6:6.0f} of {total / 1e6:.0f} MB {end}")
            sys.stderr.flush()
        elif int(part * 10) > self.told:
            self.told = int(part * 10)
            self.command.stdout.write(f"{self.model.name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")
