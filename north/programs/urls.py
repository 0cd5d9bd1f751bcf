from django.urls import path

from north.programs import accounts, guide, views

app_name = "programs"
urlpatterns = [
    path("w/<slug:slug>/programs", guide.guide, name="guide"),
    path("w/<slug:slug>/keys", views.keys, name="keys"),
    path("w/<slug:slug>/keys/new", views.make, name="make"),
    path("w/<slug:slug>/keys/members", views.allow_members, name="allow_members"),
    path("w/<slug:slug>/keys/accounts/new", accounts.new, name="new_account"),
    path("w/<slug:slug>/keys/accounts/<uuid:user>/role", accounts.role, name="account_role"),
    path("w/<slug:slug>/keys/accounts/<uuid:user>/delete", accounts.delete, name="delete_account"),
    path("w/<slug:slug>/keys/<uuid:key>", views.key, name="key"),
    path("w/<slug:slug>/keys/<uuid:key>/allow", views.allow, name="allow"),
    path("w/<slug:slug>/keys/<uuid:key>/rotate", views.rotate, name="rotate"),
    path("w/<slug:slug>/keys/<uuid:key>/revoke", views.revoke, name="revoke"),
]
