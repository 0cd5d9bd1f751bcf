"""Reads a folder of questions whose documents are known, as BEIR lays it out, and refuses a broken one in words. Knows no index.

`corpus.jsonl`: objects with `_id`, `title`, `text`, and perhaps `lang`; `queries.jsonl`: `_id`, `text`, `lang`; `qrels.tsv` and
`qrels.NAME.tsv`: after a line of headings query-id, corpus-id, score, between tabs (https://github.com/beir-cellar/beir/wiki).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

UNKNOWN = "?"
"""The language of a text that names none."""
BYTES = 2_000_000_000
"""Of a file at most: it is held in memory."""


class BrokenFolder(Exception):
    """A folder that cannot be measured with: a sentence that says which file, which line, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Text:
    id: str
    text: str
    language: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """`judged`: by question, each judged document's grade. Every question has a relevant document, and all that is judged is there."""

    name: str
    qrels: str
    documents: Mapping[str, Text]
    questions: Mapping[str, Text]
    judged: Mapping[str, Mapping[str, float]]
    left_out: int = 0
    """Questions of the file that are not asked, because nothing relevant is judged for them, or they are in none of the languages."""


def read(
    folder: Path, *, qrels: str = "", corpus_language: str = "", not_language: str = "", limit: int | None = None, seed: int = 0
) -> Folder:
    """`qrels`: NAME of a `qrels.NAME.tsv`; `corpus_language`: only documents in it are searched; `not_language`: of questions, left out;
    `limit`: so many documents, those that are judged always. Raises BrokenFolder."""
    file = f"qrels.{qrels}.tsv" if qrels else "qrels.tsv"
    if not folder.is_dir():
        raise BrokenFolder(f"{folder} is no folder.")
    documents = _texts(folder / "corpus.jsonl")
    questions = _texts(folder / "queries.jsonl")
    judged = _judged(folder / file, questions, documents)
    if corpus_language:
        documents = {key: one for key, one in documents.items() if one.language == corpus_language}
        judged = {key: {one: grade for one, grade in grades.items() if one in documents} for key, grades in judged.items()}
    asked = {
        key: question
        for key, question in questions.items()
        if any(grade > 0 for grade in judged.get(key, {}).values()) and question.language != (not_language or None)
    }
    if not asked:
        raise BrokenFolder(f"{folder / file}: no question has a relevant document{' in ' + corpus_language if corpus_language else ''}.")
    judged = {key: judged[key] for key in asked}
    if limit is not None:
        documents = _fewer(documents, {one for grades in judged.values() for one in grades}, limit, seed)
    return Folder(folder.resolve().name, file, documents, asked, judged, len(questions) - len(asked))


def sampled(folder: Folder, count: int | None, *, seed: int = 0) -> Folder:
    """At most `count` of the questions, from each language the same number as far as it goes, drawn by the seed."""
    if count is None or count >= len(folder.questions):
        return folder
    by_language: dict[str, list[str]] = defaultdict(list)
    for key, question in folder.questions.items():
        by_language[question.language].append(key)
    drawn = [_drawn(keys, seed) for _, keys in sorted(by_language.items())]
    most = max(map(len, drawn))
    chosen = set([keys[turn] for turn in range(most) for keys in drawn if turn < len(keys)][:count])
    return replace(
        folder,
        questions={key: one for key, one in folder.questions.items() if key in chosen},
        judged={key: one for key, one in folder.judged.items() if key in chosen},
    )


def _fewer(documents: Mapping[str, Text], needed: Collection[str], limit: int, seed: int) -> dict[str, Text]:
    more = set(_drawn(documents.keys() - set(needed), seed)[: max(0, limit - len(needed))])
    return {key: one for key, one in documents.items() if key in needed or key in more}


def _drawn(ids: Collection[str], seed: int) -> list[str]:
    """In an order by chance that only the seed decides, and not which others there are."""
    return sorted(ids, key=lambda one: hashlib.sha256(f"{seed} {one}".encode(errors="replace")).digest())


def _texts(path: Path) -> dict[str, Text]:
    found: dict[str, Text] = {}
    for number, line in _lines(path):
        one = _text(path, number, line)
        if one.id in found:
            raise BrokenFolder(f"{path}, line {number}: the id {one.id!r} was there before.")
        found[one.id] = one
    if not found:
        raise BrokenFolder(f"{path} is empty.")
    return found


def _text(path: Path, number: int, line: str) -> Text:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenFolder(f"{path}, line {number}: no JSON ({error}).") from error
    if not isinstance(row, dict):
        raise BrokenFolder(f"{path}, line {number}: an object is needed, not {type(row).__name__}.")
    values = {name: "" if row.get(name) is None else row[name] for name in ("_id", "text", "title", "lang")}
    for name, value in values.items():
        if not isinstance(value, str):
            raise BrokenFolder(f"{path}, line {number}: {name} is {type(value).__name__}, where words are needed.")
    if not values["_id"] or "text" not in row:
        raise BrokenFolder(f"{path}, line {number}: it has no {'text' if values['_id'] else '_id'}.")
    return Text(values["_id"], written(values["text"]), values["lang"] or UNKNOWN, written(values["title"]))


def written(text: str) -> str:
    """As a parser would give it: no NUL, no lone surrogate, one kind of line end."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(" " if letter == "\x00" or "\ud800" <= letter <= "\udfff" else letter for letter in whole)


def _judged(path: Path, questions: Mapping[str, Text], documents: Mapping[str, Text]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for number, line in _lines(path):
        parts = line.split("\t")
        if number == 1 and parts[0] == "query-id":
            continue
        if len(parts) != 3:
            raise BrokenFolder(f"{path}, line {number}: query-id, corpus-id and score between tabs are needed.")
        question, document, grade = (part.strip() for part in parts)
        for kind, key, known in (("question", question, questions), ("document", document, documents)):
            if key not in known:
                raise BrokenFolder(f"{path}, line {number}: there is no {kind} {key!r}.")
        found[question][document] = _grade(path, number, grade)
    return found


def _grade(path: Path, number: int, grade: str) -> float:
    try:
        value = float(grade)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BrokenFolder(f"{path}, line {number}: the score {grade!r} is no number.")
    return value


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number."""
    try:
        if path.stat().st_size > BYTES:
            raise BrokenFolder(f"{path} is larger than {BYTES / 1e9:.0f} GB.")
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except FileNotFoundError as error:
        raise BrokenFolder(f"{path} is missing.") from error
    except IsADirectoryError as error:
        raise BrokenFolder(f"{path} is a folder, and no file.") from error
    except UnicodeDecodeError as error:
        raise BrokenFolder(f"{path} is not written in UTF-8 ({error.reason} at byte {error.start}).") from error
    except OSError as error:
        raise BrokenFolder(f"{path} cannot be read: {error.strerror}.") from error
