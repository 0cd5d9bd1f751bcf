"""What people do with documents and sources. Each verb: rows and audit event in one transaction, work on commit.

Who may: reading is `readable_by`; managing a document (retry, delete, restrict) needs an owner, or an editor who may read it or uploaded
it; sources are the owners' and editors'. Whatever is not yours is a 404.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

import redis
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from north import health
from north.broker import redis_client
from north.documents import channels, configuring, files, passages, reaching
from north.documents.errors import Busy, NoAnswer, NobodyChosen, Refused, disk
from north.documents.files import Stream
from north.documents.filtering import packed
from north.documents.models import Document, DocumentQuerySet, Principal, Source, SyncRun
from north.documents.readers import Readers, principals, scope_of
from north.hints import hint, send
from north.workspaces.audit import record
from north.workspaces.models import Group, Membership
from retrieval.errors import IndexFault, UnknownType
from retrieval.parsers.names import clean_name
from retrieval.parsers.sniffing import BINARY_EXTENSIONS, KNOWN, sniff
from retrieval.questions import QUERY_CHARACTERS, has_words
from retrieval.questions import cleaned as readable_part
from retrieval.types import EVERYTHING, Cut, Filters, Found, Passage

ANSWER_SECONDS = 10
HEAD = 1 << 16
WHOLE = (b"PK\3\4", b"PK\5\6", b"\xd0\xcf\x11\xe0")
"""How archives and compound files begin."""


def soon(task: str, *arguments: Any) -> None:
    """Hints at work once this transaction is durable."""
    transaction.on_commit(partial(hint, task, *arguments), robust=True)


# --- documents ---------------------------------------------------------------------------------------------------------------------
def readable(actor: Membership) -> DocumentQuerySet:
    """What this person may read."""
    return Document.objects.in_scope(scope_of(actor))


def manageable(actor: Membership) -> DocumentQuerySet:
    """What this person may retry, delete and restrict."""
    if not actor.may_edit:
        return Document.objects.none()
    return Document.objects.listed_for(actor, principals(actor))


def upload(stream: Stream, *, name: str, groups: Sequence[Group] | None, actor: Membership, size: int | None = None) -> Document:
    """The document, once its file and its row are durable. `groups` None: who may read it is the workspace's default; empty: nobody.

    Raises EmptyFile, TooLarge, UnknownType, NobodyChosen, StorageFull."""
    if not actor.may_edit or actor.sources is not None:
        raise Http404
    readers = chosen(groups, actor)
    name = clean_name(name)
    if size is not None and size > files.limit():
        raise files.too_large(size)
    media_type = sniffed(stream, name)
    document = Document(workspace=actor.workspace, name=name, media_type=media_type, uploaded_by=actor.user)
    kept = False
    try:
        with disk():
            document.sha256, document.bytes = files.store(stream, document.folder)
            keep(document, readers, actor)
        kept = True
    finally:
        if not kept:
            files.remove(document.folder)
    return document


@transaction.atomic
def keep(document: Document, readers: Readers, actor: Membership) -> None:
    document.save(force_insert=True)
    values = readers.principals(actor.workspace)
    Principal.objects.bulk_create([Principal(document=document, value=value) for value in values])
    record("document.upload", actor=actor, thing=document, name=document.name, bytes=document.bytes, readers=str(readers))
    soon("documents.prepare")


def chosen(groups: Sequence[Group] | None, actor: Membership) -> Readers:
    if groups is not None:
        if any(group.workspace_id != actor.workspace_id for group in groups):
            raise Http404
        return Readers(groups=tuple(groups))
    if not actor.workspace.uploads_for_all:
        raise NobodyChosen
    return Readers(everyone=True)


def sniffed(stream: Stream, name: str) -> str:
    """What can be said of a file before it is stored: that it is empty, or of a kind that nothing here reads. What needs the whole file
    to tell (archives, which Office documents are) is left to the parser."""
    head = stream.read(HEAD)
    stream.seek(0)
    if not head.startswith(WHOLE):
        return sniff(name, head)
    if PurePath(name).suffix.lower().lstrip(".") not in BINARY_EXTENSIONS:
        raise UnknownType(name, KNOWN)
    return ""


def restrict(document: Document, readers: Readers, *, actor: Membership) -> None:
    """From now on these may read it, and nobody else. Raises Refused where its source says who may."""
    managed(document, actor)
    if document.source and document.source.as_source:
        words = _("This document is as open as in its source. Change that there, or choose other readers for the source.")
        raise Refused(words, field="readers")
    if document.parent is not None:
        raise Refused(_("It came in %s, and is read by whoever may read that. Say there who may.") % document.parent.name)
    with transaction.atomic():
        if document.restrict(readers.principals(actor.workspace)):
            record("document.restrict", actor=actor, thing=document, name=document.name, readers=str(readers))
            soon("documents.index")


def delete(document: Document, *, actor: Membership) -> None:
    """Gone from every answer with this commit; points, file and row follow. Twice is once."""
    if Document.objects.filter(pk=document.pk, workspace=actor.workspace, deleted_at__isnull=False).exists():
        return
    managed(document, actor)
    with transaction.atomic():
        put_aside(document)
        if Document.objects.filter(pk=document.pk).bury():
            record("document.delete", actor=actor, thing=document, name=document.name)
            soon("documents.index")


def put_aside(document: Document) -> None:
    """What its source still has does not come back with the next pass, but only when it has changed there."""
    if document.source_id:
        source = Source.objects.select_for_update().get(pk=document.source_id)
        source.removed[document.external_id] = document.revision
        source.save(update_fields=["removed"])


def retry(document: Document, *, actor: Membership) -> None:
    """Begins again from the stored file."""
    managed(document, actor)
    with transaction.atomic():
        if document.requeue():
            record("document.retry", actor=actor, thing=document, name=document.name)
            soon("documents.prepare")


def reread(document: Document, way: dict[str, Any], *, actor: Membership) -> None:
    """Begins again from the stored file, and reads it this way (`ways.chosen`) from now on. Raises Refused where no page would be left."""
    managed(document, actor)
    if document.pages and len([page for page in way.get("without", ()) if page <= document.pages]) >= document.pages:
        raise Refused(_("Leave at least one page in; or delete the document."), field="without")
    with transaction.atomic():
        if document.requeue(way=way):
            record("document.reread", actor=actor, thing=document, name=document.name, **way)
            soon("documents.prepare")


def managed(document: Document, actor: Membership) -> None:
    if not manageable(actor).filter(pk=document.pk).exists():
        raise Http404


def search(query: str, *, top_k: int, actor: Membership, filters: Filters = EVERYTHING) -> Found:
    """The best passages for this person, by the model worker; by words alone, and saying so, where it is away or silent for some seconds.
    Raises Busy at once, IndexFault where the index is ill, and NoAnswer where without the worker nothing can be found."""
    if not has_words(readable_part(query)):
        return Found([], _("There is no word in the question that could be searched for. Write one, in any language."))
    found = answered(query, top_k, actor, filters)
    if len(query) > QUERY_CHARACTERS:
        said = _("Only the first %d characters of the question are read.") % QUERY_CHARACTERS
        return Found(found.passages, f"{said} {found.notice}".strip())
    return found


def answered(query: str, top_k: int, actor: Membership, filters: Filters) -> Found:
    """By the worker, or without it."""
    try:
        return asked(readable_part(query), top_k, actor, filters)
    except NoAnswer:
        found = passages.find_by_words(actor, query, top_k, filters)
        silence = _("the model worker does not answer; it is starting, busy or stopped. Try again in a moment.")
        return Found(found, passages.notice("words", silence))


def asked(query: str, top_k: int, actor: Membership, filters: Filters) -> Found:
    """What the model worker answers. Raises NoAnswer at once where it is known to be away."""
    reply_to = f"north:search:{uuid.uuid4().hex}"
    try:
        redis_client().ping()
        if health.reports("gpu") and not health.fresh("gpu"):
            raise NoAnswer
        arguments = (reply_to, str(actor.workspace_id), str(actor.user_id), query, top_k, str(actor.key_id or ""), packed(filters))
        send("documents.search", *arguments, expires=ANSWER_SECONDS)
        for _half in range(2):
            if answer := redis_client().blpop([reply_to], timeout=ANSWER_SECONDS / 2):
                return unpacked(json.loads(answer[1]))
    except (OperationalError, redis.RedisError) as error:
        raise NoAnswer from error
    raise NoAnswer


def verify(document: Document, verified: bool, *, actor: Membership) -> None:
    """Who manages the document vouches for what it says now, or takes that back; it counts a little in searches."""
    managed(document, actor)
    with transaction.atomic():
        before = Document.objects.alive().filter(pk=document.pk, verified_at__isnull=verified)
        if before.update(verified_at=timezone.now() if verified else None, verified_by=actor.user if verified else None):
            record("document.verify" if verified else "document.unverify", actor=actor, thing=document, name=document.name)


def unpacked(answer: dict[str, Any]) -> Found:
    if answer.get("retry_after"):
        raise Busy(answer["retry_after"])
    if "error" in answer:
        raise IndexFault(answer["error"])
    found = [Passage(**{**passage, "cut": tuple(Cut(**one) for one in passage["cut"])}) for passage in answer["passages"]]
    return Found(found, answer["notice"])


# --- sources -----------------------------------------------------------------------------------------------------------------------
def create_source(
    *, name: str, given: Mapping[str, Any], schedule: int, readers: Readers, actor: Membership, connector: str = configuring.FOLDER,
    half_life: int = 0, as_source: bool = False, include: Sequence[str] = (), exclude: Sequence[str] = (),
) -> Source:  # fmt: skip
    """A source, and its first pass. `given`: its connector's settings. Raises Refused for what is not allowed or a name that is taken."""
    may_set_up(actor)
    configuring.look_up(connector, given)
    source = Source(workspace=actor.workspace, connector=connector, created_by=actor.user)
    settle(source, given, name, schedule, half_life, as_source, include, exclude, readers)
    with transaction.atomic():
        saved(source)
        record("source.create", actor=actor, thing=source, readers=said_of(source, readers), **told(source))
        start(source)
    return source


