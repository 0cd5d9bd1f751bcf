"""Sets of questions whose answers and documents are known, as files to upload and questions to ask, in an order that only the seed
decides."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from north.evaluation.folders import read
from tests.bench.correctness.scoring import Amount, amounts_in

SEED = 7
TUNING = 5
"""One question of so many, the last ones in their order, is kept apart for looking at."""
SETS: dict[str, dict[str, Any]] = {"xquad": {"corpus_language": "en"}, "multihop-mini": {"limit": 900}, "sec10q": {}}
NAME_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Question:
    """`answers`: each of them is right; where there is none, `reference` tells it in sentences. `gold`: the documents that answer it."""

    id: str
    text: str
    answers: tuple[str, ...]
    reference: str
    gold: frozenset[str]

    @property
    def amounts(self) -> frozenset[Amount]:
        return amounts_in(self.reference)


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Known:
    name: str
    files: Mapping[str, File]
    questions: Sequence[Question]


def known(name: str, folder: Path, *, whole: bool = False, tuning: bool = False) -> Known:
    """`whole`: all documents, where a sample is searched otherwise."""
    limits = {key: value for key, value in SETS[name].items() if not (whole and key == "limit")}
    found = read(folder / name, seed=SEED, **limits)
    rows = {one["_id"]: one for one in map(json.loads, (folder / name / "queries.jsonl").read_text(encoding="utf-8").splitlines())}
    asked = [key for key in drawn(found.questions) if found.questions[key].language in {"en", "?"}]
    apart = len(asked) - len(asked) // TUNING
    questions = [
        Question(
            key, found.questions[key].text, tuple(rows[key].get("answers", ())), rows[key].get("answer", ""),
            frozenset(document for document, grade in found.judged[key].items() if grade > 0),
        )
        for key in (asked[apart:] if tuning else asked[:apart])
    ]  # fmt: skip
    pdfs = folder / name / "pdfs"
    files = {
        key: File(key, (pdfs / key).read_bytes()) if pdfs.is_dir() else File(file_name(one.title or key), told(one.title, one.text))
        for key, one in found.documents.items()
    }
    return Known(name, files, questions)


def drawn(ids: Mapping[str, Any]) -> list[str]:
    return sorted(ids, key=lambda one: hashlib.sha256(f"{SEED} {one}".encode()).digest())


def file_name(title: str) -> str:
    return re.sub(r"[^\w .,()-]+", " ", title).strip()[:NAME_CHARACTERS] + ".txt"


def told(title: str, text: str) -> bytes:
    return (f"{title}\n\n{text}" if title else text).encode()
