"""For load balancers and people: is this process alive, and is each part ready? Says no name, no path and no version to strangers."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from north import health


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


WORDS = {
    "away": "It does not answer. An administrator sees what to do with `manage.py doctor`.",
    "silent": "It has not been heard of for some seconds. It starts again by itself; if it does not, look with `manage.py doctor`.",
    "loading": "It loads its models. Wait until they are loaded.",
    "failed": "A model could not be loaded. An administrator sees why on the page Models and health, or with `manage.py doctor`.",
    "hung": "A model hangs. Its worker starts again by itself and takes its work up again.",
    "memory": "A model ran out of memory. Free some or choose a smaller model: the page Models and health says which.",
}
"""For strangers, by health.Health.kind."""


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Each part by name, and what is the matter with those that are not ready; 503 where there are any."""
    parts = health.read()["parts"]
    problems = {part["name"]: WORDS[part["kind"]] for part in parts if not part["ok"]}
    said = {"status": "not ready" if problems else "ok", "parts": {part["name"]: part["ok"] for part in parts}}
    return JsonResponse(said | ({"problems": problems} if problems else {}), status=503 if problems else 200)
