from django.urls import path

from north.usage import views

app_name = "usage"
urlpatterns = [
    path("admin/usage", views.installation, name="installation"),
    path("admin/usage.csv", views.installation_csv, name="installation_csv"),
    path("w/<slug:slug>/usage", views.workspace, name="workspace"),
    path("w/<slug:slug>/usage.csv", views.workspace_csv, name="workspace_csv"),
]
