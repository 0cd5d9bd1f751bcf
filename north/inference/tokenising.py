"""Texts to tokens: a model's own tokenizer (https://github.com/huggingface/tokenizers), and a memory of the words that it has met.

The tokenizers of BERT and XLM-RoBERTa part a text at its spaces, and what becomes of a word does not depend on its neighbours. So a
text's tokens are those of its words, one after the other; looking these up takes a twelfth of the time, so that one processor keeps a GPU
busy that else has sixteen to wait for. What is not sure to be alike goes the tokenizer's own way as a whole: a text with characters that
are not printed (they may part words or join them), one that ends in a space, one with a word that is very long (there is no space in
Chinese) or special, and every text of a tokenizer that takes PROBE apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

import numpy as np
from tokenizers import Encoding, Tokenizer

WORDS, LONGEST = 200_000, 40
"""That are remembered, some 50 MB, and how many characters each may have. Then the memory begins anew."""
PROBE = "Größe: 3,50 €\nnaïve  ¿Qué? (e.g.)\t \r\n हिन्दी 中文 no-space's ..End  x."
Memory = dict[str, bytes]


def read(path: Path) -> Tokenizer:
    """As the model's own file has it, without padding and truncation."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def shared(path: Path) -> Words:
    """The same `Words` for the same file, as long as anybody has it: a multilingual tokenizer takes 300 MB, and models that are made from
    one another have the same. A link to a file is that file."""
    stat = path.stat()
    with LOCK:
        key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        found = KNOWN.get(key)
        if found is None:
            found = KNOWN[key] = Words(read(path))
        return found


class Words:
    """`texts` to arrays of int32 (tokens,), without special tokens and whole. Threads may share one."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        special = ["▁", "\ufffd", *(token.content for token in tokenizer.get_added_tokens_decoder().values())]
        self._special = re.compile("|".join(map(re.escape, special)))
        self._known: Memory = {"": b""}
        found = self._by_words(PROBE)
        self._apart = found is not None and found.tolist() == tokenizer.encode(PROBE, add_special_tokens=False).ids

    def __call__(self, texts: Sequence[str]) -> list[np.ndarray]:
        found = [self._by_words(text) if self._apart else None for text in texts]
        left = [number for number, ids in enumerate(found) if ids is None]
        if left:
            encodings = self.tokenizer.encode_batch_fast([texts[number] for number in left], add_special_tokens=False)
            for number, encoding in zip(left, encodings, strict=True):
                found[number] = np.array(encoding.ids, np.int32)
        return found  # type: ignore[return-value]

    def _by_words(self, text: str) -> np.ndarray | None:
        flat = text.replace("\n", " ").replace("\t", " ").replace("\r", " ")
        if flat[-1:] in ("", " ") or not flat.isprintable():
            return None
        known, words = self._known, flat.split(" ")
        try:
            return np.frombuffer(b"".join(map(known.__getitem__, words)), np.int32)
        except KeyError:
            return np.frombuffer(b"".join(map(known.__getitem__, words)), np.int32) if self._meet(known, words) else None

    def _meet(self, known: Memory, words: list[str]) -> bool:
        """Remembers those that are new, if all of these can be."""
        new = list({word for word in words if word not in known})
        if any(len(word) > LONGEST or self._special.search(word) for word in new):
            return False
        encodings = self.tokenizer.encode_batch_fast(new, add_special_tokens=False)
        if not all(encoding.ids for encoding in encodings):
            return False
        known.update((word, np.array(encoding.ids, np.int32).tobytes()) for word, encoding in zip(new, encodings, strict=True))
        if len(known) > WORDS:
            self._known = {"": b""}
        return True


LOCK = Lock()
KNOWN: WeakValueDictionary[tuple[int, ...], Words] = WeakValueDictionary()


class Template:
    """What a model puts around a text, or around two: `one` and `two` give the tokens, int32; `types` those of a pair, 1 for its second
    text where the model tells them apart, else None."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._one, self._two = _around(tokenizer.encode("a")), _around(tokenizer.encode("a", "a"))
        self._second = int(max(tokenizer.encode("a", "a").type_ids))

    @property
    def room_of_one(self) -> int:
        return sum(map(len, self._one))

    @property
    def room_of_two(self) -> int:
        return sum(map(len, self._two))

    def one(self, ids: np.ndarray) -> np.ndarray:
        before, after = self._one
        return np.concatenate([before, ids, after])

    def two(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        before, between, after = self._two
        return np.concatenate([before, first, between, second, after])

    def types(self, first: int, second: int) -> np.ndarray | None:
        """For two texts of so many tokens."""
        if not self._second:
            return None
        before, between, after = map(len, self._two)
        return np.repeat(np.array([0, self._second], np.int32), [before + first + between, second + after])


def _around(encoding: Encoding) -> list[np.ndarray]:
    """The special tokens before, (between,) and after the texts of an encoding."""
    parts: list[list[int]] = [[]]
    inside: int | None = None
    for token, sequence in zip(encoding.ids, encoding.sequence_ids, strict=True):
        if sequence is None:
            parts[-1].append(token)
        elif sequence != inside:
            parts.append([])
            inside = sequence
    return [np.array(part, np.int32) for part in parts]
