"""A small company's handbook, a search over it, and embeddings of letters: all that a run reaches, without a model file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver

from agents.context import Context, Limits, Turn
from agents.events import AnswerDelta, Answered, AnswerReset, Event, StepFinished
from agents.matching import Rarity, words_of
from agents.run import run
from north.inference.embedding import load
from north.inference.llama import LlamaServer
from retrieval.types import Embed, Passage
from tests.inference.conftest import fetched
from tests.scripted import ScriptedChatModel

DATA = Path(__file__).parent / "data"
E5, QWEN = "multilingual-e5-small-int8", "qwen2.5-coder-1.5b-instruct-q4_k_m"
FOUND, NOT_FOUND = {"found": "yes"}, {"found": "no"}
QUESTION = "How many days of annual leave do I have?"
ANSWER = "You have 28 days of paid annual leave a year [1]."
Make = Callable[..., Context]


def handbook() -> list[Passage]:
    plain = json.loads((DATA / "handbook.json").read_text(encoding="utf-8"))["passages"]
    return [
        Passage(p["document"], p["name"], ordinal, 100 * ordinal, 100 * ordinal + len(p["text"]), p["text"], 1.0, p["heading"])
        for ordinal, p in enumerate(plain)
    ]


def embed_letters(texts: Sequence[str]) -> np.ndarray:
    """Counts of letter triples, hashed to 512 places: what is spelt alike lies near. A real embedding, of the plainest kind."""
    vectors = np.zeros((len(texts), 512), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        padded = f"  {text.lower()}  "
        for i in range(len(padded) - 2):
            row[int.from_bytes(blake2b(padded[i : i + 3].encode(), digest_size=4).digest()) % 512] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass
class Shelf:
    """A search by shared words over some passages; keeps what it was asked."""

    passages: list[Passage] = field(default_factory=handbook)
    asked: list[str] = field(default_factory=list)

    def __call__(self, query: str, limit: int) -> list[Passage]:
        self.asked.append(query)
        said = [words_of(f"{passage.heading} {passage.text}") for passage in self.passages]
        rarity, wanted = Rarity(said), words_of(query)
        scores = [rarity.overlap(wanted, words.words) for words in said]
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        return [self.passages[i] for i in order if scores[i] > 0][:limit]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def make(shelf: Shelf) -> Iterator[Make]:
    """A context around a script for the model; anything of it can be given."""

    def context(script: Any = None, **given: Any) -> Context:
        model = given.pop("model", None) or ScriptedChatModel(script=script)
        fields: dict[str, Any] = {
            "run_id": "run-1", "search": shelf, "embed": embed_letters, "checkpointer": InMemorySaver(), "limits": Limits(), **given,
        }  # fmt: skip
        return Context(model=model, **fields)

    yield context


# --- what a run told ---------------------------------------------------------------------------------------------------------------


def told(question: str, context: Context, history: tuple[Turn, ...] = ()) -> list[Event]:
    return list(run(question, history, context))


def steps(events: list[Event]) -> list[str]:
    return [event.key for event in events if isinstance(event, StepFinished)]


def detail(events: list[Event], key: str) -> dict[str, Any]:
    return next(dict(event.detail) for event in events if isinstance(event, StepFinished) and event.key == key)


def written(events: list[Event]) -> str:
    text = ""
    for event in events:
        if isinstance(event, AnswerReset):
            text = ""
        if isinstance(event, AnswerDelta):
            assert event.offset == len(text)
            text += event.text
    return text


def end(events: list[Event]) -> Answered:
    assert isinstance(events[-1], Answered)
    return events[-1]


# --- real models -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def meaning() -> Embed:
    """The default embedding model: what carries a citation from one language to another."""
    models_dir = folder_of_models()
    fetched(E5, models_dir)
    return load(E5, models_dir).embed_queries


@pytest.fixture(scope="session")
def chat() -> Iterator[BaseChatModel]:
    """The default chat model, with one thread: other tests run beside it."""
    weights = fetched(QWEN, folder_of_models()) / "model.gguf"
    server = LlamaServer(weights, name=QWEN, threads=1, parallel=1, context=2048)
    yield server.chat_model()
    server.stop()


def folder_of_models() -> Path:
    return Path(os.environ.get("NORTH_MODELS_DIR", "~/.cache/north/models")).expanduser()
