from django.urls import path

from north.webhooks import views

app_name = "webhooks"
urlpatterns = [
    path("w/<slug:slug>/webhooks", views.webhooks, name="webhooks"),
    path("w/<slug:slug>/webhooks/new", views.new, name="new"),
    path("w/<slug:slug>/webhooks/<uuid:webhook>", views.webhook, name="webhook"),
    path("w/<slug:slug>/webhooks/<uuid:webhook>/change", views.change, name="change"),
    path("w/<slug:slug>/webhooks/<uuid:webhook>/test", views.test, name="test"),
    path("w/<slug:slug>/webhooks/<uuid:webhook>/secret", views.secret, name="secret"),
    path("w/<slug:slug>/webhooks/<uuid:webhook>/switch", views.switch, name="switch"),
    path("w/<slug:slug>/webhooks/<uuid:webhook>/delete", views.delete, name="delete"),
    path("w/<slug:slug>/webhooks/<uuid:webhook>/deliveries/<uuid:delivery>/again", views.again, name="again"),
]
