"""`python -m tests.bench.correctness`: how right North's answers are, and how well they are cited.

    python -m tests.bench.correctness                a sample of each set that ends in 30 minutes on two quiet cores
    python -m tests.bench.correctness --all          every question over all documents; with NORTH_CHAT_URL set, by a server with a GPU
    python -m tests.bench.correctness --only-table   what --out holds so far

A whole North with the real models: the files of each set are uploaded to a workspace of its own, of every tenth document a copy that
nobody may read, and a reader asks by REST, each question in a thread of its own. Each is a line in --out as soon as it was answered;
started again with the same --folder, it goes on after the last.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx

from tests.bench.correctness.sets import SETS, Known, Question, known
from tests.bench.correctness.table import table
from tests.bench.upload import wait_until_all_ready
from tests.installation import ROOT, Installation

FOLDER = Path(os.environ.get("NORTH_BENCH_SETS", str(ROOT.parent / "shared" / "data" / "open")))
CHAT = ("NORTH_CHAT_URL", "NORTH_CHAT_MODEL", "NORTH_CHAT_KEY")
QUESTIONS, MINUTES = 25, 30.0
WITHHELD = 10
"""Of one document of so many there is a copy that nobody may read."""
NOBODYS = "withheld"
READY_SECONDS, ANSWER_SECONDS, POLL = 7200, 1800, 0.5
RIGHTS = """
from north.documents.models import Document
from north.documents.readers import scope_of
from north.threads.models import Run
from north.workspaces.models import Membership
cited = shown = wrong = 0
for actor in Membership.objects.filter(role="reader"):
    readable = {str(pk) for pk in Document.objects.in_scope(scope_of(actor)).values_list("pk", flat=True)}
    for run in Run.objects.filter(thread__user=actor.user).prefetch_related("citations", "steps"):
        sources = [one["document"] for citation in run.citations.all() for one in citation.sources]
        read = [one["document"] for step in run.steps.all() for one in step.detail.get("passages", []) + step.detail.get("found", [])]
        cited, shown = cited + len(sources), shown + len(read)
        wrong += sum(one not in readable for one in sources + read)
