"""The only file that knows everyone: builds the parts from settings. Engines are reached by dotted path, so that a process which never
asks for a model never loads a model library. Each part is made once a process."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from north.inference import catalogue
from retrieval.connectors import CONNECTORS, Fetch
from retrieval.index import Index, connect
from retrieval.retriever import Retriever
from retrieval.types import Recheck


def engine(role: str) -> Any:
    """The engine that `settings.MODELS[role]` names, made anew from its dotted path and arguments."""
    arguments = dict(settings.MODELS[role])
    return import_string(str(arguments.pop("engine")))(**arguments)


def once(make: Callable[[], Any]) -> Callable[[], Any]:
    """Made by whoever asks first; the others wait for it."""
    cached, loading = functools.cache(make), threading.Lock()

    @functools.wraps(make)
    def wrapper() -> Any:
        with loading:
            return cached()

    return wrapper


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
    name = str(settings.MODELS["embed"]["model"])
    known = {model.name: model.dimensions for model in catalogue.MODELS}
    client = connect(settings.QDRANT_URL, settings.QDRANT_API_KEY)
    return Index(client, settings.QDRANT_COLLECTION, known.get(name) or embedder().dimensions, name)


@functools.cache
def retriever(recheck: Recheck) -> Retriever:
    """Loads the embedding model at the first text that is embedded, and the one that judges, if there is one, at the first search."""
    return Retriever(
        index(),
        recheck=recheck,
        embed_query=lambda texts: embedder().embed_queries(texts),
        embed_passages=lambda texts: embedder().embed_passages(texts),
        score=judged if settings.MODELS.get("score") else None,
    )


def judged(question: str, passages: Sequence[str]) -> Sequence[float]:
    """For a person who waits; by the model that judges, which must be there."""
    return scorer()(question, passages)


def connector(kind: str) -> Fetch:
    """`fetch(config, cursor)` of a kind of source, with what the administrator allows."""
    fetch = CONNECTORS[kind]
    return lambda config, cursor: fetch({**config, "roots": [str(root) for root in settings.FOLDER_ROOTS]}, cursor)
