"""Every page of a filled workspace, from the list of routes itself, with the number of its database queries; as the workspace's owner, who
is an administrator, too, and so sees the most. And a signed-in session, to look at them as a browser does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from north.documents import actions as documents
from north.documents.models import Document, Source
from north.documents.readers import Readers
from north.threads.models import Run, Thread
from north.workspaces.access import enter
from north.workspaces.models import Group, Membership, User

NO_PAGES = ("api:", "healthz", "readyz")
DOCS = "api:openapi-view"
"""The API's description, shown by Swagger UI: told, and not judged as a page of North's."""
FILTERS = {"documents:search": "?q=travel", "threads:index": "?q=how"}
SHOWN = {"threads:events", "documents:page", "documents:file"}
"""GET routes that give no page: a stream, a picture, a file."""


def names(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, set[str]]]:
    """The name of each route with the names of its arguments."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            for name, arguments in names(pattern, inner):
                yield name, arguments | set(pattern.pattern.converters)
        elif isinstance(pattern, URLPattern) and (name := f"{space}{pattern.name}") and (not name.startswith(NO_PAGES) or name == DOCS):
            yield name, set(pattern.pattern.converters) - set(pattern.default_args)


def filled(membership: Membership) -> dict[str, Any]:
    """One of each thing that a route may name: the largest, as far as there is a choice."""
    rows = Document.objects.alive().filter(workspace=membership.workspace)
    thread = Thread.objects.of(membership).exclude(asked_at=None).first()
    if thread is None:
        raise RuntimeError("The workspace has no thread.")
    return {
        "slug": membership.workspace.slug, "workspace": membership.workspace_id, "user": membership.user_id, "page": 1,
        "document": rows.order_by("-pages", "-chunks").values_list("pk", flat=True)[0], "source": source(membership).pk,
        "group": Group.objects.filter(workspace=membership.workspace)[0].pk,
        "thread_id": thread.pk, "run_id": Run.objects.filter(thread=thread).latest("created_at").pk,
    }  # fmt: skip


def source(membership: Membership) -> Source:
    found = Source.objects.filter(workspace=membership.workspace).first()
    if found:
        return found
    folder = settings.FOLDER_ROOTS[0]
    (folder / "note.md").write_text("# A note\n\nThat lies in a folder.\n")
    readers = Readers(everyone=True)
    return documents.create_source(name="Shared folder", given={"path": str(folder)}, schedule=0, readers=readers, actor=membership)


def main(slug: str, email: str) -> dict[str, Any]:
    user = User.objects.get(email=email)
    things = filled(enter(user, slug=slug))
    settings.ALLOWED_HOSTS.append("testserver")
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    pages, left_out = [], []
    for name, arguments in names(get_resolver()):
        path = reverse(name, kwargs={key: things[key] for key in arguments}) if arguments <= things.keys() and name not in SHOWN else ""
        for address in {path, path + FILTERS.get(name, "")} if path else set():
            with CaptureQueriesContext(connection) as queries:
                response = browser.get(address)
            if response.status_code == 200 and response["Content-Type"].startswith("text/html"):
                pages.append({"name": name, "path": address, "queries": len(queries)})
            elif response.status_code not in {301, 302, 405}:
                left_out.append(f"{name} ({response.status_code})")
        if not path:
            left_out.append(name)
    return {"pages": pages, "left_out": left_out, "cookies": {key: morsel.value for key, morsel in browser.cookies.items()}}