told = f"Rows: {cited} sources of citations and {shown} passages that were found or read, {wrong} of them of documents"
print(f"{told} that the asker may not read.")
"""


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.bench.correctness", description=(__doc__ or "").splitlines()[0])
    options.add_argument("--data", type=Path, default=FOLDER, help="the folder of the sets")
    options.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    options.add_argument("--questions", type=int, default=QUESTIONS, help="of each set")
    options.add_argument("--all", action="store_true", help="every question over all documents")
    options.add_argument("--tuning", action="store_true", help="the fifth that is kept apart for looking at")
    options.add_argument("--minutes", type=float, help="ask nothing more after so many, filling included; a sample: 30")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--folder", type=Path, default=Path("var/bench-correctness"), help="where this North keeps its data")
    options.add_argument("--out", type=Path, default=Path("var/bench-correctness.jsonl"))
    options.add_argument("--only-table", action="store_true")
    given = options.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    sets = {name: known(name, given.data, whole=given.all, tuning=given.tuning) for name in given.sets}
    if not given.only_table:
        fill_and_ask(given, sets)
    questions = {(name, one.id): one for name, each in sets.items() for one in each.questions}
    print(table([one for one in lines(given.out) if (one["set"], one["id"]) in questions], questions))


def fill_and_ask(given: argparse.Namespace, sets: Mapping[str, Known]) -> None:
    until = time.monotonic() + 60 * (given.minutes or (float("inf") if given.all else MINUTES))
    done = {(one["set"], one["id"]) for one in lines(given.out)}
    chat = {name: os.environ[name] for name in CHAT if name in os.environ}
    installation = Installation(given.folder.resolve(), NORTH_INFERENCE_THREADS=str(given.threads), **chat)
    try:
        installation.start(600)
        documents = {name: filled(installation, each) for name, each in sets.items()}
        for name, question in in_turns(sets, 10**6 if given.all else given.questions):
            if (name, question.id) in done or time.monotonic() > until:
                continue
            line = {"set": name, **ask(installation.api(f"reader-{name}", name), question, documents[name])}
            keep(given.out, line)
            how = "refused" if line["refused"] else f"{len(line['citations'])} citations"
            print(f"{name:14} {line['seconds']:6.1f} s  {how:12} {question.text[:100]!r}", flush=True)
        print(installation.run_python(RIGHTS).strip().splitlines()[-1])
    finally:
        installation.stop()


def in_turns(sets: Mapping[str, Known], count: int) -> Iterator[tuple[str, Question]]:
    """One of each set, then the next of each: wherever it stops, the sets have been asked alike."""
    for turn in zip_longest(*([(name, one) for one in each.questions[:count]] for name, each in sets.items())):
        yield from (pair for pair in turn if pair)


def filled(installation: Installation, each: Known) -> Mapping[str, str]:
    """By North's id of a document the set's, once all are ready; what was uploaded before is not uploaded again."""
    owner, list_of_ids = f"owner-{each.name}", installation.folder / f"documents-{each.name}.jsonl"
    if not list_of_ids.exists():
        installation.people(each.name, **{owner: "owner", f"reader-{each.name}": "reader"})
    there = {one["id"]: one["key"] for one in lines(list_of_ids)}
    had, api = set(there.values()), installation.api(owner, each.name)
    for number, (key, file) in enumerate(each.files.items()):
        copies = [(key, {})] + ([(f"{NOBODYS} {key}", {"groups": ""})] if number % WITHHELD == 0 else [])
        for name, access in copies:
            if name not in had:
                said = api.post("/documents", files={"file": (file.name, file.content)}, data=access).raise_for_status().json()
                there[said["id"]] = name
                keep(list_of_ids, {"id": said["id"], "key": name})
    began = time.monotonic()
    wait_until_all_ready(api, len(there), READY_SECONDS, 2.0)
    print(f"{each.name}: {len(there)} documents, ready {time.monotonic() - began:.0f} s after the last upload", flush=True)
    return there


def ask(api: httpx.Client, question: Question, documents: Mapping[str, str]) -> dict[str, Any]:
    """Follows the run to its end. Where it asks back, it is stopped: nobody is there to answer."""
    began = time.monotonic()
    thread = api.post("/threads", json={}).raise_for_status().json()["id"]
    run = api.post(f"/threads/{thread}/runs", json={"question": question.text}).raise_for_status().json()["id"]
    while (said := api.get(f"/runs/{run}").raise_for_status().json())["status"] in {"pending", "running"}:
        if said["approvals"] or time.monotonic() - began > ANSWER_SECONDS:
            api.post(f"/runs/{run}/cancel").raise_for_status()
        time.sleep(POLL)
    sources = [source for citation in said["citations"] for source in citation["sources"]]
    return {
        "id": question.id, "question": question.text, "seconds": round(time.monotonic() - began, 1),
        **{name: said[name] for name in ("status", "refused", "cut_short", "error", "answer", "searched", "usage")},
        "claims": [[cited(source, documents) for source in claim["citations"]] for claim in said["claims"]],
        "support": [claim["support"] for claim in said["claims"]],
        "citations": [{**cited(source, documents), "resolves": resolves(api, source)} for source in sources],
        "evidence": [step["detail"]["evidence"] for step in said["steps"] if "evidence" in step["detail"]],
        "read": [documents[one["document"]] for step in said["steps"] for one in step["detail"].get("passages", [])],
    }  # fmt: skip


def cited(source: Mapping[str, Any], documents: Mapping[str, str]) -> dict[str, str]:
    return {"document": documents.get(source["document"], "?"), "words": source["text"]}


def resolves(api: httpx.Client, source: Mapping[str, Any]) -> bool:
    said = api.get(f"/documents/{source['document']}/text", params={"start": source["start"], "end": source["end"]})
    return said.status_code == httpx.codes.OK and said.json()["text"] == source["text"]


def keep(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        print(json.dumps(line, ensure_ascii=False), file=file, flush=True)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
