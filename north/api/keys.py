"""Who calls: a Bearer key in the Authorization header, and nothing else; a session or a key in the URL opens nothing here."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from ninja.security import HttpBearer

from north.workspaces import access
from north.workspaces.models import Membership


class Key(HttpBearer):
    openapi_name = "key"
    openapi_description = "Made by `manage.py issue_key --workspace W --user U` or on the workspace's settings page."

    def authenticate(self, request: HttpRequest, token: str) -> Membership | None:
        membership = access.by_key(token)
        if membership is not None:
            request.user = membership.user
        return membership


def caller(request: HttpRequest) -> Membership:
    """The membership that the key of this request acts as."""
    return request.auth  # type: ignore[attr-defined]


def by_key_or_404(key: str) -> Membership:
    """The membership as it is now: for streams, which ask again while they last."""
    membership = access.by_key(key)
    if membership is None:
        raise Http404
    return membership
