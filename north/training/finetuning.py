"""Fine-tuning from examples to a folder: mines, asks the teacher, trains, measures, writes. Needs the extra "gpu".

`out` then holds what `manage.py models add` takes and North's engines load: config.json, model.safetensors and tokenizer.json for PyTorch,
model.onnx in 8 bits for processors, and the card. Until then its `checkpoints/` is where a run goes on that was ended.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from north.training import cards, checkpoints, embedding, exporting, measuring, reranking, teaching
from north.training.bases import Base
from north.training.draws import Draws
from north.training.errors import BadBase, BadPlan
from north.training.examples import Example, read, written
from north.training.learning import Say, device, learn, writing
from north.training.measuring import Set
from north.training.mining import Near, mined
from north.training.models import cross_encoder, encoder, known
from north.training.plans import Plan
from north.training.preparing import Prepared
from north.training.vectors import Vectors, nearest
from retrieval.fusion import weights_of

COPIED = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")

FREE = ("keep_every", "workers")
"""Of a plan: what may change when a run goes on."""


@dataclass(frozen=True)
class Run:
    """`miner`: an encoder that finds hard negatives and first candidates; None for words alone. `judged`: questions of each evaluation set,
    at most."""

    plan: Plan
    prepared: Prepared
    base: Base
    teacher: Base | None
    miner: Base | None
    say: Say
    judged: int = 300

    @property
    def note(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        others = {"teacher": self.teacher.sha256 if self.teacher else None, "miner": self.miner.sha256 if self.miner else None}
        plan = {name: value for name, value in asdict(self.plan).items() if name not in FREE}
        return {**plan, "base": self.base.sha256, "data": self.prepared.sha256, **others}

    @cached_property
    def vectors(self) -> Vectors | None:
        return Vectors(self.miner) if self.miner else None

    def learnt(self, folder: Path) -> Sequence[Example]:
        """With negatives and the teacher's scores; made once a run."""
        path = folder / checkpoints.LEARNT
        if path.exists():
            return read(path).examples
        self.say(f"Looking for passages that answer nothing, by words{f' and by {self.miner.name}' if self.miner else ''}")
        prepared, count = self.prepared, 2 * (self.plan.candidates - 1)
        found = mined(prepared.learnt, prepared.pool, self._near(prepared.pool), count, self.plan.seed)
        if self.teacher and self.plan.distil:
            self.say(f"Asking {self.teacher.name} what it thinks of them")
            found = teaching.taught(found, self.teacher, self.plan.tokens)
        written(found, path)
        return found

    def _near(self, pool: Sequence[str]) -> Near | None:
        if not (vectors := self.vectors):
            return None
        passages = vectors.passages(pool)
        return lambda asked, count: nearest(vectors.queries(asked), passages, count)

    def figures(self, model: PreTrainedModel) -> dict[str, Any]:
        """By set and way of ranking, `measuring.figures`."""
        prepared, seed, found = self.prepared, self.plan.seed, {}
        sets = [measuring.of_examples(prepared.kept, prepared.pool, seed)]
        sets += [measuring.of_folder(one, self.judged, seed) for one in prepared.evaluations]
        for one in sets:
            self.say(f"Measuring {one.name}: {len(one.questions):,} questions, {len(one.passages):,} passages")
            ways = self._embedded(one, model) if self.plan.kind == "embedder" else self._judged(one, model)
            found[one.name] = {way: measuring.figures(one, rankings) for way, rankings in ways.items()}
        return found

    def _embedded(self, one: Set, model: PreTrainedModel) -> dict[str, list[measuring.Ranking]]:
        before, after = (measuring.dense(one, _cosines(one, Vectors(self.base, model=each))) for each in (None, model))
        return {"bm25": measuring.first_stage(one, measuring.firsts(one, None)), "before": before, "after": after}

    def _judged(self, one: Set, model: PreTrainedModel) -> dict[str, list[measuring.Ranking]]:
        near = (_cosines(one, self.vectors), weights_of(self.vectors.base.name)) if self.vectors else None
        first = measuring.firsts(one, near)
        ways = {"first": measuring.first_stage(one, first)}
        for way, score in (("before", self._before(model)), ("after", self._score(model))):
            if score:
                ways[f"{way} alone"], ways[way] = measuring.reranked(one, first, score)
        return ways

    def _before(self, model: PreTrainedModel) -> measuring.Judge | None:
        """Of a base that has a head already; what a new one says is by chance."""
        return self._score(cross_encoder(self.base).to(model.device)) if self.base.judges else None  # type: ignore[arg-type]

    def _score(self, model: PreTrainedModel) -> measuring.Judge:
        words = Tokenizer.from_file(str(self.base.folder / "tokenizer.json"))
        return partial(reranking.scored, model, reranking.collator(model, words, self.plan.tokens))

    def facts(self, figures: Mapping[str, Any], log: Sequence[Mapping[str, Any]], out: Path) -> dict[str, Any]:
        """What the card says."""
        role, kind, base = "score" if self.plan.kind == "reranker" else "embed", self.plan.kind, self.base
        others = [(one, name) for one, name in ((self.teacher, "teacher"), (self.miner, "miner")) if one]
        return {
            "about": f"A {kind}, fine-tuned from {base.name} by North.{self._named(out)}",
            "origins": [{"as": name, **cards.origin(one)} for one, name in ((base, "base"), *others)],
            "data": self.prepared.facts,
            "plan": {**asdict(self.plan), "device": device(), "torch": torch.__version__, "last loss": log[-1]["loss"] if log else None},
            "measured": "On questions that nothing was learnt from; no question and no answer of these sets is in the training data.",
            "figures": figures,
            "use": f"python manage.py models add {out} --role {role}\nNORTH_{role.upper()}_MODEL={out.resolve().name}",
        }

    def _named(self, out: Path) -> str:
        """How search weighs cosines goes by how a model's name begins."""
        if self.plan.kind == "reranker" or weights_of(self.base.name) == weights_of(out.resolve().name):
            return ""
        return f" Search weighs cosines by a model's name: let the folder's begin as {self.base.name} does, or set NORTH_FUSION_WEIGHTS."


