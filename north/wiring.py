"""The only file that knows everyone: builds the parts from settings. Engines and the index are reached by dotted path, so that a process
which never asks for a model, or leaves searching to the model worker, never loads their libraries. Each part is made once a process."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import import_string

from north.failpoints import failpoint
from north.inference import catalogue, vitals
from retrieval.connectors import NAMED, Connectors
from retrieval.fusion import Verdict, Weights, verdict_of
from retrieval.reranking import BLEND
from retrieval.types import Recheck

if TYPE_CHECKING:
    from retrieval.index import Index
    from retrieval.retriever import Retriever

vitals.reached = failpoint


def engine(role: str, **other: object) -> Any:
    """The engine that `settings.MODELS[role]` names, made anew from its dotted path and arguments; `other` ones in their place."""
    failpoint("load")
    arguments = {**settings.MODELS[role], **other}
    return import_string(str(arguments.pop("engine")))(**arguments)


def model_name(role: str) -> str:
    """As the settings call it: what usage is counted under."""
    return str(settings.MODELS[role]["model"])


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


@once
def embedder() -> Any:
    """`embed_queries(texts)` and `embed_passages(texts)`: float32 arrays of shape (len(texts), dimensions), each row of length 1."""
    return engine("embed")


@once
def scorer() -> Any:
    """`(question, passages, hurry=True)`: a logit each, float32 (len(passages),); None where the settings name no such model."""
    return engine("score") if settings.MODELS.get("score") else None


@once
def chat_model() -> Any:
    """A LangChain `BaseChatModel`; its library is loaded with it."""
    return engine("chat")


@functools.cache
def index() -> Index:
    """The passages of all workspaces, made for the embedding model of the settings."""
    client = import_string("retrieval.index.connect")(settings.QDRANT_URL, settings.QDRANT_API_KEY)
    name, size = model_name("embed"), dimensions() or embedder().dimensions
    vectors = import_string("retrieval.vectors.Vectors")(settings.VECTORS, int(settings.VECTORS_EXACT))
    made: Index = import_string("retrieval.index.Index")(
        client, settings.QDRANT_COLLECTION, size, name, weights=fusion_weights(), vectors=vectors
    )
    return made


def dimensions() -> int | None:
    """Of the embedding model's vectors, as the catalogue says; None where only the model itself knows."""
    return {model.name: model.dimensions for model in catalogue.known(*settings.MODEL_FOLDERS)}.get(model_name("embed")) or None


def fusion_weights() -> Weights | None:
    """As the settings say; None for those that suit the embedding model."""
    return Weights(*map(float, settings.FUSION_WEIGHTS)) if settings.FUSION_WEIGHTS else None


@functools.cache
def retriever(recheck: Recheck) -> Retriever:
    """Loads the embedding model at the first text that is embedded, and the one that judges, if there is one, at the first search."""
    made: Retriever = import_string("retrieval.retriever.Retriever")(
        index(),
        recheck=recheck,
        embed_query=lambda texts: embedder().embed_queries(texts),
        embed_passages=lambda texts: embedder().embed_passages(texts),
        score=judged if settings.MODELS.get("score") else None,
        verdict=verdict(),
        judged_bytes=settings.RERANK_BYTES,
    )
    return made


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
