from django.urls import path

from north.api.probes import healthz, readyz
from north.api.rest import api

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/", api.urls),
]
