from django.urls import include, path

from north.api import mcp, problems
from north.api.metrics import metrics
from north.api.probes import healthz, readyz
from north.api.rest import api

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/problems/<slug:code>", problems.explain, name="problem"),
    path("api/", api.urls),
    path("", include("north.api.dialects")),
    path("mcp", mcp.endpoint, name="mcp"),
    path("mcp/", mcp.endpoint, name="mcp_too"),
    path("api/<path:rest>", problems.nowhere, name="nowhere"),
]
