from django.urls import include, path

from north.documents.views import browsing, connecting, controls, documents, hooks, mapping, reading, searching, sources, viewing

app_name = "documents"
one_document = [
    path("", viewing.document, name="document"),
    path("/pages/<int:page>.png", viewing.page, name="page"),
    path("/file", viewing.file, name="file"),
    path("/reading", reading.reading, name="reading"),
    path("/reread", reading.reread, name="reread"),
    path("/retry", documents.retry, name="retry"),
    path("/delete", documents.delete, name="delete"),
    path("/skip", controls.skip, name="skip"),
    path("/access", documents.access, name="access"),
    path("/verify", documents.verify, name="verify"),
]
one_source = [
    path("", sources.source, name="source"),
    path("/edit", sources.edit, name="edit_source"),
    path("/sync", sources.sync, name="sync"),
    path("/connection", connecting.connection, name="connection"),
    path("/connect", connecting.connect, name="connect"),
    path("/device", connecting.device, name="device"),
    path("/device/poll", connecting.device_poll, name="device_poll"),
    path("/disconnect", connecting.disconnect, name="disconnect"),
    path("/push", hooks.push, name="push"),
    path("/push/secret", hooks.push_secret, name="push_secret"),
    path("/push/register", hooks.push_register, name="push_register"),
    path("/push/close", hooks.push_close, name="push_close"),
    path("/pause", controls.pause, name="pause_source"),
    path("/resume", controls.resume, name="resume_source"),
    path("/cancel", controls.cancel, name="cancel_sync"),
    path("/retry", controls.retry, name="retry_source"),
    path("/people", mapping.people, name="source_people"),
    path("/people/<uuid:identity_id>", mapping.decide, name="map_account"),
    path("/delete", sources.delete, name="delete_source"),
]
urlpatterns = [
    path("w/<slug:slug>/documents", documents.index, name="index"),
    path("w/<slug:slug>/documents/upload", documents.upload, name="upload"),
    path("w/<slug:slug>/documents/<uuid:document>", include(one_document)),
    path("w/<slug:slug>/search", searching.search, name="search"),
    path("w/<slug:slug>/search/saved", searching.save, name="save_search"),
    path("w/<slug:slug>/search/saved/<uuid:search>/rename", searching.rename_saved, name="rename_search"),
    path("w/<slug:slug>/search/saved/<uuid:search>/delete", searching.delete_saved, name="delete_search"),
    path("w/<slug:slug>/sources", sources.index, name="sources"),
    path("w/<slug:slug>/sources/new", sources.new, name="new_source"),
    path("w/<slug:slug>/sources/preview", sources.preview, name="preview_source"),
    path("w/<slug:slug>/sources/browse", browsing.browse, name="browse_source"),
    path("w/<slug:slug>/sources/<uuid:source>", include(one_source)),
]
