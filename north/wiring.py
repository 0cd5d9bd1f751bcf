"""The only file that knows everyone: builds the parts from settings. Engines and the index are reached by dotted path, so that a process
which never asks for a model, or leaves searching to the model worker, never loads their libraries. Each part is made once a process."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from north.failpoints import failpoint
from north.indexes.models import Generation, State
from north.inference import catalogue, vitals
from north.memory import give_back
from retrieval.chunking import chunk
from retrieval.connectors import NAMED, Connectors
from retrieval.fusion import Verdict, Weights, verdict_of
from retrieval.reranking import BLEND
from retrieval.types import Chunk, Parsed, Recheck

if TYPE_CHECKING:
    from retrieval.index import Index
    from retrieval.retriever import Retriever

vitals.reached = failpoint
Part = TypeVar("Part")
IDLE_SECONDS = 60.0
"""A model that no search needs, unused for so long, is let go."""


def engine(role: str, **other: object) -> Any:
    """The engine that `settings.MODELS[role]` names, made anew from its dotted path and arguments; `other` ones in their place."""
    failpoint("load")
    arguments = {**settings.MODELS[role], **other}
    return import_string(str(arguments.pop("engine")))(**arguments)


def model_name(role: str) -> str:
    """What usage is counted under: as the settings call it; of embedding models that of the index which answers."""
    return serving().model if role == "embed" else str(settings.MODELS[role]["model"])


class once:
    """Made by whoever asks first; the others wait for it, or look at `loading`."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make, self._lock, self._made = make, threading.Lock(), []  # type: ignore[var-annotated]

    def __call__(self) -> Any:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    def loading(self) -> bool:
        """Whether it is being made just now, so that a call would wait."""
        return not self._made and self._lock.locked()

    def here(self) -> Any | None:
        return self._made[0] if self._made else None


# --- indexes and their embedding models ----------------------------------------------------------------------------------------------
def serving() -> Generation:
    """The index that answers, as its row says now: a swap holds from the next question on, in every process."""
    return Generation.objects.serving()


def engine_of(generation: Generation) -> tuple[str, str]:
    """Its embedding model's engine and name; the settings' engine where they name that model."""
    embed = settings.MODELS["embed"]
    return (str(embed["engine"]) if generation.model == embed["model"] else generation.engine), generation.model


def embedding_engine(path: str, model: str) -> Any:
    """Of another kind than the settings' engine, it computes on the device, or the processors, that engines of its kind use."""
    embed = settings.MODELS["embed"]
    if path == embed["engine"]:
        return engine("embed", model=model)
    on = {"device": settings.DEVICE} if path in settings.GPU_ENGINES else {"threads": settings.INFERENCE_THREADS}
    failpoint("load")
    return import_string(path)(model=model, models_dir=embed["models_dir"], **on)


