"""A small folder of questions, as BEIR lays it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

DOCUMENTS = [
    {"_id": "leave", "title": "Leave", "text": "Each employee has thirty days of paid leave a year.", "lang": "en"},
    {"_id": "travel", "title": "", "text": "Travel by train is paid in second class.", "lang": "en"},
    {
        "_id": "long",
        "title": "Handbook",
        "text": "The canteen opens at noon. " * 80 + "\n\nParking costs nothing at weekends.",
        "lang": "en",
    },
    {"_id": "urlaub", "title": "", "text": "Jeder Mitarbeiter hat dreißig Tage Urlaub.", "lang": "de"},
    {"_id": "empty", "title": "", "text": "", "lang": "en"},
    *({"_id": f"other{n}", "title": "", "text": f"Rule number {n} says nothing of that.", "lang": "en"} for n in range(8)),
]
QUESTIONS = [
    {"_id": "q1", "text": "How many days of paid leave?", "lang": "en"},
    {"_id": "q2", "text": "parking at weekends", "lang": "en"},
    {"_id": "q3", "text": "Tage Urlaub", "lang": "de"},
    {"_id": "q4", "text": "train", "lang": "en"},
    {"_id": "q5", "text": "Nobody judged this one", "lang": "en"},
    {"_id": "q6", "text": "?!", "lang": "fr"},
]
JUDGED = [
    ("q1", "leave", 2),
    ("q1", "urlaub", 1),
    ("q2", "long", 1),
    ("q3", "urlaub", 1),
    ("q4", "travel", 1),
    ("q4", "leave", 0),
    ("q6", "travel", 1),
]

Write = Callable[..., Path]


def lines(rows: Iterable[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def qrels(rows: Iterable[tuple[str, str, float]]) -> str:
    return "query-id\tcorpus-id\tscore\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the folder, with some of its files otherwise (a name with _ for ., its text; None: not at all)."""

    def written(**files: str | bytes | None) -> Path:
        folder = tmp_path / "small"
        folder.mkdir(exist_ok=True)
        given = {"corpus_jsonl": lines(DOCUMENTS), "queries_jsonl": lines(QUESTIONS), "qrels_tsv": qrels(JUDGED), **files}
        for name, content in given.items():
            path = folder / name.replace("__", "/").replace("_", ".")
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return written
