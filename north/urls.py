from django.urls import include, path

urlpatterns = [
    path("", include("north.api.urls")),
    path("", include("north.workspaces.urls")),
    path("", include("north.usage.urls")),
    path("admin", include("north.administration.urls")),
    path("", include("north.documents.urls")),
    path("", include("north.threads.urls")),
]
