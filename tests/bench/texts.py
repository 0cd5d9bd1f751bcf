"""Texts like those that companies have: real sentences under headings, drawn anew for each document, the same for the same seed.

The sentences are those of the public evaluation data (multihop-mini: English encyclopaedia paragraphs) where these lie beside the
repository, and else those of North's own sample company.
"""

from __future__ import annotations

import functools
import json
import random
import re
import tarfile
from collections.abc import Iterator

from tests.installation import ROOT

DATA = ROOT.parent / "shared" / "data" / "open.tar.gz"
CORPUS = "open/multihop-mini/corpus.jsonl"
SAMPLE = ROOT / "north" / "demo" / "files"


@functools.cache
def paragraphs() -> tuple[str, list[tuple[str, str]]]:
    """Where they are from, and pairs of a heading and a paragraph."""
    if DATA.exists():
        with tarfile.open(DATA) as archive, archive.extractfile(CORPUS) as lines:  # type: ignore[union-attr]
            found = [(row["title"], " ".join(row["text"].split())) for row in map(json.loads, lines)]
        return "multihop-mini", found
    found = [pair for path in sorted(SAMPLE.rglob("*.[mt][dx]*")) for pair in sections(path.read_text(errors="replace"))]
    return "the sample company", found


def sections(text: str) -> Iterator[tuple[str, str]]:
    heading = "Notes"
    for block in re.split(r"\n\s*\n", text):
        words = " ".join(block.split())
        if words.startswith("#"):
            heading = words.lstrip("# ")
        elif len(words) > 80:
            yield heading, words


def source() -> str:
    return paragraphs()[0]


def document(characters: int, seed: int) -> str:
    """A Markdown text of about so many characters: sections of two to four paragraphs."""
    draw, (_, known) = random.Random(seed), paragraphs()
    parts, length = [f"# {draw.choice(known)[0]} {seed}"], 0
    while length < characters:
        taken = draw.choices(known, k=draw.randint(2, 4))
        parts += [f"## {taken[0][0]}", *(text for _, text in taken)]
        length += sum(len(text) + 2 for _, text in taken)
    return "\n\n".join(parts)[:characters]


def question(text: str, draw: random.Random) -> str:
    """Some words of a text, as somebody would type them."""
    words = re.findall(r"[^\W\d_]{4,}", text)
    start = draw.randrange(max(1, len(words) - 8))
    return " ".join(words[start : start + draw.randint(4, 8)])
