"""Makes a new index beside the one that answers, and says how far it is. The model worker does the work; this only asks for it."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from north.indexes.models import UNDER_WAY, Generation, State
from north.reindexing import actions
from north.reindexing.progress import progress
from north.workspaces.errors import Refused

VERBS = ("status", "build", "stop", "swap", "back", "remove")
WATCH_SECONDS = 2


class Command(BaseCommand):
    help = (
        "status: which index answers, and how far the next one is. build: a new one, with --model and --characters or as the settings say. "
        "swap: make it answer. back: to the one before. stop, remove: give the new one up, or the kept one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", nargs="?", default="status", choices=VERBS)
        parser.add_argument("--model", help="an embedding model of this machine; without it the settings' one")
        parser.add_argument("--characters", type=int, help="of a chunk, at most")
        parser.add_argument("--swap", action="store_true", help="use it as soon as it is built, unless it finds less")
        parser.add_argument("--watch", action="store_true", help="stay until it is ready or swapped in")

    def handle(self, verb: str, *, watch: bool, **options: Any) -> None:
        try:
            self.carry_out(verb, **options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.tell()
        while watch and Generation.objects.filter(state__in=[State.BUILDING, State.COMPARING]).exists():
            time.sleep(WATCH_SECONDS)
            self.tell()

    def carry_out(self, verb: str, *, model: str | None, characters: int | None, swap: bool, **_: Any) -> None:
        wanted = Generation.of_settings()
        match verb:
            case "build":
                actions.begin(model or wanted.model, characters or wanted.characters, swaps_itself=swap, actor=None)
            case "stop":
                actions.stop(self.the_one(*UNDER_WAY), actor=None)
            case "swap":
                actions.ask_swap(self.the_one(State.READY), actor=None)
            case "back":
                actions.ask_swap(self.the_one(State.KEPT), actor=None)
            case "remove":
                actions.remove(self.the_one(State.KEPT), actor=None)

    def the_one(self, *states: str) -> Generation:
        found = Generation.objects.filter(state__in=states).first()
        if found is None:
            raise CommandError("There is no such index now. `manage.py reindex` says which there are.")
        return found

    def tell(self) -> None:
        serving = Generation.objects.serving()
        self.stdout.write(f"{serving.collection}: answers, {serving.model}, chunks of {serving.characters} characters")
        for one in Generation.objects.others():
            if one.state == State.KEPT:
                hours = max((one.keep_until - timezone.now()).total_seconds() / 3600, 0) if one.keep_until else 0
                self.stdout.write(f"{one.collection}: kept for {hours:.1f} h more, {one.model}, chunks of {one.characters} characters")
                continue
            far = progress(one)
            left = f", about {far.seconds // 60} min left" if far.seconds else ""
            told = f"{far.done:,} of {far.of:,} documents, {far.rate:.1f} a second{left}"
            self.stdout.write(f"{one.collection}: {one.get_state_display()}, {one.model}, chunks of {one.characters} characters, {told}")
            if why := one.error or one.figures.get("against"):
                self.stdout.write(f"  {why}")
