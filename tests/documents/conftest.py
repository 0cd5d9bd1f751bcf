"""Documents in every state, made through the real stages; the embedding engine is the hashing one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from north import wiring
from north.documents import files, tasks
from north.documents.models import Document, Principal, Status
from north.indexes.models import Generation
from north.workspaces.models import Workspace
from retrieval.types import Parsed
from tests.hashing import HashingEmbedder

Made = Callable[..., Document]


@pytest.fixture(autouse=True)
def engine(settings: object, tmp_path: Path) -> None:
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "engine": "tests.hashing.load"}}
    settings.FILES_DIR = tmp_path / "files"
    made = wiring.embedder(Generation.of_settings())
    assert isinstance(made, HashingEmbedder), "another test of this process loaded a real embedding model"


def make(workspace: Workspace, text: str, *, name: str = "note.txt", principals: Iterable[str] | None = None, **fields: object) -> Document:
    """A queued document with its file, as an upload leaves it."""
    document = Document(workspace=workspace, name=name, **fields)
    document.sha256, document.bytes = files.store(io.BytesIO(text.encode()), document.folder)
    document.save(force_insert=True)
    listed = [workspace.everyone] if principals is None else principals
    Principal.objects.bulk_create([Principal(document=document, value=value) for value in listed])
    return document


def read(document: Document, text: str, **fields: object) -> None:
    """As the parser leaves it, without the cost of a child process."""
    files.write_layout(document.layout_of(document.sha256), Parsed(text, str(fields.pop("media_type", "text/plain")), **fields))
    Document.objects.filter(pk=document.pk).update(status=Status.INDEXING)


def ready(workspace: Workspace, text: str, **fields: object) -> Document:
    """A document that search finds."""
    said = ("media_type", "places", "words", "pages", "title", "notes", "author", "language", "created_at", "updated_at")
    parsed = {key: fields.pop(key) for key in said if key in fields}
    document = make(workspace, text, **fields)
    read(document, text, **parsed)
    tasks.index()
    document.refresh_from_db()
    assert document.status == Status.READY, document.error
    return document
