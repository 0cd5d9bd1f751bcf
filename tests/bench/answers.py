"""From a question to the first step and to the first word of its answer: the sample company, the real chat model, two threads, one question
at a time, each as the first of its own thread, followed by the API's event stream."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from tests.bench.figures import Figure, percentile
from tests.bench.installations import Installations, demo
from tests.bench.machine import cpu_of
from tests.bench.upload import wait_until_all_ready
from tests.installation import Installation, events

STEP_GOAL, TOKEN_GOAL = 0.3, 8.0
RUN_SECONDS = 180
READY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds from the moment that the question was sent. `token` None: it ended without an answer in pieces. `work`: the processor
    seconds of the model worker until its first word; two quiet cores need half of it at the least."""

    question: str
    step: float
    token: float | None
    end: float
    status: str
    refused: bool
    citations: int
    work: float
    tokens_in: int
    tokens_out: int

    def told(self) -> str:
        token = f"{self.token:.1f} s" if self.token is not None else "none"
        outcome = "refused" if self.refused else f"{self.citations} citations" if self.status == "done" else self.status
        return (
            f"first step {self.step * 1000:.0f} ms, first word {token} (work {self.work:.1f} s), end {self.end:.1f} s, "
            f"{self.tokens_in} / {self.tokens_out} tokens, {outcome}: {self.question}"
        )


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("real")
    questions = json.loads(installation.run_python("import json\nfrom north.demo.company import QUESTIONS\nprint(json.dumps(QUESTIONS))"))
    ready = fill(installation)
    with demo(installation) as api:
        worker = installation.part("gpu")
        asked = [ask(api, question, lambda: cpu_of(worker)) for question in questions]
    return [first_step(asked), first_token(asked, ready)]


def fill(installation: Installation) -> str:
    """The sample company, all of its documents ready; in words, how long that took."""
    began = time.monotonic()
    installation.manage("demo")
    with demo(installation) as api:
        counts = api.get("/documents").json()["counts"]
        wait_until_all_ready(api, sum(counts.values()), READY_SECONDS)
    seconds = time.monotonic() - began
    chunks = installation.run_python(
        "from django.db.models import Sum\nfrom north.documents.models import Document\n"
        "print(Document.objects.filter(workspace__slug='demo').aggregate(n=Sum('chunks'))['n'])"
    ).split()[-1]
    return f"{sum(counts.values())} documents ({chunks} chunks) of the sample company were ready {seconds:.0f} s after `manage.py demo`"


def ask(api: httpx.Client, question: str, work: Callable[[], float] = lambda: 0.0) -> Asked:
    """`work`: the processor seconds of the model worker so far."""
    thread = api.post("/threads", json={}).raise_for_status().json()["id"]
    worked, began = work(), time.monotonic()
    run = api.post(f"/threads/{thread}/runs", json={"question": question}).raise_for_status().json()["id"]
    first: dict[str, float] = {}
    with api.stream("GET", f"/runs/{run}/events", timeout=RUN_SECONDS) as stream:
        for _, kind, payload in events(stream.iter_lines()):
            if told := meaning(kind, payload):
                first.setdefault(told, time.monotonic() - began)
                first.setdefault(f"work until {told}", work() - worked)
    said = api.get(f"/runs/{run}").raise_for_status().json()
    if "end" not in first or "step" not in first:
        raise RuntimeError(f"The stream of the run {run} ended early: {list(first)}; the run is {said['status']}. {said['error']}")
    return Asked(
        question, first["step"], first.get("token"), first["end"], said["status"], said["refused"], len(said["citations"]),
        first.get("work until token", first["work until end"]), said["usage"]["input_tokens"], said["usage"]["output_tokens"],
    )  # fmt: skip


def meaning(kind: str, payload: Any) -> str:
    """What an event shows to whoever reads: a step, a word of the answer, the end."""
    match kind:
        case "step":
            return "step"
        case "restart" if payload["steps"]:
            return "step"
        case "delta" if payload["text"].strip():
            return "token"
        case "answer":
            return "token" if payload["text"] else ""
        case "end":
            return "end"
    return ""


def first_step(asked: list[Asked]) -> Figure:
    steps = [one.step for one in asked]
    said = f"p50 {percentile(steps, 50) * 1000:.0f} ms, longest {max(steps) * 1000:.0f} ms (n={len(steps)})"
    return Figure("question submitted to first step shown", "<= 300 ms", said, max(steps) <= STEP_GOAL, {"seconds": steps})


def first_token(asked: list[Asked], ready: str) -> Figure:
    """What was refused has a first word, too: it counts."""
    tokens = [one.token if one.token is not None else one.end for one in asked]
    said = f"p50 {percentile(tokens, 50):.1f} s, longest {max(tokens):.1f} s (n={len(tokens)})"
    half = [one.work / 2 for one in asked]
    work = f"half of the processor seconds until then: p50 {percentile(half, 50):.1f}, most {max(half):.1f}: two quiet cores need so long"
    met = max(tokens) <= TOKEN_GOAL and all(one.status == "done" for one in asked)
    numbers = {"runs": [asdict(one) for one in asked]}
    return Figure("question submitted to first answer token", "<= 8 s", said, met, numbers, [ready, work, *(one.told() for one in asked)])