def edit_source(
    source: Source, *, name: str, given: Mapping[str, Any], schedule: int, readers: Readers, actor: Membership, half_life: int = 0,
    as_source: bool = False, include: Sequence[str] = (), exclude: Sequence[str] = (), looked_up: bool = False,
) -> None:  # fmt: skip
    """Other settings are listed afresh; other readers hold for all its documents from this commit on. `looked_up`: a caller who holds a
    transaction has asked `configuring.look_up` before it."""
    owned(source, actor)
    if not looked_up:
        configuring.look_up(source.connector, given)
    with transaction.atomic():
        source = Source.objects.select_for_update().get(pk=source.pk)
        before = (source.config, configuring.secrets_of(source), source.as_source, source.include, source.exclude)
        readers_before = (source.principals, source.as_source)
        settle(source, given, name, schedule, half_life, as_source, include, exclude, readers)
        afresh = before != (source.config, configuring.secrets_of(source), source.as_source, source.include, source.exclude)
        if afresh:
            source.cursor = source.open_items = source.open_people = None
        if readers_before[1] and not source.as_source:
            source.rights_until = None
        saved(source)
        record("source.edit", actor=actor, thing=source, readers=said_of(source, readers), half_life=half_life, **told(source))
        if readers_before != (source.principals, source.as_source):
            Document.objects.alive().filter(source=source).restrict(source.principals)
            soon("documents.index")
        if afresh:
            source.begin_again()
            channels.look_again(source)


