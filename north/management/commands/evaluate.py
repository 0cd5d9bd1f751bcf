"""`manage.py evaluate FOLDER`: how well search finds what a folder's questions ask for, stage by stage; `--fixed`: over the fixed sets."""

from __future__ import annotations

import json
import sqlite3
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from north import wiring
from north.evaluation import measuring, reporting, sets
from north.evaluation.folders import BrokenFolder, Folder, read, sampled
from north.evaluation.reporting import Report
from north.indexes.models import Generation
from north.inference.errors import ModelError
from retrieval.errors import RetrievalError

SEED = 7
FAULTS = (BrokenFolder, measuring.NoMeasuring, ModelError, RetrievalError)


def count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError("a whole number of 1 or more")
    return int(text)


class Command(BaseCommand):
    help = "Measures how well search finds the documents that a folder's questions ask for: by words, by meaning, by both, and judged."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="corpus.jsonl, queries.jsonl and qrels.tsv; with --fixed the folder of such folders")
        parser.add_argument("--fixed", action="store_true", help=f"measure the fixed sets: {', '.join(one.name for one in sets.SETS)}")
        parser.add_argument("--only", nargs="+", default=[], metavar="SET", help="with --fixed: these of them")
        parser.add_argument("--json", action="store_true", help="print everything as JSON, and the progress beside it")
        parser.add_argument(
            "--queries", type=count, metavar="N", help="ask N questions, of each language the same number, drawn by the seed"
        )
        parser.add_argument("--corpus-limit", type=count, metavar="N", help="search N documents, among them all that are judged")
        parser.add_argument("--qrels", default="", metavar="NAME", help="read qrels.NAME.tsv")
        parser.add_argument("--corpus-language", default="", metavar="LANG", help="search only documents in this language")
        parser.add_argument("--not-language", default="", metavar="LANG", help="leave out questions in this language")
        parser.add_argument("--seed", type=int, default=SEED)
        parser.add_argument("--cache", type=Path, help="where vectors of passages are kept; else in the data folder")

    def handle(self, folder: Path, *, fixed: bool, only: list[str], **options: Any) -> None:
        try:
            if fixed:
                chosen = [
                    sets.opened(one, place, limit=options["corpus_limit"], seed=options["seed"]) for one, place in sets.fixed(folder, only)
                ]
            elif only:
                raise CommandError("--only is for --fixed.")
            else:
                chosen = [self.read(folder, **options)]
            self.finish([self.measure(one, **options) for one in chosen], fixed=fixed, **options)
        except FAULTS as error:
            raise CommandError(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise CommandError(f"The file of kept vectors cannot be used ({error}). Delete it, or name another with --cache.") from error
        except KeyboardInterrupt as stop:
            raise CommandError("Stopped. What was embedded is kept.", returncode=130) from stop

    def read(
        self, folder: Path, *, qrels: str, corpus_language: str, not_language: str, corpus_limit: int | None, seed: int, **_: Any
    ) -> Folder:
        return read(folder, qrels=qrels, corpus_language=corpus_language, not_language=not_language, limit=corpus_limit, seed=seed)

    def measure(self, folder: Folder, *, queries: int | None, seed: int, cache: Path | None, **options: Any) -> Report:
        asked = sampled(folder, queries, seed=seed)
        given = Generation.of_settings()  # the settings' model is measured, whichever the index was made with
        score = wiring.judged if settings.MODELS.get("score") else None
        models = {"embed": given.model, "score": wiring.model_name("score") if score else None}
        self.stderr.write(f"{folder.name}: {len(folder.documents):,} documents, {len(asked.questions):,} questions")
        place = cache or settings.DATA_DIR / "evaluations" / "vectors.sqlite3"
        found = measuring.measure(
            asked,
            wiring.embedder(given),
            str(models["embed"]),
            place,
            weights=wiring.fusion_weights(),
            score=score,
            verdict=wiring.verdict(),
            judged_bytes=settings.RERANK_BYTES,
            say=lambda words: self.stderr.write(f"  {words}"),
        )
        told = reporting.report(asked, found, models, seed=seed, sampled=len(asked.questions) < len(folder.questions))
        reporting.keep(told, settings.DATA_DIR / "evaluations")
        if not options["json"]:
            self.stdout.write(f"\n{reporting.table(told)}\n")
        return told

    def finish(self, reports: list[Report], *, fixed: bool, **options: Any) -> None:
        if not fixed:
            if options["json"]:
                self.stdout.write(json.dumps(reports[0], ensure_ascii=False))
            return
        together = reporting.mean(reports)
        everything = {"sets": {one["set"]: one for one in reports}, "mean": together, **reporting.facts()}
        path = reporting.keep(everything, settings.DATA_DIR / "evaluations")
        self.stdout.write(json.dumps(everything, ensure_ascii=False) if options["json"] else reporting.summary(reports, together))
        self.stderr.write(f"Kept in {path}")
