"""What a document brings along: a mail's attachments, an archive's files. Each becomes a document of its own, with the same source,
readers and fate as what it came in. Runs under that one's lease."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from north.documents import files
from north.documents.models import Document, Principal, Status
from north.leases import LeaseLost
from retrieval.errors import ParseError
from retrieval.types import Attached

DEEPEST = 3
"""A mail in an archive in a mail brings its attachments along, and no further."""


def take_in(document: Document, found: Sequence[Attached]) -> list[str]:
    """Makes what was found the document's attached ones: new and changed ones wait to be read, those that are gone are buried. Returns
    sentences on what was not taken in. Raises LeaseLost, StorageFull."""
    if found and depth(document) >= DEEPEST:
        return [_("%d files in it were left out: they are nested too deeply.") % len(found)]
    known = {row.external_id: row for row in Document.objects.alive().filter(parent=document).defer("text")}
    notes, kept = list[str](), set[str]()
    for number, one in enumerate(found):
        key = key_of(document, number, one)
        kept.add(key)
        try:
            take(document, one, key, known.get(key))
        except ParseError as error:
            notes.append(f"{one.name}: {error}")
    Document.objects.filter(pk__in=[row.pk for key, row in known.items() if key not in kept]).bury()
    return notes


def take(document: Document, one: Attached, key: str, row: Document | None) -> None:
    sha256 = hashlib.sha256(one.data).hexdigest()
    if row is not None and row.sha256 == sha256:
        return
    child = row or Document(workspace_id=document.workspace_id, external_id=key, parent=document, name=one.name)
    stored, size = files.store(io.BytesIO(one.data), child.folder)
    with transaction.atomic():
        held = document.held().select_for_update().first()
        if held is None:
            raise LeaseLost(f"Document {document.pk} changed while what it brings along was stored.")
        if row is not None:
            row.requeue(Status.QUEUED, sha256=stored, bytes=size, version=row.version + 1)
            return
        child.source, child.uploaded_by, child.modified_at = held.source, held.uploaded_by, held.modified_at
        child.sha256, child.bytes = stored, size
        child.kept_in = "/".join(filter(None, (held.kept_in, held.name, one.folder)))[:1024]
        child.save(force_insert=True)
        readers = held.principals.values_list("value", flat=True)
        Principal.objects.bulk_create([Principal(document=child, value=value) for value in readers])


def key_of(document: Document, number: int, one: Attached) -> str:
    """By name and folder, so that it is the same one when the file is read again; by number where two are called the same."""
    return f"{document.pk}!{hashlib.sha256(f'{one.folder}/{one.name}'.encode()).hexdigest()[:32]}!{number}"


def depth(document: Document) -> int:
    """In how many files it lies."""
    parent, count = document.parent, 0
    while parent is not None and count < DEEPEST:
        parent, count = parent.parent, count + 1
    return count
