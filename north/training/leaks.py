"""Finds what would make a measurement worthless: questions or passages of an evaluation set among those that a model learns from.

Two texts are the same if they are after folding: NFKC, case, and everything that is neither letter, mark nor digit taken as a space. Short
texts (a heading such as "Syntax") are the same in many sets and are only counted as passages from MINIMUM letters on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import regex

from north.evaluation.folders import Folder
from north.training.errors import Leak
from north.training.examples import Example, chunks_of

NO_WORD = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
MINIMUM = 40
"""Letters of a passage from which on it is a passage's text and no name."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """What models are judged by, folded."""

    queries: frozenset[str]
    passages: frozenset[str]

    def query(self, text: str) -> bool:
        return folded(text) in self.queries

    def passage(self, text: str) -> bool:
        return len(text) >= MINIMUM and folded(text) in self.passages


def folded(text: str) -> str:
    return NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def judged(folders: Iterable[Folder], *, every: bool = False) -> Judged:
    """Their questions, and the documents that answer these (or `every` document): whole, without the title, and cut into chunks."""
    queries: set[str] = set()
    passages: set[str] = set()
    for folder in folders:
        queries.update(question.text for question in folder.questions.values())
        answers = {key for grades in folder.judged.values() for key, grade in grades.items() if grade > 0}
        for document in (folder.documents[key] for key in (folder.documents if every else answers)):
            passages |= {document.text, f"{document.title}\n{document.text}", *chunks_of(document)}
    return Judged(frozenset(map(folded, queries)) - {""}, frozenset(folded(text) for text in passages if len(text) >= MINIMUM) - {""})


def found(examples: Sequence[Example], against: Judged) -> tuple[list[str], list[str]]:
    """The questions and the passages of the examples that the evaluation holds too, each once."""
    queries = dict.fromkeys(example.query for example in examples if against.query(example.query))
    passages = dict.fromkeys(passage for example in examples for passage in example.passages)
    return list(queries), [passage for passage in passages if against.passage(passage)]


def refuse(examples: Sequence[Example], against: Judged) -> None:
    """Raises Leak, with a few of them."""
    queries, passages = found(examples, against)
    if queries or passages:
        some = "; ".join(repr(text[:80]) for text in (*queries[:SHOWN], *passages[:SHOWN]))
        raise Leak(f"{len(queries)} questions and {len(passages)} passages of the training data are in the evaluation sets too, so that"
                   f" figures on these would mean nothing: {some}. Take them out of the training data, or name other sets.")  # fmt: skip
