"""`python -m tests.bench.agents`: how often North's agents use tools rightly, beside a plain ReAct loop with the same model.

    python -m tests.bench.agents                    a sample that ends in 30 minutes on two quiet cores
    python -m tests.bench.agents --all              every case; with NORTH_CHAT_URL set, on a server with a GPU
    python -m tests.bench.agents --part 3/8         the third of eight that run at the same time, with a file of its own beside --out
    python -m tests.bench.agents --only-table       what --out and the files of its parts hold so far

Each case is a line in --out as soon as it is judged; started again, in as many parts or others, it does what none has done yet. Sets:
NORTH_BENCH_SETS, as for the others.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from north.inference.chat import OpenAIChatModel
from north.inference.llama import local
from tests.bench.agents import north_agent, plain_loop, tasks
from tests.bench.agents.table import table
from tests.bench.agents.tasks import Task
from tests.installation import ROOT

SETS = Path(os.environ.get("NORTH_BENCH_SETS", str(ROOT.parent / "shared" / "data" / "open")))
MODELS = Path(os.environ.get("NORTH_MODELS_DIR", "~/.cache/north/models")).expanduser()
DEFAULT = "qwen2.5-coder-1.5b-instruct-q4_k_m"
CONTEXT = 12_000
SAMPLE = {"simple": 24, "multiple": 16, "irrelevance": 24, "workbench": 12}
SIDES = ("plain", "north")


def model_of(threads: int) -> OpenAIChatModel:
    if url := os.environ.get("NORTH_CHAT_URL"):
        key = SecretStr(os.environ.get("NORTH_CHAT_KEY", ""))
        return OpenAIChatModel(base_url=url, model=os.environ.get("NORTH_CHAT_MODEL", DEFAULT), api_key=key, seconds=1800)
    return local(DEFAULT, MODELS, threads=threads, parallel=1, context=CONTEXT).model_copy(update={"seconds": 1800.0})


def used(task: Task, side: str, model: OpenAIChatModel) -> dict[str, Any]:
    """One case on one side, judged."""
    began = time.monotonic()
    if side == "plain":
        caller = plain_loop.ToolCalling(**{name: getattr(model, name) for name in ("base_url", "model", "api_key", "where", "seconds")})
        tools = [plain_loop.tool_of(one.name, one.about, one.schema, task.use) for one in task.functions]
        words = plain_loop.run(task.question, task.instructions, tools, caller, task.steps)
        said: dict[str, Any] = {"end": words[:300], "parsed": caller.parsed}
    else:
        said = north_agent.run(task, model, MODELS)
    return {"kind": task.kind, "key": task.key, "side": side, **task.judged(), "calls": task.made, **said,
            "seconds": round(time.monotonic() - began, 1)}  # fmt: skip


def wanted(found: Iterable[Task], given: argparse.Namespace) -> Iterator[Task]:
    """This part's cases. A part takes every so manieth case of each kind, so that each part is as mixed as the whole."""
    number, parts = given.part or (1, 1)
    met = Counter[str]()
    for task in found:
        place = met[task.kind]
        met[task.kind] += 1
        if place % parts == number - 1 and (given.all or place < SAMPLE[task.kind]):
            yield task


def part(said: str) -> tuple[int, int]:
    number, parts = map(int, said.split("/"))
    if not 1 <= number <= parts:
        raise ValueError(said)
    return number, parts


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.bench.agents", description=__doc__.splitlines()[0])
    options.add_argument("--all", action="store_true", help="every case, not a sample")
    options.add_argument("--kind", nargs="*", choices=tasks.KINDS)
    options.add_argument("--side", nargs="*", choices=SIDES)
    options.add_argument("--tuning", action="store_true", help="the fifth that is kept apart for looking at")
    options.add_argument("--part", type=part, metavar="NUMBER/PARTS", help="only this part of the cases")
    options.add_argument("--minutes", type=float, default=float("inf"), help="begin no case after so many")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--out", type=Path, default=Path("var/bench-agents.jsonl"))
    options.add_argument("--only-table", action="store_true")
    given = options.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    if not given.only_table:
        fill(given)
    print(table(lines(given.out)))


def fill(given: argparse.Namespace) -> None:
    until = time.monotonic() + 60 * given.minutes
    done = {(one["side"], one["key"]) for one in lines(given.out)}
    own = part_of(given.out, "{}-of-{}".format(*given.part)) if given.part else given.out
    model = model_of(given.threads)
    for task in wanted(tasks.load(SETS, given.kind or tasks.KINDS, tuning=given.tuning), given):
        if time.monotonic() > until:
            break
        for side in given.side or SIDES:
            if (side, task.key) in done:
                continue
            line = used(task.fresh(), side, model)
            with own.open("a", encoding="utf-8") as file:
                print(json.dumps(line, ensure_ascii=False), file=file, flush=True)
            ended = "right" if line["right"] else "wrong"
            print(f"{side:6} {task.kind:12} {ended} {line['seconds']:7.1f} s  {task.question[:80]!r}", flush=True)


def part_of(out: Path, name: str) -> Path:
    return out.with_name(f"{out.stem}.{name}{out.suffix}")


def lines(out: Path) -> list[dict[str, Any]]:
    """Of all parts, however many there were."""
    there = [path for path in (out, *sorted(out.parent.glob(part_of(out, "*-of-*").name))) if path.exists()]
    return [json.loads(line) for path in there for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
