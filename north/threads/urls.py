from django.urls import path

from north.threads import controlling, decisions, views
from north.threads.stream import stream

app_name = "threads"
urlpatterns = [
    path("w/<slug:slug>/", views.index, name="index"),
    path("w/<slug:slug>/ask", views.start, name="start"),
    path("w/<slug:slug>/threads/<uuid:thread_id>", views.thread, name="thread"),
    path("w/<slug:slug>/threads/<uuid:thread_id>/ask", views.ask, name="ask"),
    path("w/<slug:slug>/threads/<uuid:thread_id>/rename", views.rename, name="rename"),
    path("w/<slug:slug>/threads/<uuid:thread_id>/delete", views.delete, name="delete"),
    path("w/<slug:slug>/runs/<uuid:run_id>/events", stream, name="events"),
    path("w/<slug:slug>/runs/<uuid:run_id>/cancel", views.cancel, name="cancel"),
    path("w/<slug:slug>/runs/<uuid:run_id>/again", views.again, name="again"),
    path("w/<slug:slug>/runs/<uuid:run_id>/resume", controlling.resume, name="resume"),
    path("w/<slug:slug>/runs/<uuid:run_id>/retry", controlling.retry, name="retry"),
    path("w/<slug:slug>/threads/<uuid:thread_id>/queue", controlling.waiting, name="waiting"),
    path("w/<slug:slug>/threads/<uuid:thread_id>/queue/<uuid:queued_id>/delete", controlling.unqueue, name="unqueue"),
    path("w/<slug:slug>/approvals/<uuid:approval_id>", decisions.decide, name="decide"),
    path("w/<slug:slug>/agent", decisions.rules, name="rules"),
    path("w/<slug:slug>/written/<uuid:artifact_id>", decisions.artifact, name="artifact"),
]
