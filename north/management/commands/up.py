"""`manage.py up`: everything on this machine, until Ctrl-C. What `make run` calls."""

from __future__ import annotations

import fcntl
import logging
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from north.checks import TAG
from north.inference import catalogue, installed
from north.inference.errors import ModelError
from north.supervisor import PartDied, Supervisor, parts, port_problem
from north.workspaces import actions


class Command(BaseCommand):
    help = "Starts every part of North on this machine, watches them, and stops them at Ctrl-C."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="also fill the workspace `demo` with a sample company")

    def handle(self, *, demo: bool, **options: Any) -> None:
        logging.getLogger().setLevel(logging.WARNING)  # this terminal is for people; the parts write their logs into files
        with alone():
            self.check_settings()
            if problem := port_problem(settings.HOST, settings.PORT):
                raise CommandError(f"{problem} Take another one: PORT={settings.PORT + 100} make run")
            self.have_models()
            self.prepare()
            supervisor = Supervisor(parts(), self.say)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, supervisor.stop)
            try:
                self.say(f"North is starting; its data lie in {settings.DATA_DIR}")
                supervisor.start()
                if not supervisor.stopping:
                    self.welcome(demo)
                supervisor.watch()
            except PartDied as error:
                raise CommandError(f"{error}\nWhat to do: `make doctor` checks every part.") from error
            finally:
                self.say("North is stopping ...")
                supervisor.stop_all()

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def check_settings(self) -> None:
        problems = [problem for problem in run_checks(tags=[TAG]) if problem.level >= ERROR and not problem.is_silenced()]
        if problems:
            raise CommandError("\n".join(f"{problem.id}: {problem.msg}\n  What to do: {problem.hint}" for problem in problems))

    def prepare(self) -> None:
        if aside(brought_up_to_date):
            raise CommandError("The database or the static files could not be brought up to date; why stands above.")

    def have_models(self) -> None:
        """Fetches what is missing, in a process of its own, since that loads what this one never needs again."""
        wanted = catalogue.used(settings.MODELS, *settings.MODEL_FOLDERS)
        missing = [model.name for model in wanted if not installed.installed(model, settings.MODELS_DIR)]
        if (
            missing
            and subprocess.run([sys.executable, "manage.py", "models", "pull", *missing], cwd=settings.BASE_DIR, check=False).returncode
        ):
            raise CommandError("The models are not here. What to do stands above; then start North again.")
        try:
            for model in wanted:
                installed.where(model.name, settings.MODELS_DIR)
        except ModelError as error:
            raise CommandError(str(error)) from error

    def welcome(self, demo: bool) -> None:
        self.say(f"\nNorth runs at {settings.PUBLIC_URL}")
        if aside(lambda: self.invite(demo)):
            raise CommandError("The sample company or the first link could not be made; why stands above.")
        self.say("Ctrl-C stops it.\n")

    def invite(self, demo: bool) -> None:
        link = actions.first_link()
        if demo:
            call_command("demo", stdout=self.stdout)
        elif link:
            self.say(f"Make the first administrator here (this link works once):\n    {link}")


@contextmanager
def alone() -> Iterator[None]:
    """Holds the data folder for this process. Raises `CommandError` where another one runs on it."""
    settings.RUN_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.RUN_DIR / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CommandError(
                f"North already runs on {settings.DATA_DIR}: {lock.read().strip() or 'it is just starting'}.\n"
                "Stop it with Ctrl-C where it was started, or give this one a folder and a port of its own: "
                "NORTH_DATA_DIR=/another/folder PORT=8100 make run"
            ) from None
        lock.truncate(0)
        lock.write(settings.PUBLIC_URL)
        lock.flush()
        yield


def aside(work: Callable[[], None]) -> int | None:
    """Does it in a child, whose exit code it returns: what the work loads, such as all pages for one address, this process never needs."""
    child = get_context("fork").Process(target=work)
    child.start()
    child.join()
    return child.exitcode


def brought_up_to_date() -> None:
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
