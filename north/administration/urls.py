from django.urls import path

from north.administration import indexes, views

app_name = "administration"
urlpatterns = [
    path("", views.index, name="index"),
    path("/users", views.users, name="users"),
    path("/users/new", views.new_user, name="new_user"),
    path("/users/<uuid:user>/link", views.link, name="link"),
    path("/users/<uuid:user>/suspend", views.suspend, name="suspend"),
    path("/users/<uuid:user>/restore", views.restore, name="restore"),
    path("/users/<uuid:user>/make-admin", views.set_admin, {"is_admin": True}, name="make_admin"),
    path("/users/<uuid:user>/unmake-admin", views.set_admin, {"is_admin": False}, name="unmake_admin"),
    path("/groups", views.groups, name="groups"),
    path("/workspaces", views.workspaces, name="workspaces"),
    path("/workspaces/<uuid:workspace>/owner", views.appoint, name="appoint"),
    path("/workspaces/<uuid:workspace>/delete", views.delete_workspace, name="delete_workspace"),
    path("/sources", views.sources, name="sources"),
    path("/keys", views.keys, name="keys"),
    path("/keys/<uuid:key>/revoke", views.revoke_key, name="revoke_key"),
    path("/models", views.models, name="models"),
    path("/models/card", views.card, name="card"),
    path("/models/card/test", views.test_model, name="test_model"),
    path("/models/card/stop", views.stop_test, name="stop_test"),
    path("/index", indexes.index, name="indexes"),
    path("/index/build", indexes.build, name="build_index"),
    path("/index/<int:generation>/stop", indexes.stop, name="stop_index"),
    path("/index/<int:generation>/swap", indexes.swap, name="swap_index"),
    path("/index/<int:generation>/remove", indexes.remove, name="remove_index"),
    path("/audit", views.audit, name="audit"),
    path("/audit/verify", views.verify, name="verify"),
]
