"""What the REST API takes and gives: JSON by these shapes. Vectors, paths and other workspaces are in none of them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field


class Problem(Schema):
    error: str = Field(description="What is wrong and what to do, in a sentence.")
    code: str = Field(description="For programs: not_found, invalid, too_large, disk_full, overloaded, unavailable, ...")


class DocumentOut(Schema):
    id: uuid.UUID
    name: str
    status: Literal["queued", "fetching", "parsing", "indexing", "ready", "failed"]
    error: str = ""
    media_type: str = ""
    bytes: int
    sha256: str
    source: uuid.UUID | None = None
    access: list[str] = Field(description='Who may read it: "everyone" in the workspace, names of groups; empty means nobody.')
    notes: list[str] = Field(default_factory=list)
    created_at: datetime
    ready_at: datetime | None = None


class DocumentList(Schema):
    documents: list[DocumentOut]
    counts: dict[str, int] = Field(description="How many documents have each status.")
    next: int | None = Field(description="Give it as `offset` for the next page.")


class SearchIn(Schema):
    query: str = Field(max_length=100_000)
    top_k: int = Field(10, ge=1, le=100)


class PassageOut(Schema):
    start: int
    end: int
    text: str
    score: float
    heading: str = ""


class ResultOut(Schema):
    document: uuid.UUID
    name: str
    score: float
    passages: list[PassageOut]


class SearchOut(Schema):
    results: list[ResultOut]


class ThreadIn(Schema):
    title: str = Field("", max_length=200)


class ThreadOut(Schema):
    id: uuid.UUID
    title: str
    created_at: datetime


class RunIn(Schema):
    question: str = Field(min_length=1, max_length=8000)


class StepOut(Schema):
    key: str
    kind: str
    detail: dict[str, Any]
    error: str = ""
    started_at: datetime
    ended_at: datetime | None = None


class CitationOut(Schema):
    start: int
    end: int
    text: str
    sources: list[dict[str, Any]]


class RunOut(Schema):
    id: uuid.UUID
    thread: uuid.UUID
    question: str
    status: Literal["pending", "running", "done", "failed", "cancelled"]
    answer: str
    citations: list[CitationOut]
    unsupported: list[dict[str, Any]]
    refused: bool
    searched: list[str]
    steps: list[StepOut]
    error: str = ""
    usage: dict[str, int]
    created_at: datetime
    started_at: datetime | None = None
    first_token_at: datetime | None = None
    ended_at: datetime | None = None
