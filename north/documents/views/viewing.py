"""One document as a page, or beside an answer: its text, or the pictures of its pages, with the words of a span marked; and its file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from north.documents import actions, files, rendering
from north.documents.errors import FileLost
from north.documents.models import Document
from north.documents.quoting import digest, found_again
from north.documents.readers import Readers
from north.documents.rendering import Span
from north.workspaces.access import inside
from north.workspaces.models import Group, Membership, Role
from retrieval import reading
from retrieval.errors import ParseError, ReaderUnavailable
from retrieval.types import Parsed, Place

PICTURE_WIDTH = 1200
ATTACHED = 200
MARKDOWN = "text/markdown"
MONOSPACED = {"application/json", "application/yaml", "text/plain"}


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float


def number(value: str | None) -> int:
    """A number from a query string; 0 for what is none."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 10 else 0


@inside(Role.READER)
@require_GET
def document(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    """`start` and `end` mark a span; `of` is the digest of the words that stood there; `page` and `part` leaf."""
    brings = Exists(Document.objects.filter(parent=OuterRef("pk")))
    found = actions.readable(membership).select_related("source", "uploaded_by", "verified_by", "parent").annotate(brings=brings)
    row = get_object_or_404(found, pk=document)
    pane = bool(request.htmx) and request.htmx.target == "aside"  # type: ignore[attr-defined]
    context = {"document": row, "pane": pane, "nav": "documents", **(shown(request, row) if row.searchable else {})}
    if pane or request.htmx:  # type: ignore[attr-defined]
        return render(request, "documents/document.html#viewer", context)
    groups = Group.objects.filter(workspace=membership.workspace)
    values = row.principals.values_list("value", flat=True)
    may_manage = membership.may_edit
    attached = actions.readable(membership).filter(parent=row).only("pk", "name")[:ATTACHED] if row.brings else []
    return render(
        request,
        "documents/document.html",
        context | {"readers": Readers.of(values, membership.workspace, groups), "may_manage": may_manage, "attached": attached},
    )


def shown(request: HttpRequest, row: Document) -> dict[str, Any]:
    """What the viewer draws: the page of a PDF, the rows of a sheet, rendered Markdown, or text."""
    span, moved = span_of(request, row.text)
    try:
        layout = files.read_layout(row.layout_of(row.indexed_sha256))
    except FileLost:
        layout = Parsed(row.text, row.media_type)
    context: dict[str, Any] = {"moved": moved, "span": span}
    if row.pages and (page := page_of(request, layout, span)):
        return context | {"kind": "pdf", **pdf(row, layout, page, span)}
    part = rendering.part_of(row.text, number=number(request.GET.get("part")), around=span.start if span else 0)
    context |= {"part": part, "leaves": leaves(span, "part", part.number, part.count)}
    if any(place.kind == "row" for place in layout.places):
        return context | {"kind": "sheet", "rows": rendering.rows(row.text, part.start, part.end, span, layout.places)}
    if row.media_type == MARKDOWN and part.count == 1 and (html := rendering.markdown(row.text, part.start, part.end, span)):
        return context | {"kind": "prose", "html": html}
    headings = [place for place in layout.places if place.kind in ("heading", "slide")] if row.media_type != MARKDOWN else []
    html = rendering.plain(row.text, part.start, part.end, span, headings)
    return context | {"kind": "plain" if row.media_type in MONOSPACED else "text", "html": html}


def span_of(request: HttpRequest, text: str) -> tuple[Span | None, bool]:
    """The span to mark, where its words stand now; and whether they are gone."""
    start, end, words = number(request.GET.get("start")), number(request.GET.get("end")), request.GET.get("of", "")
    if start >= end:
        return None, False
    if words:
        span = found_again(text, Span(start, end), words)
        return span, span is None
    return Span(start, end).within(0, len(text)), False


def page_of(request: HttpRequest, layout: Parsed, span: Span | None) -> Place | None:
    """The page that is asked for, that on which the span begins, or the first."""
    pages = [place for place in layout.places if place.kind == "page"]
    wanted = request.GET.get("page", "")
    named = next((place for place in pages if place.label == wanted), None)
    if named or wanted:
        return named or blank(layout, number(wanted))
    at = next((place for place in pages if span and place.start <= span.start < place.end), None)
    return at or (pages[0] if pages else blank(layout, 1))


def blank(layout: Parsed, page: int) -> Place | None:
    """A page without any text."""
    return Place(0, 0, "page", str(page)) if 1 <= page <= layout.pages else None


def pdf(row: Document, layout: Parsed, page: Place, span: Span | None) -> dict[str, Any]:
    context: dict[str, Any] = {
        "page": page,
        "html": rendering.plain(row.text, page.start, page.end, span),
        "boxes": boxes(row, int(page.label), span) if span else [],
        "leaves": leaves(span, "page", int(page.label), row.pages),
    }
    try:
        context["size"] = size_of(picture(row, int(page.label)))
    except (ParseError, ReaderUnavailable, FileLost) as fault:
        context["fault"] = str(fault)
    return context


def boxes(row: Document, page: int, span: Span) -> list[Box]:
    """The boxes of the span's words on the page, those of a line joined."""
    try:
        words = files.read_words(row.layout_of(row.indexed_sha256))
    except FileLost:
        return []
    lines: list[Box] = []
    for word in words:
        if word.page != page or word.start >= span.end or word.end <= span.start:
            continue
        left, top, right, bottom = word.box
        last = lines[-1] if lines else None
        if last and abs(last.y - top) < last.height / 2 and left >= last.x:
            y, end = min(last.y, top), max(last.y + last.height, bottom)
            lines[-1] = Box(last.x, y, max(last.width, right - last.x), end - y)
        else:
            lines.append(Box(left, top, right - left, bottom - top))
    return lines


def leaves(span: Span | None, name: str, current: int, count: int) -> dict[str, Any] | None:
    """Where to leaf to from here, the span kept in mind."""
    if count < 2:
        return None
    said = {"start": span.start, "end": span.end} if span else {}

    def query(number: int) -> str:
        return urlencode({**said, name: number})

    before, after = (query(current - 1) if current > 1 else ""), (query(current + 1) if current < count else "")
    return {"name": name, "current": current, "count": count, "before": before, "after": after}


def picture(row: Document, page: int) -> bytes:
    """The page as PNG, drawn once. Raises FileLost, ParseErrors, ReaderUnavailable."""
    kept = files.path_of(f"{row.file_of(row.indexed_sha256)}.{page}.png")
    try:
        return kept.read_bytes()
    except FileNotFoundError:
        source = files.path_of(row.file_of(row.indexed_sha256))
        if not source.is_file():
            raise FileLost from None
        drawn = reading.draw(source, page, width=PICTURE_WIDTH, megabytes=settings.PARSE_MEGABYTES)
        files.write(f"{row.file_of(row.indexed_sha256)}.{page}.png", drawn)
        return drawn


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header of a PNG."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@inside(Role.READER)
@require_GET
def page(request: HttpRequest, membership: Membership, document: UUID, page: int) -> HttpResponse:
    row = get_object_or_404(actions.readable(membership).defer("text"), pk=document)
    if not row.searchable or not 1 <= page <= row.pages:
        raise Http404
    tag = f'"{row.indexed_sha256[:32]}-{page}"'
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponse(status=304)
    else:
        try:
            response = HttpResponse(picture(row, page), content_type="image/png")
        except (ParseError, ReaderUnavailable, FileLost) as fault:
            return HttpResponse(str(fault), status=422, content_type="text/plain; charset=utf-8")
    response["ETag"] = tag
    patch_cache_control(response, private=True, no_cache=True)
    return response


@inside(Role.READER)
@require_GET
def file(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse | FileResponse:
    row = get_object_or_404(actions.readable(membership).defer("text"), pk=document)
    try:
        return download(row)
    except FileLost as fault:
        return HttpResponse(str(fault), status=410, content_type="text/plain; charset=utf-8")


def download(row: Document) -> FileResponse:
    """The stored bytes, always as a download: whatever they are, no browser runs them as a page of ours. Raises FileLost."""
    try:
        stream = files.path_of(row.file_of(row.sha256)).open("rb")
    except FileNotFoundError:
        raise FileLost from None
    response = FileResponse(stream, as_attachment=True, filename=row.name, content_type="application/octet-stream")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    patch_cache_control(response, private=True, no_store=True)
    return response


def address(slug: str, document: str, span: Span | None = None, words: str = "", *, view: str = "documents:document") -> str:
    """Where a span of a document is shown; by its `words` it is found again where the document changes."""
    said: dict[str, object] = {"start": span.start, "end": span.end} if span else {}
    if words:
        said["of"] = digest(words)
    return reverse(view, args=[slug, document]) + (f"?{urlencode(said)}" if said else "")


def place_words(place: Place | None) -> str:
    """Where a passage stands, as people say it."""
    if place is None:
        return ""
    if place.kind == "row":
        sheet, _mark, row = place.label.rpartition("!")
        return _("%(sheet)s, row %(row)s") % {"sheet": sheet, "row": row} if sheet else _("row %s") % row
    return {"page": _("page %s"), "slide": _("slide %s"), "heading": "%s"}[place.kind] % place.label
