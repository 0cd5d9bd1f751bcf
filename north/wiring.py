"""The only file that knows everyone: builds the parts from settings. Engines are reached by dotted path, so that a process which never
asks for a model never loads a model library. Each part is made once a process."""

from __future__ import annotations

import functools
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.module_loading import import_string
from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from agents.state import PlainSerializer
from north.inference import catalogue
from retrieval.connectors import CONNECTORS, Fetch
from retrieval.index import Index, connect
from retrieval.retriever import Retriever
from retrieval.types import Recheck


def engine(role: str) -> Any:
    """The engine that `settings.MODELS[role]` names, made anew from its dotted path and arguments."""
    arguments = dict(settings.MODELS[role])
    return import_string(arguments.pop("engine"))(**arguments)


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
def chat_model() -> BaseChatModel:
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
    """Loads the embedding model at the first text that is embedded."""
    return Retriever(
        index(),
        recheck=recheck,
        embed_query=lambda texts: embedder().embed_queries(texts),
        embed_passages=lambda texts: embedder().embed_passages(texts),
    )


def connector(kind: str) -> Fetch:
    """`fetch(config, cursor)` of a kind of source, with what the administrator allows."""
    fetch = CONNECTORS[kind]
    return lambda config, cursor: fetch({**config, "roots": [str(root) for root in settings.FOLDER_ROOTS]}, cursor)


class SealedSerializer(PlainSerializer):
    """Writes each checkpoint under an HMAC of the installation's secret key, and reads none without it."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        kind, data = super().dumps_typed(obj)
        return kind, self.seal(kind, data, settings.SECRET_KEY) + data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, sealed = data
        found, content = sealed[:32], sealed[32:]
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        if not any(constant_time_compare(found, self.seal(kind, content, key)) for key in keys):
            raise ValueError("a checkpoint's seal does not fit: it was not written by this installation, or was changed since")
        return super().loads_typed((kind, content))

    @staticmethod
    def seal(kind: str, data: bytes, key: str) -> bytes:
        return salted_hmac("north.checkpoint", kind.encode() + b"\0" + data, secret=key, algorithm="sha256").digest()


@functools.cache
def checkpointer() -> BaseCheckpointSaver:
    """Where runs keep their state between two steps: beside the rows, in PostgreSQL or in a SQLite file of its own."""
    if not settings.DATABASE_URL:
        path = settings.DATA_DIR / "checkpoints.sqlite3"
        return SqliteSaver(sqlite3.connect(path, check_same_thread=False, timeout=20), serde=SealedSerializer())
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    saver = PostgresSaver(ConnectionPool(settings.DATABASE_URL, min_size=1, max_size=8, kwargs=options), serde=SealedSerializer())
    saver.setup()
    return saver
