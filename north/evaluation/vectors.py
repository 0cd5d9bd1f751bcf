"""Vectors of texts, kept in a file, so that measuring the same corpus again embeds nothing. Knows no folder and no index."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from retrieval.types import Embed

PROBE = "North keeps what it has read once: 31 días, 東京, чай."
BATCH = 64
"""Texts that are embedded, and then kept, at once: what is lost when somebody stops it."""
ASKED = 500
"""Texts of one query to the file."""

Progress = Callable[[int, int], None]


class Kept:
    """Embeds passages as `embed` does, and keeps each in `path` under the model and the text's sha256.

    The model is told by its name and by what it makes of a text of ours: other weights or another engine of the same name keep their own.
    Two processes may share a file. Raises what `embed` raises, and sqlite3.DatabaseError where the file is none of these.
    """

    def __init__(self, path: Path, model: str, embed: Embed, dimensions: int) -> None:
        self._embed, self._dimensions = embed, dimensions
        probe = hashlib.sha256(np.round(embed([PROBE]), 3).astype(np.float16).tobytes()).hexdigest()[:16]
        self._model = f"{model} {probe}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("CREATE TABLE IF NOT EXISTS vectors (model TEXT, sha BLOB, vector BLOB, PRIMARY KEY (model, sha)) WITHOUT ROWID")

    def __call__(self, texts: Sequence[str], /) -> np.ndarray:
        """float32 (len(texts), dimensions)."""
        found = self.known(texts)
        self._learn([text for text in texts if _sha(text) not in found], found)
        rows = [found[_sha(text)] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self._dimensions), np.float32)

    def fill(self, texts: Sequence[str], progress: Progress) -> None:
        """Embeds what is not known yet; `progress` is called with the number embedded and the number to embed."""
        known = self.known(texts)
        missing = sorted({text for text in texts if _sha(text) not in known}, key=lambda text: (len(text), text))
        for start in range(0, len(missing), BATCH):
            self._learn(missing[start : start + BATCH], {})
            progress(min(start + BATCH, len(missing)), len(missing))

    def known(self, texts: Sequence[str]) -> dict[bytes, np.ndarray]:
        shas, found = [_sha(text) for text in texts], {}
        for start in range(0, len(shas), ASKED):
            part = shas[start : start + ASKED]
            asked = f"SELECT sha, vector FROM vectors WHERE model = ? AND sha IN ({','.join('?' * len(part))})"  # noqa: S608
            for sha, vector in self._file.execute(asked, [self._model, *part]):
                found[sha] = np.frombuffer(vector, np.float32)
        return found

    def close(self) -> None:
        self._file.close()

    def _learn(self, texts: Sequence[str], found: dict[bytes, np.ndarray]) -> None:
        if not texts:
            return
        made = np.asarray(self._embed(texts), np.float32)
        rows = [(self._model, _sha(text), vector.tobytes()) for text, vector in zip(texts, made, strict=True)]
        self._file.execute("BEGIN IMMEDIATE")
        self._file.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
        self._file.execute("COMMIT")
        found.update({_sha(text): vector for text, vector in zip(texts, made, strict=True)})


def _sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
