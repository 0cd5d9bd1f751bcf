"""One document's way: fetched from its file, parsed in the child process, indexed, forgotten. Each stage works under the row's lease, can
run twice, and knows nothing of what called it or of what happens when it fails.

Every stage that ends well gives the lease back in the same UPDATE that writes its outcome.
"""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from north import wiring
from north.documents import attached, courtesy, files, passages
from north.documents.errors import FileLost
from north.documents.models import UNHELD, Copy, Document, Status
from north.documents.ways import way_of
from north.failpoints import failpoint
from north.indexes.models import Generation
from north.inference.metering import metered
from north.leases import LeaseLost
from north.usage import models as usage
from retrieval import reading
from retrieval.families import family_of
from retrieval.naming import names_of
from retrieval.parsers import load
from retrieval.similarity import sketch
from retrieval.types import Entry, Parsed

UNVERIFIED = {"verified_at": None, "verified_by": None}
"""Who vouched for a document did so for what it said then."""


def read(document: Document) -> None:
    """fetching, parsing: from the stored bytes to text, places and boxes beside them. Raises FileLost, StorageFull and ParseErrors."""
    document.move(Status.FETCHING)
    failpoint("fetch")
    path = files.check(document.file_of(document.sha256), document.sha256)
    document.move(Status.PARSING)
    failpoint("parse")
    seconds, megabytes = settings.PARSE_SECONDS, settings.PARSE_MEGABYTES
    parsed = reading.read(document.name, path, way_of(document), seconds=seconds, megabytes=megabytes, max_bytes=files.limit())
    language = load("retrieval.parsers.languages.language_of")(parsed.text)
    notes = (*parsed.notes, *attached.take_in(document, parsed.attached))
    files.write_layout(document.layout_of(document.sha256), replace(parsed, language=language, notes=notes))
    document.move(Status.INDEXING, error="", **UNHELD)


def index(document: Document) -> None:
    """indexing: cuts, embeds, puts the new points in and the old revision's out; text and points become those of the file in one UPDATE."""
    try:
        parsed = files.read_layout(document.layout_of(document.sha256))
    except FileLost:
        document.move(Status.QUEUED, **UNHELD)
        return
    facts, generation = document.take_facts(parsed), wiring.serving()
    try:
        count = put(document, entry_of(document, parsed), parsed, generation)
        failpoint("commit")
        with transaction.atomic():
            if not generation.serves_still():
                document.give_back(attempts=0)
                return
            document.move(
                Status.READY,
                text=parsed.text,
                title=parsed.title[:300],
                **facts,
                pages=parsed.pages,
                notes=list(parsed.notes),
                likeness=sketch(parsed.text),
                chunks=count,
                indexed_sha256=document.sha256,
                **(UNVERIFIED if document.sha256 != document.indexed_sha256 else {}),
                indexed_access=document.access,
                ready_at=timezone.now(),
                error="",
                **UNHELD,
            )
    except LeaseLost:
        mend(document)
        raise
    files.remove(document.folder, but=document.sha256)


def copy(document: Document, generation: Generation) -> None:
    """Brings what answers of this document into an index that does not, or tells it who may read it now. Raises what models and indexes
    raise."""
    held = Copy.objects.filter(generation=generation, document=document).first()
    entry, access = replace(entry_of(document), sha256=document.indexed_sha256), document.access
    try:
        if held and held.sha256 == document.indexed_sha256:
            wiring.index(of=generation).describe(entry)
            count = held.chunks
        else:
            count = put(document, entry, passages.read_text(document), generation)
        failpoint("copy")
        with transaction.atomic():
            document.give_back(attempts=0)
            told = {"sha256": document.indexed_sha256, "access": access, "chunks": count}
            Copy.objects.update_or_create(generation=generation, document=document, defaults=told)
    except LeaseLost:
        Copy.objects.filter(generation=generation, document=document.pk).delete()
        mend(document)
        raise


def put(document: Document, entry: Entry, parsed: Parsed, generation: Generation) -> int:
    """Brings the points of this revision into the index; returns how many. Stops where the lease was lost."""

    def progress(embedded: int, count: int) -> None:
        failpoint("embed")
        document.stir()
        if document.source_id:
            courtesy.stand_back()
        if not document.held().exists():
            raise LeaseLost(f"Document {document.pk} changed while it was indexed.")
        if embedded == count:
            failpoint("upsert")

    failpoint("chunk")
    count, model, workspace, user = 0, generation.model, document.workspace_id, document.uploaded_by_id
    with metered() as used:
        try:
            chunks = wiring.retriever(passages.recheck, of=generation).add(entry, parsed, progress)
            count = 1
        finally:
            usage.add(usage.Kind.INDEX, used, model=model, workspace=workspace, user=user, count=count)
    return chunks


def entry_of(document: Document, parsed: Parsed | None = None) -> Entry:
    """`parsed`: what is about to answer of it; None for what answers now."""
    title, text = (parsed.title, parsed.text) if parsed else (document.title, document.text)
    return Entry(
        workspace=str(document.workspace_id),
        document=str(document.pk),
        source=str(document.source_id or ""),
        sha256=document.sha256,
        name=document.name,
        principals=frozenset(document.principals.values_list("value", flat=True)),
        type=family_of(document.media_type),
        author=document.author,
        language=document.language,
        folder=document.kept_in,
        created_at=document.written_at,
        updated_at=document.changed_at,
        names=names_of(document.name, title, document.kept_in, document.author, text),
    )


def mend(document: Document) -> None:
    """The lease was lost after points were written, so another revision's may have gone: whoever holds the row now, it is done again."""
    row = Document.objects.alive().filter(pk=document.pk).first()
    if row is None:
        drop(document)
    elif row.status == Status.READY:
        row.requeue(Status.INDEXING)


def tell_access(document: Document) -> None:
    """Tells the index who may read the document now, and what it is narrowed by."""
    generation = wiring.serving()
    wiring.index(of=generation).describe(entry_of(document))
    with transaction.atomic():
        told = {"indexed_access": document.access} if generation.serves_still() else {}
        document.give_back(attempts=0, **told)


def forget(document: Document) -> None:
    """A tombstone's points go first, then its files, then its row."""
    drop(document)
    files.remove(document.folder)
    document.held().delete()


def drop(document: Document) -> None:
    """Out of every index."""
    for index in wiring.indexes():
        index.forget(str(document.workspace_id), str(document.pk))
