"""`Idempotency-Key` on writes (draft-ietf-httpapi-idempotency-key-header): the same request with the same key is done once, however often
it is sent. What it changed and its answer are committed together, so a process may die at any point. Kept for 24 hours, for the same
person in the same workspace; only what was done is kept: a request that was refused changed nothing and may be sent again."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Status
from ninja.renderers import JSONRenderer

from north.api.models import KeptAnswer
from north.workspaces.models import Membership

HEADER = "Idempotency-Key"
KEPT_HOURS = 24
LEASE_SECONDS = 120
SAFE = {"GET", "HEAD", "OPTIONS"}
PIECE = 1 << 20


class Repeated(Exception):
    def __init__(self, status: int, code: str, words: str) -> None:
        self.status, self.code = status, code
        super().__init__(words)


def under_way() -> Repeated:
    words = _("The first request with this Idempotency-Key is still under way. Send the same again in a moment for its answer.")
    return Repeated(409, "repeat_under_way", words)


def kept(view: Callable[..., Any]) -> Callable[..., Any]:
    """For all operations of a router, after the key and the values were checked."""

    @functools.wraps(view)
    def wrapper(request: HttpRequest, *arguments: Any, **values: Any) -> Any:
        key = request.headers.get(HEADER)
        if request.method in SAFE or key is None:
            return view(request, *arguments, **values)
        return once(request, checked(key), functools.partial(view, request, *arguments, **values))

    return wrapper


def checked(key: str) -> str:
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Repeated(422, "invalid", _("An Idempotency-Key has 1 to 255 printable ASCII characters; a UUID is a good one."))
    return key


def once(request: HttpRequest, key: str, work: Callable[[], Any]) -> Any:
    caller: Membership = request.auth  # type: ignore[attr-defined]
    until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    row = claimed(caller, key, digest_of(request), until)
    if row.status is not None:
        return again(row)
    mine = KeptAnswer.objects.filter(pk=row.pk, status=None, until=until)
    done = False
    try:
        with transaction.atomic():
            result = work()
            status, body = written(request, result)
            if not mine.update(status=status, body=body) and KeptAnswer.objects.filter(pk=row.pk).exists():
                raise under_way()
        done = True
    finally:
        if not done:
            mine.delete()
    return result


def claimed(caller: Membership, key: str, digest: str, until: datetime) -> KeptAnswer:
    """The row, with the answer or now the caller's to write. Raises `Repeated`. Rows whose time is over go in passing."""
    with transaction.atomic():
        KeptAnswer.objects.filter(created_at__lt=timezone.now() - timedelta(hours=KEPT_HOURS)).delete()
        values = {"request": digest, "until": until}
        row, new = KeptAnswer.objects.get_or_create(workspace=caller.workspace, user=caller.user, key=key, defaults=values)
    if new:
        return row
    if row.request != digest:
        raise Repeated(422, "repeat_differs", _("This Idempotency-Key was used for another request. Choose a new one for each."))
    if row.status is None:
        stale = KeptAnswer.objects.filter(pk=row.pk, status=None, until=row.until, until__lt=timezone.now())
        if not stale.update(until=until):
            raise under_way()
    return row


def digest_of(request: HttpRequest) -> str:
    """Of a form its fields and files, since each sender draws other lines between them; of everything else the body's bytes."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type != "multipart/form-data":
        digest.update(request.body)
        return digest.hexdigest()
    for name, values in sorted(request.POST.lists()):
        digest.update(repr((name, values)).encode("utf-8", "backslashreplace"))
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            digest.update(repr((name, file.name, file.size)).encode("utf-8", "backslashreplace"))
            update(digest, file)
    return digest.hexdigest()


def update(digest: Any, file: UploadedFile) -> None:
    for piece in file.chunks(PIECE):
        digest.update(piece)
    file.seek(0)


def written(request: HttpRequest, result: Any) -> tuple[int, str]:
    """Status and body as they are kept: without what is shown only once."""
    status, shape = (result.status_code, result.value) if isinstance(result, Status) else (200, result)
    if shape is None:
        return status, ""
    hidden: set[str] = getattr(shape, "shown_once", set())
    values = {name: None if name in hidden else value for name, value in shape.model_dump().items()}
    return status, JSONRenderer().render(request, values, response_status=status)


def again(row: KeptAnswer) -> HttpResponse:
    response = HttpResponse(row.body, status=row.status, content_type="application/json; charset=utf-8" if row.body else None)
    response["Idempotent-Replayed"] = "true"
    return response
