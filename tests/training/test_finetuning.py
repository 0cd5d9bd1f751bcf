"""Fine-tuning itself, on the CPU: a model that learns what its company's words mean, is the same when it was killed in between, and is
loaded by North's engines. Needs PyTorch."""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from north.inference.bringing import bring
from north.inference.pulling import pull
from north.inference.sources import SourceSettings
from north.training import weights
from north.training.bases import find
from north.training.examples import Draw
from tests.training import made

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[gpu]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install -e '.[gpu]'")
embedding, reranking = (importlib.import_module(f"north.training.{name}") for name in ("embedding", "reranking"))
torch_encoder = importlib.import_module("north.inference.torch_encoder")
tokenizers = importlib.import_module("tokenizers")
FAST = ["--tokens", "32", "--batch", "8", "--rate", "1e-3", "--train-words", "--candidates", "3", "--dev-share", "0.2"]


def command(kind: str, data: Path, base: Path, out: Path, *more: str) -> list[str]:
    return ["finetune", kind, "--data", str(data), "--base", str(base), "--out", str(out), *FAST, *more]


def finetune(*arguments: Any) -> tuple[str, str]:
    out, told = StringIO(), StringIO()
    call_command(*command(*arguments), stdout=out, stderr=told)
    return out.getvalue(), told.getvalue()


def added(folder: Path, role: str, models: Path) -> str:
    pull(bring(folder, role, {}), models, ["folder"], settings=SourceSettings(folder=folder.parent))
    return folder.name


def test_an_embedder_learns_the_companys_words_and_is_loaded_by_the_engine(tmp_path: Path) -> None:
    out = tmp_path / "company-embedder"
    said, told = finetune("embedder", made.folder(tmp_path / "data"), made.model(tmp_path / "enc"), out, "--steps", "120")
    figures = json.loads((out / "training.json").read_text())["figures"]["development"]
    assert figures["before"]["ndcg@10"] < 0.35 and figures["after"]["ndcg@10"] > figures["before"]["ndcg@10"] + 0.3
    assert "step 120 of 120" in told and "development" in said and not (out / "checkpoints").exists()
    engine = torch_encoder.load(added(out, "embed", tmp_path / "models"), tmp_path / "models", device="cpu")
    assert (engine.spec.query, engine.spec.passage, engine.spec.pooling) == ("query : ", "passage : ", "mean")
    near = engine.embed_queries([made.question(0, 1)]) @ engine.embed_passages([made.passage(0, 1), made.passage(7, 9)]).T
    assert near[0, 0] > near[0, 1]


def test_a_reranker_learns_and_is_loaded_by_the_engine(tmp_path: Path) -> None:
    """What answers is the rule, what does not is on: a cross-encoder of one layer learns that in no time."""
    data = tmp_path / "data"
    data.mkdir()
    for n in range(40):
        topic, term = f"{made.TOPICS[n % 12]} and {made.TOPICS[n // 12]}", f"{made.TERMS[n % 12]} and {made.TERMS[n // 12]}"
        row = {"query": f"{topic} ?", "positives": [f"{term} is the rule ."], "negatives": [f"{term} is on .", f"on {term} ."]}
        (data / f"{n}.jsonl").write_text(json.dumps(row))
    out = tmp_path / "company-reranker"
    base, plan = made.model(tmp_path / "enc"), ("--steps", "80", "--layers", "1", "--distil", "0.1", "--candidates", "2", "--rate", "5e-3")
    finetune("reranker", data, base, out, *plan)
    facts = json.loads((out / "training.json").read_text())
    figures = facts["figures"]["development"]
    assert set(figures) == {"first", "after", "after alone"}, "a head drawn by chance is no model to compare with"
    assert [one["as"] for one in facts["origins"]] == ["base", "teacher", "miner"] and facts["plan"]["layers"] == 1
    engine = torch_encoder.load_scorer(added(out, "score", tmp_path / "models"), tmp_path / "models", device="cpu")
    scores = engine("leave and travel ?", ["urlaub and reise is the rule .", "urlaub and reise is on .", "on reise and urlaub ."])
    assert scores[0] > scores[1] + 1 and scores[0] > scores[2] + 1


def test_a_run_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    data, base = made.folder(tmp_path / "data"), made.model(tmp_path / "enc")
    plan = ("--steps", "40", "--keep-every", "10")
    finetune("embedder", data, base, tmp_path / "whole", *plan)
    killed = tmp_path / "killed"
    kill_at_checkpoint(command("embedder", data, base, killed, *plan), killed)
    with pytest.raises(CommandError, match=r"unfinished run. Go on with --resume"):
        finetune("embedder", data, base, killed, *plan)
    with pytest.raises(CommandError, match=r"is another one .steps: 40 before, 50 now"):
        finetune("embedder", data, base, killed, "--steps", "50", "--keep-every", "10", "--resume")
    _, told = finetune("embedder", data, base, killed, *plan, "--resume")
    assert "Going on from step" in told
    one, other = weights.read(tmp_path / "whole"), weights.read(killed)
    assert all(np.allclose(one[name].floats, other[name].floats, atol=1e-5) for name in one)
    start = weights.read(base)
    assert any(np.abs(one[name].floats - start[name].floats).max() > 1e-2 for name in one)


