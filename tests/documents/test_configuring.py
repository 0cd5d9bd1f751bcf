"""A source's settings: checked, sealed, tried before they are used, and never sent where they do not belong."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps as django_apps
from django.test import Client

from north.documents import actions, configuring, reaching, tasks
from north.documents.errors import Refused
from north.documents.models import Document, Source, SyncRun
from north.documents.readers import Readers
from north.sealing import seal
from north.workspaces.models import AuditEvent, Membership
from retrieval.errors import RateLimited, SourceNotAllowed, TokenRefused
from retrieval.parsers import load
from retrieval.types import Item, Skipped
from tests.retrieval.connectors import shelf
from tests.retrieval.connectors.outside import Asked, Headers

pytestmark = pytest.mark.django_db


@pytest.fixture
def served(settings: Any) -> Iterator[tuple[str, shelf.Shelf]]:
    """A real shelf over HTTP on this machine, which the operator allows."""
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]
    holding = shelf.Shelf()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = holding.serve(Asked("GET", f"http://shelf{self.path}", Headers(self.headers), None))  # type: ignore[arg-type]
            self.send_response(said.status_code)
            for name, value in {**said.headers, "content-length": str(len(said.content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", holding
    server.shutdown()
    server.server_close()


def made(url: str, actor: Membership, token: str = shelf.TOKEN, **more: Any) -> Source:
    given = {"url": url, "token": token}
    values = {"name": "Shelf", "connector": "shelf", "schedule": 0, "readers": Readers(everyone=True), "actor": actor}
    return actions.create_source(**{**values, "given": given, **more})


def synced(source: Source) -> SyncRun:
    run = source.begin() or source.sync_runs.get(status__in=SyncRun.WORKING)
    tasks.sync(str(run.pk))
    run.refresh_from_db()
    return run


def test_a_source_of_another_system_is_synced_by_the_one_way_out(served: tuple[str, shelf.Shelf], editor: Membership) -> None:
    url, holding = served
    for name in ("a.txt", "b.txt", "c.txt"):
        holding.put(name, f"text of {name}")
    source = made(url, editor)
    assert synced(source).new == 3
    assert synced(source).new == 0


def test_a_secret_lies_sealed_and_opens_in_its_own_row_only(served: tuple[str, shelf.Shelf], editor: Membership) -> None:
    source = made(served[0], editor)
    row = Source.objects.get()
    assert shelf.TOKEN not in json.dumps([row.config, row.secrets]) and reaching.secrets_of(row) == {"token": shelf.TOKEN}
    assert all(shelf.TOKEN not in json.dumps(event.detail) for event in AuditEvent.objects.all())
    other = made(served[0], editor, name="Other", token="o")
    Source.objects.filter(pk=other.pk).update(secrets=source.secrets)
    with pytest.raises(TokenRefused):
        reaching.secrets_of(Source.objects.get(pk=other.pk))
    assert synced(Source.objects.get(pk=other.pk)).status == "failed"


def test_a_secret_that_is_left_out_stays_but_not_at_another_address(served: tuple[str, shelf.Shelf], editor: Membership) -> None:
    """Else whoever may edit a source could have its secret sent to a server of theirs."""
    source = made(served[0], editor)
    values = {"name": "Shelf", "schedule": 0, "readers": Readers(everyone=True), "actor": editor}
    actions.edit_source(source, given={"url": served[0]}, **values)
    assert reaching.secrets_of(Source.objects.get()) == {"token": shelf.TOKEN}
    with pytest.raises(Refused, match="enter this again"):
        actions.edit_source(source, given={"url": "http://127.0.0.1:9"}, **values)
    with pytest.raises(Refused, match="enter this again"):
        actions.preview_source(source, "shelf", {"url": "http://127.0.0.1:9"}, [], [], actor=editor)
    actions.edit_source(source, given={"url": "http://127.0.0.1:9", "token": "new"}, **values)
    assert reaching.secrets_of(Source.objects.get()) == {"token": "new"}


def test_a_secret_sealed_under_a_key_that_is_gone_is_entered_again(
    served: tuple[str, shelf.Shelf], editor: Membership, settings: Any
) -> None:
    source = made(served[0], editor)
    settings.SECRET_KEY = "another" * 10
    run = synced(source)
    assert run.status == "failed" and "Enter the secret again" in run.error


def test_a_secret_that_the_source_replaced_is_kept(served: tuple[str, shelf.Shelf], editor: Membership) -> None:
    source = made(served[0], editor)
    way = reaching.Way(source)
    way.keep("token", "the next", shelf.TOKEN)
    assert reaching.secrets_of(Source.objects.get()) == {"token": "the next"} and way.newest("token") == "the next"
    way.keep("token", "a late one", shelf.TOKEN)
    assert way.newest("token") == "the next", "somebody has put another one there since"


def test_a_secret_that_the_source_replaced_is_kept_also_where_the_pass_was_stopped(
    served: tuple[str, shelf.Shelf], editor: Membership
) -> None:
    """The source takes the one before it no more: were it lost with the lease, nothing would ever get in again."""
    source = made(served[0], editor)
    row = SyncRun.objects.get(source=source)
    assert not row.lease_token
    reaching.Way(source, row).keep("token", "the next", shelf.TOKEN)
    assert reaching.secrets_of(Source.objects.get()) == {"token": "the next"}


def test_other_settings_begin_afresh_also_what_is_under_way(served: tuple[str, shelf.Shelf], editor: Membership) -> None:
    url, holding = served
    holding.put("a.txt", "text")
    source = made(url, editor)
    synced(source)
    source.refresh_from_db()
    assert source.cursor == {"feed": 1}
    run = source.begin()
    assert run and SyncRun.objects.filter(pk=run.pk).update(status="running", lease_token=source.pk)
    given = {"url": url, "token": shelf.TOKEN, "depth": 5}
    actions.edit_source(source, name="Shelf", given=given, schedule=0, readers=Readers(everyone=True), actor=editor)
    run.refresh_from_db()
    assert (Source.objects.get().cursor, run.status, run.lease_token) == (None, "queued", None)


# --- scope -------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ([], [], {"hr/pay.pdf", "hr/old/pay.PDF", "a.txt"}),
        (["*.pdf"], [], {"hr/pay.pdf", "hr/old/pay.PDF"}),
        (["hr/"], [], {"hr/pay.pdf", "hr/old/pay.PDF"}),
        (["HR/*.pdf"], ["hr/old/"], {"hr/pay.pdf"}),
        ([], ["*"], set()),
        (["[a.txt"], [], set()),
        (["/hr/*"], [], {"hr/pay.pdf", "hr/old/pay.PDF"}),
        (["/a.txt", "/pay.pdf"], [], {"a.txt"}),
    ],
)
def test_patterns_say_what_comes(include: list[str], exclude: list[str], kept: set[str]) -> None:
    inside = reaching.scope_of(Source(include=include, exclude=exclude))
    items = [Item("1", "pay.pdf", b"", folder="hr"), Item("2", "pay.PDF", b"", folder="hr/old"), Item("3", "a.txt", b"")]
    assert {reaching.path_of(item) for item in items if inside(item)} == kept


def test_what_could_not_be_had_and_nobody_wants_is_not_told() -> None:
    inside = reaching.scope_of(Source(include=["*.pdf"]))
    film, report = Skipped("a/film.mp4", "film.mp4", "", "a"), Skipped("report.pdf", "report.pdf", "", "")
    assert not inside(film) and inside(report) and inside(Skipped("7", "film.mp4", "")), "where it lies is not known"


def test_what_a_git_source_was_asked_for_itself_is_its_scope_now(editor: Membership) -> None:
    def after(only: list[str], without: list[str], include: list[str], exclude: list[str]) -> tuple[list[str], list[str], bool]:
        config = {"url": "https://git.example/book.git", "only": only, "without": without}
        row = Source.objects.create(
            workspace=editor.workspace, connector="git", name="Book", config=config, include=include, exclude=exclude
        )
        load("north.documents.migrations.0011_one_scope.join")(django_apps, None)
        found = Source.objects.get()
        row.delete()
        assert found.config == {"url": "https://git.example/book.git"}
        return found.include, found.exclude, found.paused_at is not None

    assert after(["docs/*"], ["*.lock"], [], []) == (["docs/*"], ["*.lock"], False)
    assert after([], ["*.lock", "a/"], ["hr/"], ["*.lock"]) == (["hr/"], ["*.lock", "a/"], False)
    assert after(["*.md"], [], ["hr/"], []) == (["hr/"], [], True), "no one list says both: somebody is to look first"


def test_a_source_is_asked_once_what_is_not_wanted_of_it(editor: Membership) -> None:
    config = {"url": "https://files.example", "without": ["/Archive/", "draft"]}
    Source.objects.create(workspace=editor.workspace, connector="webdav", name="Files", config=config, exclude=["*.tmp"])
    load("north.documents.migrations.0013_patterns_once.join")(django_apps, None)
    found = Source.objects.get()
    assert found.config == {"url": "https://files.example"} and not configuring.judged("webdav", found.config).wrong
    assert found.exclude == ["*.tmp", "*/Archive/*", "/Archive/", "Archive", "*draft*", "*draft*/*"]


def test_what_a_narrower_scope_leaves_out_goes(served: tuple[str, shelf.Shelf], editor: Membership) -> None:
    url, holding = served
    holding.put("a.txt", "text")
    holding.put("b.md", "text")
    source = made(url, editor)
    synced(source)
    given = {"url": url, "token": shelf.TOKEN}
    actions.edit_source(source, name="Shelf", given=given, schedule=0, readers=Readers(), exclude=["*.md"], actor=editor)
    synced(Source.objects.get())
    assert list(Document.objects.alive().values_list("name", flat=True)) == ["a.txt"]


def test_what_somebody_deleted_comes_back_only_when_it_has_changed(served: tuple[str, shelf.Shelf], editor: Membership) -> None:
    url, holding = served
    holding.put("a.txt", "text")
    source = made(url, editor)
    synced(source)
    actions.delete(Document.objects.get(), actor=editor)
    Source.objects.update(cursor=None)
    synced(Source.objects.get())
    assert not Document.objects.alive().exists()
    holding.put("a.txt", "another text")
    synced(Source.objects.get())
    assert Document.objects.alive().count() == 1


def test_one_document_of_a_source_that_says_who_reads_is_not_opened_by_hand(
    served: tuple[str, shelf.Shelf], editor: Membership, as_bob: Client
) -> None:
    served[1].put("a.txt", "text")
    synced(made(served[0], editor, readers=Readers(), as_source=True))
    document = Document.objects.get()
    answer = as_bob.post(f"/w/acme/documents/{document.pk}/access", {"readers": "nobody"})
    assert answer.status_code == 422 and "as open as in its source" in answer.content.decode()


# --- before the first sync ---------------------------------------------------------------------------------------------------------
def test_a_preview_says_what_works_and_counts(served: tuple[str, shelf.Shelf], as_bob: Client, editor: Membership) -> None:
    url, holding = served
    for name in ("a.txt", "b.md", "c.md"):
        holding.put(name, "text")
    values = {"connector": "shelf", "of_url": url, "of_token": shelf.TOKEN, "exclude": "*.txt"}
    html = as_bob.post("/w/acme/sources/preview", values).content.decode()
    for words in ("Things can be listed.", "2 documents would come", "b.md", "Left out by the patterns: 1."):
        assert words in html
    refused = as_bob.post("/w/acme/sources/preview", values | {"of_token": "wrong"}).content.decode()
    assert "does not take these credentials" in refused and "would come" not in refused
    assert "Token: This is needed." in as_bob.post("/w/acme/sources/preview", values | {"of_token": ""}).content.decode()
    assert not Source.objects.exists() and not Document.objects.exists()
    source = made(url, editor)
    kept = as_bob.post("/w/acme/sources/preview", values | {"of_token": "", "source": str(source.pk)}).content.decode()
    assert "2 documents would come" in kept, "a secret that is kept is used"


def test_a_form_is_made_from_what_the_connector_asks(served: tuple[str, shelf.Shelf], as_bob: Client, editor: Membership) -> None:
    new = "/w/acme/sources/new?connector=shelf"
    html = as_bob.get(new).content.decode()
    for words in ("Where the shelf stands", "On the shelf", "Depth", 'type="password"', "Whoever may see it in the source"):
        assert words in html
    values = {"connector": "shelf", "name": "Shelf", "of_url": "nowhere", "of_depth": "99", "schedule": "0", "readers": "source"}
    answer = as_bob.post(new, values)
    assert answer.status_code == 422 and "nowhere" in answer.content.decode(), "nothing that was written is lost"
    assert set(answer.context["form"].errors) == {"of_url", "of_token", "of_depth"}
    assert as_bob.post(new, values | {"of_url": served[0], "of_token": shelf.TOKEN, "of_depth": "4"}).status_code == 302
    source = Source.objects.get()
    assert source.as_source and source.config == {"url": served[0], "depth": 4} and source.principals == []
    html = as_bob.get(f"/w/acme/sources/{source.pk}/edit").content.decode()
    assert shelf.TOKEN not in html and served[0] in html
    assert as_bob.get("/w/acme/sources/new?connector=none").status_code == 404


def test_a_connector_without_rights_cannot_be_as_its_source(editor: Membership, settings: Any) -> None:
    with pytest.raises(Refused, match="no such connector"):
        made("https://x.example", editor, connector="none")


# --- the one way out ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://169.254.169.254/latest", "http://[::1]:80", "http://2130706433", "http://localhost"]
)
def test_an_address_that_may_not_be_contacted_is_refused_before_and_in_a_sync(url: str, editor: Membership, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    with pytest.raises(Refused, match=r"may not contact|not an address"):
        made(url, editor)
    source = Source.objects.create(workspace=editor.workspace, connector="shelf", name="Past the form", config={"url": url, "token": "t"})
    run = synced(source)
    assert run.status == "failed" and "not among the places" in run.error
    with pytest.raises(SourceNotAllowed):
        reaching.Way(source).dial("127.0.0.1", 22)
    with pytest.raises(SourceNotAllowed):
        reaching.Way(source).addresses("127.0.0.1", 22)


def test_nobody_before_a_page_waits_for_a_source(editor: Membership) -> None:
    with pytest.raises(RateLimited):
        reaching.Way(Source(name="x")).sleep(3)


def test_a_sealed_text_of_another_kind_opens_nothing(editor: Membership) -> None:
    source = Source.objects.create(
        workspace=editor.workspace, connector="shelf", name="x", secrets=seal(json.dumps({"source": "x", "secrets": {}}))
    )
    assert configuring.secrets_of(source) == {}
