"""`manage.py evaluate` over a small folder: the real index in its own process, the hashing embedder, a real and tiny cross-encoder."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from north import wiring
from north.evaluation import reporting
from north.evaluation.measuring import Asked
from north.evaluation.models import WAYS
from north.evaluation.sets import SETS
from tests.evaluation.conftest import DOCUMENTS, QUESTIONS, Write, lines, qrels
from tests.hashing import HashingEmbedder
from tests.inference import tiny


@pytest.fixture(autouse=True)
def engine(settings: Any, tmp_path: Path) -> None:
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "engine": "tests.hashing.load"}}
    settings.DATA_DIR = tmp_path / "data"
    assert isinstance(wiring.embedder(), HashingEmbedder), "another test of this process loaded a real embedding model"


def evaluate(*arguments: object) -> tuple[str, str]:
    out, told = StringIO(), StringIO()
    call_command("evaluate", *map(str, arguments), stdout=out, stderr=told)
    return out.getvalue(), told.getvalue()


def test_it_measures_each_stage_and_prints_json_and_nothing_else(write: Write, settings: Any) -> None:
    told = json.loads(evaluate(write(), "--json")[0])
    assert (told["set"], told["documents"], told["questions"], told["left_out"]) == ("small", len(DOCUMENTS), 5, 1)
    assert told["chunks"] > told["documents"], "the long one is cut"
    for way in ("bm25", "dense", "fused"):
        assert {"ndcg@10", "recall@50", "mrr@10", "all_gold@10", "interval", "latency_ms"} == set(told[way])
        assert 0 < told[way]["interval"]["ndcg@10"][0] <= told[way]["ndcg@10"] <= told[way]["interval"]["ndcg@10"][1] <= 1
        assert 0 < told[way]["latency_ms"]["p50"] <= told[way]["latency_ms"]["p95"]
    assert told["bm25"]["recall@50"] == pytest.approx((0.5 + 1 + 1 + 1 + 0) / 5), "no word leads from q1 to German, or from q6 anywhere"
    assert told["reranked"] is None and "NORTH_SCORE_MODEL" in told["not_measured"]["reranked"]
    assert set(told["languages"]) == {"de", "en", "fr"} and told["languages"]["de"]["bm25"]["ndcg@10"] == 1
    assert told["languages"]["fr"]["fused"]["ndcg@10"] == 0, "a question without words finds nothing"
    assert told["by_question"]["q2"]["fused"]["mrr@10"] == 1, "a document is worth its best chunk"
    assert told["commit"] and told["sampled"] is None
    kept = [json.loads(path.read_text()) for path in (settings.DATA_DIR / "evaluations").glob("*.json")]
    assert kept == [told]


def test_it_prints_a_table_and_says_what_was_not_measured(write: Write) -> None:
    out, told = evaluate(write())
    for words in ("nDCG@10", "recall@50", "bm25", "dense", "fused", "NORTH_SCORE_MODEL names no model", "nDCG@10 by language", "points of"):
        assert words in out
    assert "documents indexed" in told and "documents indexed" not in out


def test_a_second_time_embeds_no_passage(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(write(), "--json")
    assert "chunks embedded" in first[1]
    again = evaluate(write(), "--json")
    assert "chunks embedded" not in again[1]
    assert json.loads(again[0])["fused"]["ndcg@10"] == json.loads(first[0])["fused"]["ndcg@10"]


def test_a_sample_of_the_questions_is_said_to_be_one(write: Write) -> None:
    told = json.loads(evaluate(write(), "--json", "--queries", 3)[0])
    assert told["questions"] == 3 and told["sampled"] == {"seed": 7} and set(told["languages"]) == {"de", "en", "fr"}
    assert "3 questions drawn by seed 7" in evaluate(write(), "--queries", 3)[0]


def test_a_model_that_judges_is_measured_where_there_is_one(write: Write, settings: Any, tmp_path: Path) -> None:
    tiny.save(tmp_path / "judge", head=True)
    settings.MODELS = {
        **settings.MODELS,
        "score": {"engine": "tests.inference.tiny.load", "folder": str(tmp_path / "judge"), "model": "tiny"},
    }
    told = json.loads(evaluate(write(), "--json")[0])
    assert told["models"]["score"] == "tiny" and told["not_measured"] == {} and told["final_minus_first_stage"]["final"] == "reranked"
    assert told["reranked"]["recall@50"] == told["fused"]["recall@50"], "judging orders what was found, and loses nothing"
    assert any(each["reranked"] != each["fused"] for each in told["by_question"].values())
    assert set(WAYS) <= told.keys()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--qrels", "none"], "missing"),
        (["--queries", "0"], "a whole number of 1 or more"),
        (["--queries", "many"], "a whole number of 1 or more"),
        (["--corpus-language", "xx"], "no question has a relevant document in xx"),
        (["--only", "cranfield"], "--only is for --fixed"),
        (["--fixed"], "folders are missing"),
        (["--fixed", "--only", "nonsense"], "There is no set nonsense"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(write: Write, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        evaluate(write(), *arguments)


def test_a_file_of_vectors_that_is_something_else_is_said(write: Write, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"this is no database" * 100)
    with pytest.raises(CommandError, match="kept vectors cannot be used"):
        evaluate(write(), "--cache", tmp_path / "kept")


def test_the_fixed_sets_are_measured_in_one_run_and_meant_together(tmp_path: Path, settings: Any) -> None:
    root = tmp_path / "open"
    for name in {one.folder for one in SETS}:
        (root / name).mkdir(parents=True)
        (root / name / "corpus.jsonl").write_text(lines(DOCUMENTS))
        (root / name / "queries.jsonl").write_text(lines(QUESTIONS))
        for file in ("qrels.tsv", "qrels.to_en.tsv"):
            (root / name / file).write_text(qrels([("q1", "leave", 1), ("q3", "leave", 1), ("q4", "travel", 1)]))
    told = json.loads(evaluate(root, "--fixed", "--json")[0])
    assert list(told["sets"]) == [one.name for one in SETS]
    assert told["sets"]["xquad.to_en"]["questions"] == 1, "only questions in other languages than English are asked there"
    assert told["mean"]["fused"]["ndcg@10"] == pytest.approx(sum(one["fused"]["ndcg@10"] for one in told["sets"].values()) / len(SETS))
    out = evaluate(root, "--fixed", "--only", "cranfield", "lohelp-open")[0]
    assert "cranfield" in out and "mean" in out and "jaquad" not in out


def test_the_difference_to_the_better_first_stage_is_paired() -> None:
    values = [(0.2, 0.6, 0.7), (0.4, 0.2, 0.5), (0.1, 1.0, 1.0)]
    asked = [
        Asked(str(number), "en", {way: {"ndcg@10": one} for way, one in zip(("bm25", "dense", "fused"), each, strict=True)})
        for number, each in enumerate(values)
    ]
    made = reporting.compared(asked, ["bm25", "dense", "fused"])
    assert (made["final"], made["first_stage"]) == ("fused", "dense")
    assert made["ndcg@10"] == pytest.approx((0.1 + 0.3 + 0.0) / 3)
    assert 0 <= made["interval"][0] <= made["ndcg@10"] <= made["interval"][1] <= 0.3
