"""Fills an installation's index and rows with chunks of real text, without a model: their vectors are random, which costs a search as much.

Half of the documents are for all members, the others each for one of some groups.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import numpy as np
from django.utils import timezone

from north import wiring
from north.documents.models import Document, Principal, Status
from north.workspaces.models import Group, Membership, User, Workspace
from retrieval import tokens
from retrieval.chunking import chunk
from retrieval.types import Entry, Parsed
from tests.bench.texts import document

GROUPS = 8
CHARACTERS = 16_000


def main(slug: str, email: str, chunks: int) -> dict[str, Any]:
    """Documents until there are so many chunks. The user of this e-mail address owns the workspace and is in half of the groups."""
    began = time.monotonic()
    user = User.objects.get(email=email)
    workspace = Workspace.objects.create(slug=slug, name="Twenty thousand chunks")
    Membership.objects.create(workspace=workspace, user=user, role="owner")
    groups = [Group.objects.create(workspace=workspace, name=f"Group {number}") for number in range(GROUPS)]
    for group in groups[::2]:
        group.users.add(user)
    draw, made, number = np.random.default_rng(7), 0, 0
    while made < chunks:
        principal = workspace.everyone if number % 2 else groups[number // 2 % GROUPS].principal
        made += add(workspace, principal, number, draw, chunks - made)
        number += 1
    return {"chunks": made, "documents": number, "seconds": time.monotonic() - began}


def add(workspace: Workspace, principal: str, number: int, draw: np.random.Generator, most: int) -> int:
    """One document, in the rows and in the index. Returns the number of its chunks."""
    text, name = document(CHARACTERS, number), f"filled-{number:05}.md"
    found = chunk(Parsed(text=text, media_type="text/markdown"))[:most]
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    row = Document.objects.create(
        workspace=workspace, name=name, sha256=sha256, indexed_sha256=sha256, text=text, bytes=len(text), media_type="text/markdown",
        status=Status.READY, chunks=len(found), indexed_access=1, ready_at=timezone.now(),
    )  # fmt: skip
    Principal.objects.create(document=row, value=principal)
    vectors = draw.standard_normal((len(found), wiring.index().dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    entry = Entry(str(workspace.pk), str(row.pk), "", sha256, name, frozenset({principal}))
    wiring.index().replace(entry, found, vectors, tokens.documents([f"{name}\n{one.text}" for one in found]))
    return len(found)
