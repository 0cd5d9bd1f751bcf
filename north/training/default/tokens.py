"""Tokens of many texts that share their lines: each line is taken apart once, and a text's tokens are its lines', one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from north.inference.encoding import QUESTION_SHARE, windows
from north.inference.tokenising import Template, shared

AT_ONCE = 4096


class Tokens:
    """As `north.inference.encoding` reads texts, but for what a tokenizer makes of two lines together. `tokens`: of a question and a
    passage together, at most."""

    def __init__(self, folder: Path, tokens: int = 256) -> None:
        self._words, self.tokens = shared(folder / "tokenizer.json"), tokens
        self._template = Template(self._words.tokenizer)
        self._known: dict[str, np.ndarray] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """So that none of them need be taken apart later, in as many processes as there are then."""
        new = list({line: None for text in texts for line in text.split("\n") if line not in self._known})
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            self._known.update(zip(some, self._words(some), strict=True))

    def __call__(self, text: str) -> np.ndarray:
        """int32, without the special ones."""
        lines = text.split("\n")
        self.learn(line for line in lines if line not in self._known)
        return self._known[text] if len(lines) == 1 else np.concatenate([self._known[line] for line in lines])

    def one(self, prefix: str, text: str, most: int) -> np.ndarray:
        """What an encoder reads."""
        room = most - self._template.room_of_one
        return self._template.one(np.concatenate([self(prefix.strip()), self(text)])[:room] if prefix else self(text)[:room])

    def pair(self, question: str, passage: str) -> np.ndarray:
        """What a cross-encoder reads, its passage cut to what fits."""
        asked = self._asked(question)
        return self._template.two(asked, self(passage)[: self._room(asked)])

    def pairs(self, question: str, passage: str) -> list[np.ndarray]:
        """The same, in windows: no part of the passage is left out."""
        asked = self._asked(question)
        return [self._template.two(asked, part) for part in windows(self(passage), self._room(asked))]

    def _asked(self, question: str) -> np.ndarray:
        return self(question)[: int(self.tokens * QUESTION_SHARE)]

    def _room(self, asked: np.ndarray) -> int:
        return self.tokens - self._template.room_of_two - len(asked)
