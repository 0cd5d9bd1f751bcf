"""What pages of people and of the administration share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.http import HttpRequest, QueryDict

from north.workspaces.errors import Refused


@contextmanager
def refusals_shown(request: HttpRequest) -> Iterator[None]:
    """What is refused in the block is said on the next page."""
    try:
        yield
    except Refused as refusal:
        messages.error(request, str(refusal))


def posted(request: HttpRequest) -> QueryDict | None:
    """What was sent, also where that is nothing; `None` for a page that is only looked at."""
    return request.POST if request.method == "POST" else None
