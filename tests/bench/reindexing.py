"""Another index beside the one that answers, with the default models and other chunks, while somebody searches all the time: do the
searches go on in the old index until the new one is swapped in, does each answer come from one of them, and does the way back lead to
where it began?

Which index answered is told by the longest passage of an answer: the new one's chunks are shorter. Meanwhile a document comes and another
one goes.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.bench.figures import Figure
from tests.bench.installations import Installations
from tests.bench.texts import document, question, source
from tests.bench.upload import uploaded, wait_until_all_ready
from tests.installation import Installation, wait_until

DOCUMENTS = int(os.environ.get("NORTH_DOCUMENTS", "300"))
CHARACTERS, SHORTER, QUESTIONS, PAUSE = 1000, 300, 12, 2.0
SECONDS = 3600
STATE = """
import json
from north.indexes.models import Generation
print(json.dumps([[one.state, one.figures] for one in Generation.objects.order_by("pk")]))
"""
PAGE = """
from django.test import Client
from django.urls import reverse
from north.workspaces.models import User
User.objects.filter(email="alice@acme.example").update(is_admin=True)
asking = Client(headers={"host": "127.0.0.1"})
asking.force_login(User.objects.get(email="alice@acme.example"), backend="django.contrib.auth.backends.ModelBackend")
print(asking.get(reverse("administration:indexes")).content.decode())
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """`at`, in seconds. `index`: which one answered, or nothing; `documents` by their order."""

    at: float
    question: int
    index: str = ""
    documents: tuple[str, ...] = ()
    error: str = ""


class Searcher(threading.Thread):
    """Somebody who searches until told to stop."""

    def __init__(self, api: httpx.Client, questions: list[str]) -> None:
        super().__init__(daemon=True)
        self.api, self.questions, self.answers, self.enough = api, questions, list[Answer](), threading.Event()

    def run(self) -> None:
        while not self.enough.wait(PAUSE):
            self.answers.append(asked(self.api, self.questions, len(self.answers) % len(self.questions)))

    def since(self, at: float) -> list[Answer]:
        return [one for one in self.answers if one.at > at]


def asked(api: httpx.Client, questions: list[str], number: int) -> Answer:
    at = time.monotonic()
    try:
        said = api.post("/search", json={"query": questions[number]}).raise_for_status().json()
    except httpx.HTTPError as error:
        return Answer(at, number, error=repr(error))
    texts = [passage["text"] for result in said["results"] for passage in result["passages"]]
    if not texts or said["notice"]:
        return Answer(at, number, error=said["notice"] or "nothing found")
    index = "old" if max(map(len, texts)) > SHORTER else "new"
    return Answer(at, number, index, tuple(result["document"] for result in said["results"]))


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("scripted")
    api, draw = installation.api(), random.Random(5)
    ids = [uploaded(api, f"document-{number}.md", document(CHARACTERS, number).encode()) for number in range(DOCUMENTS)]
    wait_until_all_ready(api, DOCUMENTS, SECONDS)
    questions = [question(document(CHARACTERS, draw.randrange(1, DOCUMENTS)), draw) for _ in range(QUESTIONS)]
    searcher = Searcher(installation.api(), questions)
    searcher.start()
    try:
        built = time.monotonic()
        installation.manage("reindex", "build", "--characters", str(SHORTER))
        late = uploaded(api, "late.md", b"# Zanzibar\n\nThe cloves of Zanzibar were late this year, because of the rain in the spring.\n")
        api.delete(f"/documents/{ids[0]}").raise_for_status()
        made = wait_until(lambda: ready(installation), SECONDS, every=10)
        page = installation.run_python(PAGE)
        before = [asked(api, questions, number) for number in range(QUESTIONS)]
        swapped = time.monotonic()
        while_built = searcher.since(built)
        installation.manage("reindex", "swap")
        wait_until(lambda: answers_by(searcher, swapped, "new"), 900)
        found = [finds(api, late, ids[0])]
        back = time.monotonic()
        at_swap = searcher.since(swapped)
        installation.manage("reindex", "back")
        wait_until(lambda: answers_by(searcher, back, "old"), 900)
    finally:
        searcher.enough.set()
        searcher.join(60)
    found.append(finds(api, late, ids[0]))
    after = [asked(api, questions, number) for number in range(QUESTIONS)]
    at_back = searcher.since(back)
    return [
        going_on(while_built),
        changing("the swap", at_swap, ("old", "new")),
        changing("the way back", at_back, ("new", "old")),
        compared(made, page),
        same(before, after),
        Figure("what came and went meanwhile is found and gone in both", "yes", "yes" if all(found) else "no", all(found)),
    ]


def ready(installation: Installation) -> dict[str, Any] | None:
    """The figures of the comparison, once there are some."""
    states = json.loads(installation.run_python(STATE).strip().splitlines()[-1])
    return next((figures for state, figures in states if state == "ready"), None)


def answers_by(searcher: Searcher, since: float, index: str, times: int = 6) -> bool:
    last = [one.index for one in searcher.since(since)][-times:]
    return len(last) == times and set(last) == {index}


def finds(api: httpx.Client, late: str, gone: str) -> bool:
    found = {one["document"] for one in api.post("/search", json={"query": "cloves of Zanzibar", "top_k": 100}).json()["results"]}
    return late in found and gone not in found


def faults(answers: list[Answer]) -> int:
    return sum(bool(one.error) for one in answers)


def going_on(answers: list[Answer]) -> Figure:
    old, wrong = sum(one.index == "old" for one in answers), faults(answers)
    told = f"{len(answers)} searches, {old} answered by the old index, {wrong} without an answer"
    notes = [f"{DOCUMENTS} documents of {CHARACTERS:,} characters ({source()}), default models, chunks of {SHORTER} characters beside it"]
    notes += sorted({one.error for one in answers if one.error})[:3]
    return Figure("searches while another index is built and compared", "all by the old one", told, old == len(answers) > 0, {}, notes)


def changing(what: str, answers: list[Answer], sides: tuple[str, str]) -> Figure:
    """Once the other one has answered, the first one does so no more."""
    order = [one.index for one in answers if not one.error]
    turn = order.index(sides[1])
    again, wrong = order[turn:].count(sides[0]), faults(answers)
    told = f"{len(answers)} searches, {wrong} without an answer; {turn} before it, {again} by the one before after it"
    return Figure(f"searches around {what}", "0 without an answer", told, not wrong and not again)


def compared(figures: dict[str, Any], page: str) -> Figure:
    old, new, sample = figures["old"], figures["new"], figures["sample"]
    there = all(f"{number:,}" in page for number in (old["chunks"], new["chunks"]))
    told = f"{old['documents']} and {new['documents']} documents, {old['chunks']:,} and {new['chunks']:,} chunks, {figures['wrong']} wrong"
    share = (
        f"sample of {sample['questions']}: found {sample['found_old']:.2f} and {sample['found_new']:.2f}, overlap {sample['overlap']:.2f}"
    )
    right = there and figures["rows"] == new["documents"] == old["documents"] and not figures["wrong"] and new["chunks"] > old["chunks"]
    return Figure("the comparison, and its page", "same documents, shown", told, right, figures, [share, f"on the page: {there}"])


def same(before: list[Answer], after: list[Answer]) -> Figure:
    equal = sum(one.documents == two.documents for one, two in zip(before, after, strict=True))
    told = f"{equal} of {len(after)} with the same documents in the same order"
    return Figure("answers after the way back, beside those before the swap", "the same", told, equal == len(after))
