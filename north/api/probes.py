"""For load balancers and people: is this process alive, and is each part ready? Says no name, no path and no version to strangers."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from north import health


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Each part by name; 503 where one is not ready."""
    parts = {part["name"]: part["ok"] for part in health.read()["parts"]}
    return JsonResponse(
        {"status": "ok" if all(parts.values()) else "not ready", "parts": parts}, status=200 if all(parts.values()) else 503
    )
