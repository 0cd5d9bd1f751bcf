"""Runs transformers' Trainer by a plan: settings, progress in words, and going on from the last whole checkpoint. Needs the extra "gpu"."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel, TrainerCallback, TrainerState, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback

from north.training import checkpoints
from north.training.draws import Draws, ListTrainer
from north.training.errors import NoRoom
from north.training.plans import Plan

Say = Callable[[str], object]
EVERY = 10.0
"""Seconds between two words on progress."""


def learn(
    make: Callable[..., ListTrainer], model: PreTrainedModel, draws: Draws, collate: Callable[..., Any], *, folder: Path, say: Say
) -> list[dict]:
    """Trains `model` in place; the log's rows. `folder`: of checkpoints. Raises NoRoom, OSError."""
    set_seed(draws.plan.seed)
    if draws.plan.frozen_words:
        model.base_model.embeddings.word_embeddings.requires_grad_(False)
    trainer = make(model=model, draws=draws, args=arguments(draws.plan, len(draws.examples), folder), data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Progress(say))
    going_on = checkpoints.last(folder)
    if going_on:
        say(f"Going on from step {going_on.name.rpartition('-')[2]}.")
    with writing(folder):
        trainer.train(resume_from_checkpoint=str(going_on) if going_on else None)
    return [dict(row) for row in trainer.state.log_history if "loss" in row]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What PyTorch and safetensors say of a disk that is full, in words. Raises NoRoom."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if not any(words in str(error) for words in ("No space left", "failed writing", "File too large", "unexpected pos")):
            raise
        why = str(error).splitlines()[0]
        raise NoRoom(f"The model could not be written to {folder} ({why}). Make room, then go on with --resume.") from error


def arguments(plan: Plan, examples: int, folder: Path) -> TrainingArguments:
    on_gpu, steps = torch.cuda.is_available(), plan.steps_of(examples)
    return TrainingArguments(
        output_dir=str(folder), seed=plan.seed, data_seed=plan.seed, max_steps=steps, per_device_train_batch_size=plan.batch,
        learning_rate=plan.rate, weight_decay=plan.decay, warmup_steps=int(plan.warm * steps), lr_scheduler_type="linear",
        max_grad_norm=1.0, optim="adamw_torch_fused" if on_gpu else "adamw_torch", bf16=on_gpu, use_cpu=not on_gpu,
        logging_steps=max(1, min(50, steps // 10)),
        save_strategy="steps" if plan.keep_every else "no", save_steps=plan.keep_every or steps, save_total_limit=1, report_to=[],
        disable_tqdm=True, remove_unused_columns=False, dataloader_num_workers=plan.workers, dataloader_pin_memory=on_gpu,
        dataloader_prefetch_factor=4 if plan.workers else None,
    )  # fmt: skip


class Progress(TrainerCallback):
    """Says where it is and when it will be done, every EVERY seconds and at the end."""

    def __init__(self, say: Say) -> None:
        self._say, self._began, self._said, self._first = say, time.monotonic(), 0.0, 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        self._began, self._first = time.monotonic(), state.global_step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        now, step, last = time.monotonic(), state.global_step, state.max_steps
        if step < last and now - self._said < EVERY:
            return
        self._said = now
        pace = (now - self._began) / max(1, step - self._first)
        loss = next((f", loss {row['loss']:.3f}" for row in reversed(state.log_history) if "loss" in row), "")
        self._say(f"step {step:,} of {last:,}{loss}, {pace:.2f} s a step, {_duration(pace * (last - step))} to go")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "the processor"
