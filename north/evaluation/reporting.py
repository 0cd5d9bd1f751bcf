"""What was measured, as plain data to keep and to compare, and as a table for a terminal."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from north.evaluation.folders import Folder
from north.evaluation.measuring import ROOT, Asked, Measured
from north.evaluation.models import WAYS
from retrieval.metrics import MEASURES, interval

MAIN = "ndcg@10"
FIRST_STAGE = ("bm25", "dense")
Report = dict[str, Any]


def report(folder: Folder, measured: Measured, models: Mapping[str, str | None], *, seed: int, sampled: bool) -> Report:
    """`bm25`, `dense`, `fused`, `reranked` (None where no model judges; `not_measured` says so): each measure's mean, `interval` their 95 %
    confidence intervals, `latency_ms`. `languages` has the same for each language of the questions; `questions` each question's values.
    `final_minus_first_stage`: the last stage against the better of BM25 and dense, by nDCG@10, paired question by question."""
    ways = [way for way in WAYS if way in measured.seconds]
    languages = sorted({one.language for one in measured.asked})
    return {
        "set": folder.name,
        "qrels": folder.qrels,
        "documents": len(folder.documents),
        "chunks": measured.chunks,
        "questions": len(folder.questions),
        "left_out": folder.left_out,
        "sampled": {"seed": seed} if sampled else None,
        "models": dict(models),
        **facts(),
        **{way: {**figures(measured.asked, way), "latency_ms": spread(measured.seconds[way])} for way in ways},
        **{way: None for way in WAYS if way not in ways},
        "not_measured": {} if "reranked" in ways else {"reranked": "NORTH_SCORE_MODEL names no model that judges passages."},
        "embedding_ms": spread(measured.embedding),
        "final_minus_first_stage": compared(measured.asked, ways),
        "languages": {
            language: {"questions": len(part), **{way: figures(part, way) for way in ways}}
            for language in languages
            if (part := [one for one in measured.asked if one.language == language])
        },
        "by_question": {one.id: {way: one.values[way] for way in ways} for one in measured.asked},
    }


def figures(asked: Sequence[Asked], way: str) -> Report:
    values = {name: [one.values[way][name] for one in asked] for name in MEASURES}
    return {**{name: fmean(each) for name, each in values.items()}, "interval": {name: interval(each) for name, each in values.items()}}


def compared(asked: Sequence[Asked], ways: Sequence[str]) -> Report:
    means = {way: fmean(one.values[way][MAIN] for one in asked) for way in ways}
    best, final = max(FIRST_STAGE, key=lambda way: means[way]), ways[-1]
    differences = [one.values[final][MAIN] - one.values[best][MAIN] for one in asked]
    return {"final": final, "first_stage": best, MAIN: means[final] - means[best], "interval": interval(differences)}


def mean(reports: Sequence[Report]) -> Report:
    """Over sets, each with the same weight."""
    ways = [way for way in WAYS if all(one[way] for one in reports)]
    return {
        **{way: {name: fmean(one[way][name] for one in reports) for name in MEASURES} for way in ways},
        "final_minus_first_stage": {MAIN: fmean(one["final_minus_first_stage"][MAIN] for one in reports)},
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1000
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "n": len(seconds)}


def facts() -> Report:
    return {
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
    }


def commit() -> str:
    """Of North, and whether its files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run([tool, *words], cwd=ROOT, text=True, capture_output=True, check=False).stdout.strip() if tool else ""

    tool = shutil.which("git")
    name = git("rev-parse", "--short", "HEAD")
    if not re.fullmatch(r"[0-9a-f]+", name):
        return "unknown"
    return name + (" with changes" if git("status", "--porcelain") else "")


def keep(told: Report, folder: Path) -> Path:
    """In a file of its own, which is never written again."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{told.get('set', 'all')}.json"
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return path


def table(told: Report) -> str:
    drawn = f" drawn by seed {told['sampled']['seed']}" if told["sampled"] else ""
    lines = [
        f"{told['set']}, {told['qrels']}: {told['documents']:,} documents, {told['chunks']:,} chunks, {told['questions']} questions{drawn}",
        f"{told['models']['embed']}; judged by {told['models']['score'] or 'none'}; commit {told['commit']}",
        f"{'':22}{'nDCG@10':>22}{'recall@50':>11}{'MRR@10':>9}{'all gold@10':>13}{'p50 ms':>9}{'p95 ms':>9}",
        *(row(way, told[way]) for way in WAYS if told[way]),
        *(f"{way:22}{said}" for way, said in told["not_measured"].items()),
    ]
    if len(told["languages"]) > 1:
        lines += ["", f"{'nDCG@10 by language':22}" + "".join(f"{way:>11}" for way in WAYS if told[way]) + f"{'questions':>11}"]
        lines += [language_row(language, told, each) for language, each in told["languages"].items()]
    return "\n".join([*lines, "", comparison(told)])


def row(way: str, each: Report) -> str:
    low, high = each["interval"][MAIN]
    main = f"{each[MAIN]:.3f} ({low:.3f} - {high:.3f})"
    rest = f"{each['recall@50']:11.3f}{each['mrr@10']:9.3f}{each['all_gold@10']:13.3f}"
    return f"{way:22}{main:>22}{rest}{each['latency_ms']['p50']:9.1f}{each['latency_ms']['p95']:9.1f}"


def language_row(language: str, told: Report, each: Report) -> str:
    return f"{language:22}" + "".join(f"{each[way][MAIN]:11.3f}" for way in WAYS if told[way]) + f"{each['questions']:11}"


def comparison(told: Report) -> str:
    made = told["final_minus_first_stage"]
    low, high = made["interval"]
    return f"{made['final']} minus {made['first_stage']}: {100 * made[MAIN]:+.1f} points of nDCG@10 ({100 * low:+.1f} to {100 * high:+.1f})"


def summary(reports: Sequence[Report], together: Report) -> str:
    """One line a set."""
    ways = [way for way in WAYS if way in together]
    head = f"{'nDCG@10':22}" + "".join(f"{way:>10}" for way in ways) + f"{'final minus first stage':>34}{'p95 ms':>9}"
    lines = [head]
    for one in reports:
        made = one["final_minus_first_stage"]
        low, high = made["interval"]
        change = f"{100 * made[MAIN]:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        lines.append(
            f"{one['set']:22}"
            + "".join(f"{one[way][MAIN]:10.3f}" for way in ways)
            + f"{change:>34}{one[made['final']]['latency_ms']['p95']:9.1f}"
        )
    change = f"{100 * together['final_minus_first_stage'][MAIN]:+.1f}"
    return "\n".join([*lines, f"{'mean':22}" + "".join(f"{together[way][MAIN]:10.3f}" for way in ways) + f"{change:>34}"])
