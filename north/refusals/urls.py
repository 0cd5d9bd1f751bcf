from django.urls import path

from north.refusals import views

app_name = "refusals"
urlpatterns = [
    path("w/<slug:slug>/refusals", views.index, name="index"),
    path("w/<slug:slug>/refusals/mark", views.mark, name="mark"),
    path("w/<slug:slug>/refusals/marks/<uuid:mark>/remove", views.take_back, name="take_back"),
    path("w/<slug:slug>/refusals/use", views.use, name="use"),
    path("w/<slug:slug>/refusals/reset", views.reset, name="reset"),
]
