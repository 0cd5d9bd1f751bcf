"""Reads the quarterly reports of sec10q, and asks its questions of their pieces by words (BM25) and, where that is wanted, by meaning, too;
cut with and without the document's structure."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from north import wiring
from retrieval import fusion, reading, tokens
from retrieval.chunking import chunk, shown
from retrieval.types import Parsed, Way

TOP = 10
PROPOSED = 50
"""Pieces that words and meaning each propose."""
AMOUNT = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d{2,}")
"""What an answer can be found again by."""
STRUCTURE = ("table", "heading")

Pages = Mapping[str, set[str]]
"""By report, the pages that hold an amount of the answer."""


def main(folder: str, meaning: bool = False) -> dict[str, Any]:
    paths = sorted(Path(folder, "pdfs").glob("*.pdf"))
    read = {path.name: parsed(path) for path in paths}
    flat = {name: replace(one, places=tuple(place for place in one.places if place.kind not in STRUCTURE)) for name, one in read.items()}
    questions = [json.loads(line) for line in Path(folder, "queries.jsonl").read_text().splitlines()]
    relevant = named(folder)
    wanted = {one["_id"]: pages_with(one["answer"], relevant[one["_id"]], read) for one in questions}
    asked = {one["_id"]: one["text"] for one in questions if wanted.get(one["_id"])}
    places = Counter(place.kind for one in read.values() for place in one.places)
    before, after = Index(flat), Index(read)
    found = {
        "questions": len(asked), "pages": sum(one.pages for one in read.values()), "places": places,
        "before": recall(before.by_words, before, asked, wanted), "after": recall(after.by_words, after, asked, wanted),
    }  # fmt: skip
    if meaning:
        embedder, sides = wiring.engine("embed"), {"before": before, "after": after}
        found["meaning"] = {name: recall(index.embedded(embedder).by_both, index, asked, wanted) for name, index in sides.items()}
    return found


def parsed(path: Path) -> Parsed:
    return reading.read(path.name, path, Way("never"), seconds=600, megabytes=settings.PARSE_MEGABYTES)


def named(folder: str) -> Mapping[str, list[str]]:
    """The reports that answer each question."""
    found = defaultdict[str, list[str]](list)
    for line in Path(folder, "qrels.tsv").read_text().splitlines()[1:]:
        question, report, _ = line.split("\t")
        found[question].append(report)
    return found


def pages_with(answer: str, reports: Sequence[str], read: Mapping[str, Parsed]) -> Pages:
    amounts = set(AMOUNT.findall(answer))
    found = {report: pages_of(read[report], amounts) for report in reports}
    return {report: held for report, held in found.items() if held}


def pages_of(one: Parsed, amounts: set[str]) -> set[str]:
    pages = (place for place in one.places if place.kind == "page")
    return {page.label for page in pages if amounts & set(AMOUNT.findall(one.text[page.start : page.end]))}


class Index:
    """BM25 over all pieces of all reports, with the weights that North's index has."""

    def __init__(self, read: Mapping[str, Parsed]) -> None:
        self.where: list[tuple[str, set[str]]] = []
        self.pieces: list[str] = []
        texts: list[str] = []
        for name, one in read.items():
            held = [place for place in one.places if place.kind == "page"]
            for piece in chunk(one):
                self.where.append((name, {place.label for place in held if place.start < piece.end and place.end > piece.start}))
                self.pieces.append(shown(piece))
                texts.append(f"{name}\n{self.pieces[-1]}")
        self.postings = defaultdict[int, list[tuple[int, float]]](list)
        for number, (terms, weights) in enumerate(tokens.documents(texts)):
            for term, weight in zip(terms, weights, strict=True):
                self.postings[term].append((number, weight))

    def embedded(self, embedder: Any) -> Index:
        self.embedder = embedder
        self.vectors = np.concatenate([embedder.embed_passages(self.pieces[at : at + 32]) for at in range(0, len(self.pieces), 32)])
        return self

    def by_words(self, question: str) -> list[int]:
        return [number for number, _ in self.scored(question).most_common(TOP)]

    def by_both(self, question: str) -> list[int]:
        """As `retrieval.index` adds them up."""
        words, cosines = self.scored(question), self.vectors @ self.embedder.embed_queries([question])[0]
        near = np.argsort(-cosines)[:PROPOSED].tolist()
        proposed = sorted({*near, *(number for number, _ in words.most_common(PROPOSED))})
        weights = fusion.weights_of(settings.MODELS["embed"]["model"])
        odds = [weights.log_odds(float(cosines[number]), words.get(number, 0.0)) for number in proposed]
        ranked = fusion.lifted(odds, [words.get(number, 0.0) for number in proposed])
        return [proposed[at] for at in np.argsort(-np.array(ranked), kind="stable")[:TOP]]

    def scored(self, question: str) -> Counter[int]:
        scores: Counter[int] = Counter()
        for term, _ in zip(*tokens.query(question), strict=True):
            held = self.postings.get(term, [])
            idf = math.log((len(self.where) - len(held) + 0.5) / (len(held) + 0.5) + 1)
            for number, weight in held:
                scores[number] += idf * weight
        return scores


def recall(best: Callable[[str], list[int]], index: Index, asked: Mapping[str, str], wanted: Mapping[str, Pages]) -> dict[str, float]:
    """On average over the questions: the share of the reports of which a page with an amount of the answer is among the best."""
    each = [share([index.where[number] for number in best(question)], wanted[key]) for key, question in asked.items()]
    return {"recall": sum(each) / len(each), "pieces": len(index.where)}


def share(found: Iterable[tuple[str, set[str]]], wanted: Pages) -> float:
    hit = {report for report, held in found if held & wanted.get(report, set())}
    return len(hit) / len(wanted)