def settle(  # noqa: PLR0917
    source: Source, given: Mapping[str, Any], name: str, schedule: int, half_life: int, as_source: bool, include: Sequence[str],
    exclude: Sequence[str], readers: Readers,
) -> None:  # fmt: skip
    """Writes the settings into the row, which is not saved. With `as_source` nobody reads anything that no pass has seen the rights of."""
    if as_source and not configuring.connector(source.connector).rights:
        raise Refused(_("This connector does not tell who may see a thing. Say who may read it."), field="readers")
    config, secrets = configuring.taken(source.connector, given, None if source._state.adding else source)
    source.config, source.secrets = config, reaching.sealed(source, secrets)
    source.name, source.schedule, source.half_life, source.as_source = name, schedule, half_life, as_source
    source.include, source.exclude = configuring.patterns(include, "include"), configuring.patterns(exclude, "exclude")
    source.principals = [] if as_source else sorted(readers.principals(source.workspace))


def said_of(source: Source, readers: Readers) -> str:
    return "as in the source" if source.as_source else str(readers)


def told(source: Source) -> dict[str, Any]:
    """For the audit: what is no secret."""
    return {"name": source.name, "connector": source.connector, "path": source.config.get("path") or source.config.get("url") or ""}


def preview_source(
    source: Source | None, connector: str, given: Mapping[str, Any], include: Sequence[str], exclude: Sequence[str], *, actor: Membership
) -> configuring.Preview:
    """What a source with these settings would bring, whether there is one or not yet. Nothing is kept. Raises Refused."""
    owned(source, actor) if source else may_set_up(actor)
    row = Source(workspace=actor.workspace, connector=connector, name=connector)
    config, secrets = configuring.taken(connector, given, source)
    row.include, row.exclude = configuring.patterns(include, "include"), configuring.patterns(exclude, "exclude")
    configuring.look_up(connector, given)
    return configuring.previewed(row, {**config, **secrets, **reaching.given_to(connector)}, source or row)


def may_set_up(actor: Membership) -> None:
    if not actor.may_edit or actor.sources is not None:
        raise Http404


def delete_source(source: Source, *, actor: Membership) -> None:
    """The source and all that came from it: gone from every answer with this commit."""
    owned(source, actor)
    with transaction.atomic():
        source = Source.objects.select_for_update().get(pk=source.pk)
        count = Document.objects.filter(source=source).bury()
        record("source.delete", actor=actor, thing=source, name=source.name, documents=count)
        Document.objects.filter(source=source).update(source=None)
        source.delete()
        soon("documents.index")


def sync_now(source: Source, *, actor: Membership) -> SyncRun | None:
    """A pass that begins now; `None` where one is under way. Raises Refused where the source is paused."""
    owned(source, actor)
    with transaction.atomic():
        if Source.objects.filter(pk=source.pk, paused_at__isnull=False).exists():
            raise Refused(_("%s is paused. Resume it first.") % source.name)
        run = start(source)
        if run:
            record("source.sync", actor=actor, thing=source, name=source.name)
        return run


def start(source: Source) -> SyncRun | None:
    run = source.begin()
    if run:
        soon("documents.sync", str(run.pk))
    return run


def owned(source: Source, actor: Membership) -> None:
    limited = actor.sources is not None and str(source.pk) not in actor.sources
    if not actor.may_edit or limited or not Source.objects.filter(pk=source.pk, workspace=actor.workspace).exists():
        raise Http404


def saved(source: Source) -> None:
    try:
        with transaction.atomic():
            source.save()
    except IntegrityError:
        raise Refused(_("A source of this name exists in the workspace. Choose another name."), field="name") from None
