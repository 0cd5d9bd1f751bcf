from django.urls import path

from north.threads import building, controlling, decisions, reviewing, views, writings
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
    path("w/<slug:slug>/runs/<uuid:run_id>/trace", reviewing.trace, name="trace"),
    path("w/<slug:slug>/web/<uuid:page_id>", reviewing.web_page, name="web_page"),
    path("w/<slug:slug>/runs/<uuid:run_id>/replay", reviewing.replay, name="replay"),
    path("w/<slug:slug>/runs/<uuid:run_id>/comparison", reviewing.compared, name="comparison"),
    path("w/<slug:slug>/threads/<uuid:thread_id>/queue", controlling.waiting, name="waiting"),
    path("w/<slug:slug>/threads/<uuid:thread_id>/queue/<uuid:queued_id>/delete", controlling.unqueue, name="unqueue"),
    path("w/<slug:slug>/approvals/<uuid:approval_id>", decisions.decide, name="decide"),
    path("w/<slug:slug>/agent", decisions.rules, name="rules"),
    path("w/<slug:slug>/agent/hosts", decisions.hosts, name="hosts"),
    path("w/<slug:slug>/agents", building.index, name="agents"),
    path("w/<slug:slug>/agents/new", building.new, name="new_agent"),
    path("w/<slug:slug>/agents/<uuid:agent_id>", building.agent, name="agent"),
    path("w/<slug:slug>/agents/<uuid:agent_id>/try", building.try_out, name="try_agent"),
    path("w/<slug:slug>/agents/<uuid:agent_id>/restore", building.restore, name="restore_agent"),
    path("w/<slug:slug>/agents/<uuid:agent_id>/share", building.share, name="share_agent"),
    path("w/<slug:slug>/agents/<uuid:agent_id>/retire", building.retire, name="retire_agent"),
    path("w/<slug:slug>/written/<uuid:artifact_id>", writings.artifact, name="artifact"),
    path("w/<slug:slug>/written", writings.index, name="artifacts"),
    path("w/<slug:slug>/written/<uuid:artifact_id>/revise", writings.revise, name="revise"),
    path("w/<slug:slug>/written/<uuid:artifact_id>/restore", writings.restore, name="restore"),
    path("w/<slug:slug>/written/<uuid:artifact_id>/file.<slug:kind>", writings.export_artifact, name="export_artifact"),
    path("w/<slug:slug>/runs/<uuid:run_id>/file.<slug:kind>", writings.export_run, name="export_run"),
]
