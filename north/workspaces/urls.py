from django.urls import path

from north.workspaces.views import account, entry, people, workspace

app_name = "workspaces"
urlpatterns = [
    path("", entry.home, name="home"),
    path("sign-in", entry.SignIn.as_view(), name="sign_in"),
    path("sign-out", entry.sign_out, name="sign_out"),
    path("welcome/<str:secret>", entry.welcome, name="welcome"),
    path("invitation/<str:secret>", entry.invitation, name="invitation"),
    path("account", account.account, name="account"),
    path("account/password", account.password, name="password"),
    path("account/sessions/end-others", account.end_others, name="end_others"),
    path("account/sessions/<uuid:session>/end", account.end_session, name="end_session"),
    path("workspaces", workspace.all_workspaces, name="all"),
    path("workspaces/new", workspace.new, name="new"),
    path("w/<slug:slug>/people", people.people, name="people"),
    path("w/<slug:slug>/people/invite", people.invite, name="invite"),
    path("w/<slug:slug>/people/invitations/<uuid:invitation>/take-back", people.take_back, name="take_back"),
    path("w/<slug:slug>/people/<uuid:user>/role", people.role, name="role"),
    path("w/<slug:slug>/people/<uuid:user>/remove", people.remove, name="remove"),
    path("w/<slug:slug>/groups/new", people.new_group, name="new_group"),
    path("w/<slug:slug>/groups/<uuid:group>", people.group, name="group"),
    path("w/<slug:slug>/groups/<uuid:group>/rename", people.rename_group, name="rename_group"),
    path("w/<slug:slug>/groups/<uuid:group>/members", people.group_members, name="group_members"),
    path("w/<slug:slug>/groups/<uuid:group>/delete", people.delete_group, name="delete_group"),
    path("w/<slug:slug>/settings", workspace.settings, name="settings"),
    path("w/<slug:slug>/settings/change", workspace.change, name="change"),
    path("w/<slug:slug>/settings/leave", workspace.leave, name="leave"),
    path("w/<slug:slug>/settings/delete", workspace.delete, name="delete"),
]
