"""The page that says how programs use North, with examples for the reader's own address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from north.programs.examples import EXAMPLES, KEY, WEBHOOK
from north.webhooks.models import Event
from north.workspaces.access import inside
from north.workspaces.models import KeyScope, Membership


@require_safe
@never_cache
@inside()
def guide(request: HttpRequest, membership: Membership) -> HttpResponse:
    address = request.build_absolute_uri("/").rstrip("/")
    context = {
        "nav": "settings",
        "tab": "guide",
        "address": address,
        "key": (KEY, KEY.filled(address)),
        "examples": [(example, example.filled(address)) for example in EXAMPLES],
        "webhook": (WEBHOOK, WEBHOOK.filled(address)),
        "scopes": [(scope.value, str(scope.label).partition(": ")[2]) for scope in KeyScope],
        "events": Event.choices,
    }
    return render(request, "programs/guide.html", context)
