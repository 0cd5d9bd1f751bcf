"""What a model learns from: a question, passages that answer it, and passages that do not.

Read from a folder as BEIR has them, in the layout of `north.evaluation.folders`; documents are cut into chunks as North cuts them, and the
one that shares most of the question's words stands for a document that answers. Or from a .jsonl file, or a folder of them, with a line an
example: {"query": "...", "positives": ["..."], "negatives": ["..."], "scores": [...]}. `negatives` may be left out; so may `scores`, what
another model thinks of the positives and then the negatives, as logits.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from north.evaluation import folders
from north.evaluation.folders import BrokenFolder, Text
from north.training.errors import BadData
from north.training.postings import Postings
from retrieval.chunking import chunk, shown
from retrieval.types import Parsed


@dataclass(frozen=True, slots=True)
class Example:
    """`scores`: one for each of the positives and then the negatives, or none."""

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def passages(self) -> tuple[str, ...]:
        return self.positives + self.negatives

    def without(self, passages: frozenset[str]) -> Example:
        """These are none of its negatives any more."""
        kept = [at for at, text in enumerate(self.passages) if at < len(self.positives) or text not in passages]
        negatives = tuple(self.passages[at] for at in kept[len(self.positives) :])
        return replace(self, negatives=negatives, scores=tuple(self.scores[at] for at in kept) if self.scores else ())


@dataclass(frozen=True, slots=True)
class Data:
    """`pool`: every passage there is, each once: where negatives come from."""

    examples: Sequence[Example]
    pool: Sequence[str]

    @property
    def sha256(self) -> str:
        whole = hashlib.sha256()
        for one in self.examples:
            whole.update(json.dumps([one.query, one.positives, one.negatives, one.scores]).encode())
        for passage in self.pool:
            whole.update(passage.encode(errors="replace") + b"\0")
        return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Draw:
    """One of an example's positives, some of its negatives, and their scores (or none)."""

    query: str
    passages: tuple[str, ...]
    scores: tuple[float, ...]


def read(path: Path, *, qrels: str = "") -> Data:
    """`qrels`: NAME of a folder's `qrels.NAME.tsv`. Raises BadData, naming file and line."""
    if (path / "corpus.jsonl").is_file():
        return _folder(path, qrels)
    files = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
    if not files:
        raise BadData(f"{path} holds no examples. Give a .jsonl file with query, positives and negatives in each line, a folder of such"
                      " files, or a folder with corpus.jsonl, queries.jsonl and qrels.tsv.")  # fmt: skip
    found = [_example(row, place) for file in files for place, row in json_lines(file)]
    if not found:
        raise BadData(f"{path} holds no example: every line is blank.")
    return Data(found, list(dict.fromkeys(passage for example in found for passage in example.passages)))


def draw(example: Example, count: int, rng: random.Random) -> Draw:
    """`count` passages at most, a positive first. Of more negatives than needed other ones come each time."""
    first = rng.randrange(len(example.positives))
    others = list(range(len(example.positives), len(example.passages)))
    chosen = [first, *rng.sample(others, min(count - 1, len(others)))]
    scores = tuple(example.scores[at] for at in chosen) if example.scores else ()
    return Draw(example.query, tuple(example.passages[at] for at in chosen), scores)


def written(examples: Sequence[Example], path: Path) -> None:
    """As `read` reads them; whole or not at all."""
    rows = ({"query": one.query, "positives": one.positives, "negatives": one.negatives, "scores": one.scores} for one in examples)
    part = path.with_name(f".{path.name}")
    part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    part.replace(path)


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where it stands, the object) of each line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read as UTF-8 text: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadData(f"{path}, line {number}: not JSON ({error}).") from error
        if not isinstance(row, dict):
            raise BadData(f"{path}, line {number}: not a JSON object.")
        yield f"{path}, line {number}", row


def _example(row: dict[str, Any], place: str) -> Example:
    query = row.get("query")
    if not isinstance(query, str) or not query.strip():
        named = ", ".join(map(str, list(row)[:8])) or "nothing"
        raise BadData(f"{place}: `query` must be a text that is not empty. The line holds: {named}.")
    positives, negatives = _texts(row, "positives", place), _texts(row, "negatives", place)
    if not positives:
        raise BadData(f"{place}: `positives` must hold a passage that answers the query.")
    if both := set(positives) & set(negatives):
        raise BadData(f"{place}: the same passage is among the positives and the negatives: {min(both)[:80]!r}.")
    return Example(folders.written(query.strip()), positives, negatives, _scores(row, len(positives) + len(negatives), place))


def _scores(row: dict[str, Any], count: int, place: str) -> tuple[float, ...]:
    scores = row.get("scores") or []
    if not isinstance(scores, list) or not all(isinstance(score, int | float) and math.isfinite(score) for score in scores):
        raise BadData(f"{place}: `scores` must be a list of numbers.")
    if scores and len(scores) != count:
        raise BadData(f"{place}: {len(scores)} scores for {count} passages.")
    return tuple(map(float, scores))


def _texts(row: dict[str, Any], name: str, place: str) -> tuple[str, ...]:
    texts = row.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise BadData(f"{place}: `{name}` must be a list of texts that are not empty.")
    return tuple(dict.fromkeys(map(folders.written, texts)))


def _folder(path: Path, qrels: str) -> Data:
    try:
        folder = folders.read(path, qrels=qrels)
    except BrokenFolder as error:
        raise BadData(str(error)) from error
    chunks = {key: chunks_of(document) for key, document in folder.documents.items()}
    best = Best(chunks)
    found = []
    for key, question in folder.questions.items():
        grades = folder.judged[key]
        yes = tuple(dict.fromkeys(best(question.text, one) for one, grade in grades.items() if grade > 0 and chunks[one]))
        no = (best(question.text, one) for one, grade in grades.items() if grade <= 0 and chunks[one])
        if yes and question.text.strip():
            found.append(Example(question.text.strip(), yes, tuple(dict.fromkeys(text for text in no if text not in yes))))
    if not found:
        raise BadData(f"{path} holds no example: no question has a text and a document with one.")
    return Data(found, list(dict.fromkeys(text for texts in chunks.values() for text in texts)))


def chunks_of(document: Text) -> list[str]:
    """As a search engine of North shows them to its models."""
    parsed = Parsed(document.text, "text/plain", document.title)
    return [shown(one) for one in chunk(parsed)] or ([document.title] if document.title.strip() else [])


class Best:
    """The chunk of a document that a question most likely means: by BM25, the first of equals (MaxP over words)."""

    def __init__(self, chunks: Mapping[str, Sequence[str]]) -> None:
        self._chunks = chunks
        self._from: dict[str, int] = {}
        texts: list[str] = []
        for key, some in chunks.items():
            if len(some) > 1:
                self._from[key] = len(texts)
                texts += some
        self._words = Postings(texts)
        self._last: tuple[str, Any] = ("", None)

    def __call__(self, question: str, document: str) -> str:
        some = self._chunks[document]
        if len(some) == 1:
            return some[0]
        if self._last[0] != question:
            self._last = (question, self._words(question))
        start = self._from[document]
        return some[int(self._last[1][start : start + len(some)].argmax())]
