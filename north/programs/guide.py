"""The page that says how programs use North, with examples for the reader's own address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from north.programs.examples import EXAMPLES, KEY, WEBHOOK
from north.webhooks.models import Event
from north.workspaces.access import inside
from north.workspaces.models import KeyScope, Membership

SIZES = (384, 256, 128, 64)
LOSSES = (
    (_("XQuAD, as numbers"), (0.869, 0.801, 0.629, 0.432)),
    (_("XQuAD, as bytes"), (0.867, 0.799, 0.626, 0.429)),
    (_("XQuAD, as bits"), (0.290, 0.170, 0.091, 0.061)),
    (_("Cranfield, as numbers"), (0.498, 0.464, 0.391, 0.271)),
    (_("Cranfield, as bytes"), (0.498, 0.465, 0.390, 0.270)),
    (_("Cranfield, as bits"), (0.153, 0.077, 0.033, 0.021)),
)
"""nDCG@10 of search by meaning alone, by the vectors' first dimensions: tests/bench/results/2026-11-22-dimensions.md"""


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
        "sizes": SIZES,
        "losses": [(name, [(size, f"{found:.3f}") for size, found in zip(SIZES, by_size, strict=True)]) for name, by_size in LOSSES],
        "webhook": (WEBHOOK, WEBHOOK.filled(address)),
        "scopes": [(scope.value, str(scope.label).partition(": ")[2]) for scope in KeyScope],
        "events": Event.choices,
    }
    return render(request, "programs/guide.html", context)
