from django.urls import path

from north.outside import views

app_name = "outside"
urlpatterns = [
    path("w/<slug:slug>/tool-servers", views.servers, name="servers"),
    path("w/<slug:slug>/tool-servers/<uuid:server_id>/read", views.read, name="read"),
    path("w/<slug:slug>/tool-servers/<uuid:server_id>/approve", views.approve, name="approve"),
    path("w/<slug:slug>/tool-servers/<uuid:server_id>/secret", views.secret, name="secret"),
    path("w/<slug:slug>/tool-servers/<uuid:server_id>/remove", views.remove, name="remove"),
]