class Embedders:
    """The embedding model of each index, loaded when it is first used."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], once] = {}
        self._used: dict[tuple[str, str], float] = {}

    def __call__(self, of: Generation | None = None) -> Any:
        """`embed_queries(texts)` and `embed_passages(texts)`: float32 arrays of shape (len(texts), dimensions), each row of length 1. Of
        the index that answers, where none is named."""
        key = engine_of(of or serving())
        self._used[key] = time.monotonic()
        return self._made.setdefault(key, once(functools.partial(embedding_engine, *key)))()

    def loading(self) -> bool:
        """Whether that of the index which answers is being made just now, so that a call would wait."""
        made = self._made.get(engine_of(serving()))
        return made is not None and made.loading()

    def here(self) -> tuple[str, Any | None]:
        """The name of the model that searches need now, and the model, if it is loaded in this process."""
        now = serving()
        made = self._made.get(engine_of(now))
        return now.model, made.here() if made else None

    def follow(self, idle: float = IDLE_SECONDS) -> list[Generation]:
        """Lets go of the models that only a kept or a removed index would need, once they are idle; the indexes that are about to answer
        and whose model is not loaded here yet."""
        others = [one for one in Generation.objects.others() if one.state != State.KEPT]
        needed = {engine_of(one) for one in (serving(), *others)}
        idle_ones = [key for key in self._made if key not in needed and time.monotonic() - self._used[key] >= idle]
        for key in idle_ones:
            del self._made[key]
        if idle_ones:
            give_back()
        return [one for one in others if one.state != State.BUILDING and engine_of(one) not in self._made]


embedder = Embedders()


class each(Generic[Part]):
    """Made once for each index; for the one that answers, where none is named."""

    def __init__(self, make: Callable[..., Part]) -> None:
        self._make = make
        self._made: dict[tuple[Any, ...], Part] = {}

    def __call__(self, *given: Any, of: Generation | None = None) -> Part:
        of = of or serving()
        key = of.key, *given
        if key not in self._made:
            self._made[key] = self._make(of, *given)
        return self._made[key]

    def cache_clear(self) -> None:
        self._made.clear()


@each
def index(of: Generation) -> Index:
    """The passages of all workspaces, made for the embedding model of this index."""
    return collection(of, dimensions(of) or embedder(of).dimensions)


def collection(of: Generation, size: int = 1) -> Index:
    """Without its model and the length of its vectors: to look at what it was made with, and to remove it."""
    client = import_string("retrieval.index.connect")(settings.QDRANT_URL, settings.QDRANT_API_KEY)
    vectors = import_string("retrieval.vectors.Vectors")(settings.VECTORS, int(settings.VECTORS_EXACT))
    made: Index = import_string("retrieval.index.Index")(client, of.collection, size, of.model, weights=fusion_weights(), vectors=vectors)
    return made


def indexes() -> list[Index]:
    """All that are told of every document, the one that answers first."""
    return [index(of=one) for one in Generation.objects.filled()]


def dimensions(of: Generation | None = None) -> int | None:
    """Of the embedding model's vectors, as the catalogue says; None where only the model itself knows."""
    name = (of or serving()).model
    return {model.name: model.dimensions for model in catalogue.known(*settings.MODEL_FOLDERS)}.get(name) or None


def cut(of: Generation, parsed: Parsed) -> list[Chunk]:
    """The chunks that this index holds of a text."""
    return chunk(parsed, characters=of.characters, overlap=of.overlap)


def fusion_weights() -> Weights | None:
    """As the settings say; None for those that suit the embedding model."""
    return Weights(*map(float, settings.FUSION_WEIGHTS)) if settings.FUSION_WEIGHTS else None


@each
def retriever(of: Generation, recheck: Recheck) -> Retriever:
    """Loads the embedding model at the first text that is embedded, and the one that judges, if there is one, at the first search."""
    made: Retriever = import_string("retrieval.retriever.Retriever")(
        index(of=of),
        recheck=recheck,
        embed_query=lambda texts: embedder(of).embed_queries(texts),
        embed_passages=lambda texts: embedder(of).embed_passages(texts),
        score=judged if settings.MODELS.get("score") else None,
        verdict=verdict(),
        judged_bytes=settings.RERANK_BYTES,
        cut=functools.partial(cut, of),
    )
    return made


@once
def scorer() -> Any:
    """`(question, passages, hurry=True)`: a logit each, float32 (len(passages),); None where the settings name no such model."""
    return engine("score") if settings.MODELS.get("score") else None


@once
def chat_model() -> Any:
    """A LangChain `BaseChatModel`; its library is loaded with it."""
    return engine("chat")


def verdict() -> Verdict | float:
    """How what the model that judges says and what the first search says are made one: as the settings say, or as suits the model."""
    if settings.RERANK_BLEND or not settings.MODELS.get("score"):
        return float(settings.RERANK_BLEND or BLEND)
    return verdict_of(model_name("score")) or BLEND


def judged(question: str, passages: Sequence[str]) -> Sequence[float]:
    """For a person who waits; by the model that judges, which must be there."""
    return scorer()(question, passages)


@functools.cache
def connectors() -> Connectors:
    """All kinds of sources: North's own, and those that the settings add by dotted path. Each is imported when it is first used."""
    return Connectors({**NAMED, **settings.CONNECTORS})