def finetune(run: Run, out: Path, *, resume: bool) -> dict[str, Any]:
    """What the card says. Raises TrainingError, OSError."""
    run = replace(run, plan=fitting(run.plan, run.base))
    checkpoints.room(out, 8 * sum(path.stat().st_size for path in run.base.folder.glob("*.safetensors")))
    folder = checkpoints.begun(out, run.note, resume=resume)
    learnt = run.learnt(folder)
    plan = run.plan
    run.say(f"{len(learnt):,} examples, {plan.steps_of(len(learnt)):,} steps of {plan.batch} lists of {plan.candidates} on {device()}")
    model, log = trained(plan, learnt, run.base, folder, run.say)
    with writing(out):
        save(model, run.base, out)
    run.say(exporting.said(out))
    facts = run.facts(run.figures(model), log, out)
    cards.write(out, out.resolve().name, facts)
    shutil.rmtree(folder)
    return facts


def fitting(plan: Plan, base: Base) -> Plan:
    """The plan as this base needs it. Raises BadBase, BadPlan."""
    known(base)
    if plan.tokens > base.context:
        raise BadPlan(f"--tokens is {plan.tokens}, and {base.name} reads {base.context}.")
    if plan.kind == "embedder" and base.judges:
        raise BadBase(f"{base.name} is a cross-encoder; it makes no vectors. Give an encoder as --base, or fine-tune a reranker.")
    if plan.kind == "embedder" and plan.layers:
        raise BadPlan("--layers is for rerankers.")
    return replace(plan, temperature=plan.temperature or teaching.temperature(base.name))


def trained(plan: Plan, examples: Sequence[Example], base: Base, folder: Path, say: Say) -> tuple[PreTrainedModel, list[dict]]:
    """The model, and the log's rows. `folder`: of checkpoints."""
    torch.manual_seed(plan.seed)  # a new head is drawn by chance
    words, draws = Tokenizer.from_file(str(base.folder / "tokenizer.json")), Draws(examples, plan)
    make: Callable[..., Any] = reranking.RerankerTrainer
    if plan.kind == "reranker":
        model = cross_encoder(base, plan.layers)
        collate: Callable[..., Any] = reranking.collator(model, words, plan.tokens)
    else:
        model, make, collate = encoder(base), partial(embedding.EmbedderTrainer, base=base), embedding.Collator(words, base, plan.tokens)
    log = learn(make, model, draws, collate, folder=folder, say=say)
    return model.eval(), log


def save(model: PreTrainedModel, base: Base, out: Path) -> None:
    """As transformers and sentence-transformers lay a model out. Raises OSError."""
    model.save_pretrained(out)
    for name in COPIED:
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, out / name)
    if not hasattr(model, "classifier"):
        (out / "1_Pooling").mkdir(exist_ok=True)
        modes = {"pooling_mode_mean_tokens": base.pooling == "mean", "pooling_mode_cls_token": base.pooling == "cls"}
        (out / "1_Pooling" / "config.json").write_text(json.dumps(modes))
        prompts = {"prompts": {"query": base.query, "passage": base.passage}}
        (out / "config_sentence_transformers.json").write_text(json.dumps(prompts))


def _cosines(one: Set, vectors: Vectors) -> np.ndarray:
    return (vectors.queries(one.questions) @ vectors.passages(one.passages).T).cpu().numpy()
