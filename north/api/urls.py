from django.urls import path

from north.api.metrics import metrics
from north.api.probes import healthz, readyz
from north.api.rest import api

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/", api.urls),
]
