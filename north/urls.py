from django.urls import include, path

from north.documents.views.connecting import consented
from north.documents.views.hooks import hook

urlpatterns = [
    path("", include("north.api.urls")),
    path("hooks/<str:key>", hook, name="hook"),
    path("consent", consented, name="consent"),
    path("", include("north.workspaces.urls")),
    path("", include("north.usage.urls")),
    path("", include("north.webhooks.urls")),
    path("", include("north.programs.urls")),
    path("admin", include("north.administration.urls")),
    path("", include("north.documents.urls")),
    path("", include("north.outside.urls")),
    path("", include("north.evaluation.urls")),
    path("", include("north.refusals.urls")),
    path("", include("north.threads.urls")),
]

handler400 = "north.api.elsewhere.bad_request"
handler500 = "north.api.elsewhere.server_error"
