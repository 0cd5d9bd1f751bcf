"""Entity tags (RFC 9110): whoever knows a resource as it is need not read it again, and whoever changes it may say which state they saw."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from ninja import Schema

S = TypeVar("S", bound=Schema)
T = TypeVar("T", bound=Model)


class NotModified(Exception):
    def __init__(self, tag: str) -> None:
        self.tag = tag
        super().__init__(tag)


class Changed(Exception):
    def __init__(self) -> None:
        super().__init__(_("It was changed since you read it. Read it again, then change it with the ETag that it has now."))


def tag_of(shape: Schema) -> str:
    return f'"{hashlib.sha256(shape.model_dump_json().encode()).hexdigest()[:32]}"'


def tagged(request: HttpRequest, response: HttpResponse, shape: S) -> S:
    """The shape, with its tag in the answer. Raises `NotModified` where the caller has it already."""
    tag = tag_of(shape)
    if request.method == "GET" and named(request, "If-None-Match", tag):
        raise NotModified(tag)
    response["ETag"] = tag
    return shape


def named(request: HttpRequest, header: str, tag: str) -> bool:
    tags = [given.removeprefix("W/") for given in parse_etags(request.headers.get(header, ""))]
    return "*" in tags or tag in tags


@contextmanager
def held(request: HttpRequest, rows: QuerySet[T], shape: Callable[[T], Schema]) -> Iterator[T]:
    """The one row of `rows`, locked until the block ends. Raises `Http404`, and `Changed` where it is not what `If-Match` names."""
    with transaction.atomic():
        row = rows.select_for_update(of=("self",)).first()
        if row is None:
            raise Http404
        if request.headers.get("If-Match") is not None and not named(request, "If-Match", tag_of(shape(row))):
            raise Changed
        yield row