def kill_at_checkpoint(arguments: list[str], out: Path) -> None:
    """kill -9, as soon as there is a whole checkpoint."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=root, env=dict(os.environ), stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(6000):
            if any(out.glob("checkpoints/checkpoint-*/trainer_state.json")):
                break
            try:
                process.wait(0.02)
                break
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL, process.stderr and process.stderr.read()
    finally:
        process.kill()


def test_a_disk_that_fills_up_is_said_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    arguments = (
        "embedder",
        made.folder(tmp_path / "data"),
        made.model(tmp_path / "enc"),
        tmp_path / "out",
        "--steps",
        "4",
        "--keep-every",
        "2",
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(CommandError, match=r"could not be written to .* Make room, then go on with --resume"):
            finetune(*arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    finetune(*arguments, "--resume")
    assert (tmp_path / "out" / "README.md").is_file()


def test_what_does_not_fit_the_base_is_refused(tmp_path: Path) -> None:
    data, cross = made.folder(tmp_path / "data"), made.model(tmp_path / "cross", head=True)
    for kind, base, more, words in (
        ("embedder", cross, (), "is a cross-encoder; it makes no vectors"),
        ("embedder", made.model(tmp_path / "enc"), ("--layers", "1"), "--layers is for rerankers"),
        ("reranker", cross, ("--tokens", "128"), "--tokens is 128, and cross reads 64"),
        ("reranker", cross, ("--layers", "5"), "5 layers cannot be taken"),
        ("reranker", made.model(tmp_path / "gpt", model_type="gpt2"), ("--teacher", "none"), "of the family gpt2"),
    ):
        with pytest.raises(CommandError, match=words):
            finetune(kind, data, base, tmp_path / f"out-{len(words)}", *more)


def test_a_base_whose_weights_do_not_fit_is_refused(tmp_path: Path) -> None:
    base = made.model(tmp_path / "enc")
    tensors = weights.read(base)
    kept = {name: tensor for name, tensor in tensors.items() if "layer.1." not in name}
    weights.write(base / "model.safetensors", kept.items(), {name: (one.kind, one.shape) for name, one in kept.items()})
    with pytest.raises(CommandError, match=r"weights are missing: encoder.layer.1"):
        finetune("embedder", made.folder(tmp_path / "data"), base, tmp_path / "out")


def test_a_lists_loss_is_least_where_the_answer_wins_and_the_teacher_is_followed() -> None:
    good, bad = torch.tensor([[5.0, 0.0, reranking.NEVER]]), torch.tensor([[0.0, 5.0, reranking.NEVER]])
    unknown, says_second = torch.full((1, 3), float("nan")), torch.tensor([[0.0, 5.0, float("nan")]])
    assert reranking.list_loss(good, unknown, 0.5) < 0.01 < 4 < reranking.list_loss(bad, unknown, 0.5)
    assert reranking.list_loss(bad, says_second, 1.0) < 1e-3 < reranking.list_loss(good, says_second, 1.0)
    both = reranking.list_loss(torch.cat([good, bad]), torch.cat([unknown, says_second]), 1.0)
    assert both == pytest.approx(float(reranking.list_loss(good, unknown, 1.0)) / 2, abs=1e-3), "each list by what is known of it"


def test_another_answer_to_the_same_question_does_not_count_against_it() -> None:
    draws = [Draw("Leave?", ("a", "x"), ()), Draw("leave", ("b", "y"), ()), Draw("other", ("c", "a"), ())]
    assert embedding.answers(draws).tolist() == [
        [True, False, True, False, False, True],
        [True, False, True, False, False, True],
        [False, False, False, False, True, False],
    ]
    vectors = torch.eye(6)
    places, _ = reranking.listed(draws)
    right = torch.from_numpy(embedding.answers(draws))
    asked = torch.stack([vectors[0] + vectors[2], vectors[2], vectors[4]])
    assert embedding.contrast(asked, vectors, places, right, 0.05) < 1e-3
    assert embedding.contrast(asked, vectors, places, torch.zeros_like(right), 0.05) > 0.1


def test_scores_are_those_of_the_engine_that_will_give_them(tmp_path: Path) -> None:
    """Training and North's engine read the same of a pair, also where the question is too long."""
    folder = made.model(tmp_path / "cross", head=True)
    base = find(str(folder), tmp_path)
    model = importlib.import_module("north.training.models").cross_encoder(base)
    collate = reranking.collator(model, tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), made.PLACES)
    asked, passages = "leave and travel ? " * 20, ["urlaub is the rule . " * 3, "reise .", "canteen"]
    engine = torch_encoder.load_scorer(added(folder, "score", tmp_path / "models"), tmp_path / "models", device="cpu")
    assert np.allclose(reranking.scored(model, collate, [(asked, text) for text in passages]), engine(asked, passages), atol=1e-4)
    assert np.allclose(reranking.scored(model, collate, [("leave ?", text) for text in passages]), engine("leave ?", passages), atol=1e-4)
