"""Sources: set up, synced, edited, deleted; against a real folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from north import wiring
from north.documents import actions, syncing, tasks
from north.documents.errors import Refused
from north.documents.models import Document, Source, Status, SyncRun
from north.documents.readers import Readers
from north.documents.watching import Watch
from north.workspaces.models import Group, Membership, Workspace
from retrieval.types import Cursor, Item, Listing, Skipped
from tests.documents.conftest import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.FOLDER_ROOTS = [tmp_path / "shares"]
    path = tmp_path / "shares" / "handbook"
    path.mkdir(parents=True)
    (path / "leave.md").write_text("# Leave")
    (path / "pay.md").write_text("# Pay")
    return path


def made(folder: Path, actor: Membership, readers: Readers | None = None) -> Source:
    given, readers = {"path": str(folder)}, readers or Readers(everyone=True)
    return actions.create_source(name="Handbook", given=given, schedule=3600, readers=readers, actor=actor)


def synced(source: Source) -> SyncRun:
    run = source.begin() or source.sync_runs.get(status__in=SyncRun.WORKING)
    tasks.sync(str(run.pk))
    run.refresh_from_db()
    return run


def counts(run: SyncRun) -> tuple[int, int, int, int]:
    return run.new, run.changed, run.unchanged, run.deleted


def touch(path: Path, text: str) -> None:
    path.write_text(text)
    later = path.stat().st_mtime_ns + 5_000_000_000
    os.utime(path, ns=(later, later))


def test_a_sync_finds_what_is_new_changed_unchanged_and_gone(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    run = synced(source)
    assert (run.status, run.error, counts(run)) == ("done", "", (2, 0, 0, 0))
    assert set(source.documents.values_list("name", "external_id", "status")) == {
        ("leave.md", "leave.md", "queued"),
        ("pay.md", "pay.md", "queued"),
    }
    assert counts(synced(source)) == (0, 0, 2, 0)
    touch(folder / "leave.md", "# Leave, changed")
    (folder / "new.md").write_text("# New")
    (folder / "pay.md").unlink()
    assert counts(synced(source)) == (1, 1, 0, 1)
    changed = source.documents.get(name="leave.md")
    assert (changed.version, changed.status) == (2, Status.QUEUED)
    assert set(Document.objects.alive().values_list("name", flat=True)) == {"leave.md", "new.md"}


def test_a_touched_file_with_the_same_bytes_is_unchanged(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    synced(source)
    touch(folder / "leave.md", "# Leave")
    assert counts(synced(source)) == (0, 0, 2, 0)


def test_what_comes_from_a_source_is_for_those_whom_it_names(folder: Path, editor: Membership, hr: Group) -> None:
    source = made(folder, editor, Readers(groups=(hr,)))
    synced(source)
    for document in source.documents.all():
        assert [principal.value for principal in document.principals.all()] == [hr.principal]


def test_a_missing_folder_fails_in_words_and_deletes_nothing(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    synced(source)
    folder.rename(folder.parent / "away")
    run = synced(source)
    assert run.status == "failed"
    assert "is not there" in run.error
    assert Document.objects.alive().count() == 2


def test_a_listing_that_is_not_complete_deletes_nothing(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    synced(source)
    work = pass_over(source)
    work.take(Listing())
    work.take(Item("leave.md", "leave.md", b"# Leave"))
    work.take(Cursor({"files": {}}, complete=False))
    assert work.deleted == 0
    assert Document.objects.alive().count() == 2
    work.take(Cursor({"files": {}}, complete=True))
    assert work.deleted == 1


def test_what_was_skipped_is_named_and_stays(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    synced(source)
    work = pass_over(source)
    work.take(Skipped("leave.md", "leave.md", "It could not be read."))
    work.take(Skipped("pay.md", "pay.md", "It could not be read."))
    work.take(Cursor({}, complete=True))
    assert (work.deleted, len(work.skipped)) == (0, 2)


def test_what_cannot_be_had_is_told_only_where_it_was_wanted(folder: Path, editor: Membership) -> None:
    (folder / "film.mp4").symlink_to("/etc/hostname")
    (folder / "plan.md").symlink_to("/etc/hostname")
    source = made(folder, editor)
    assert {one["name"] for one in synced(source).skipped} == {"film.mp4", "plan.md"}
    Source.objects.update(include=["*.md"])
    assert [one["name"] for one in synced(Source.objects.get()).skipped] == ["plan.md"]


def test_an_empty_or_too_large_file_is_skipped_in_words(folder: Path, editor: Membership, settings: Any) -> None:
    settings.UPLOAD_MEGABYTES = 1
    (folder / "empty.md").write_text("")
    (folder / "large.md").write_text("x" * 1_000_001)
    run = synced(made(folder, editor))
    assert counts(run) == (2, 0, 0, 0)
    assert {one["name"] for one in run.skipped} == {"empty.md", "large.md"}


def pass_over(source: Source) -> syncing.Pass:
    SyncRun.objects.filter(source=source).update(status="done")
    run = source.begin()
    assert run is not None
    row = SyncRun.objects.take(run.pk)
    row.write(status="running")
    return syncing.Pass(row, lambda: None, lambda: None, Watch(row))


def test_a_sync_that_was_killed_again_and_again_ends(folder: Path, editor: Membership, settings: Any) -> None:
    source = made(folder, editor)
    run = source.sync_runs.get()
    past = timezone.now() - timedelta(seconds=1)
    SyncRun.objects.filter(pk=run.pk).update(status="running", attempts=settings.ATTEMPTS, lease_until=past)
    tasks.sync(str(run.pk))
    run.refresh_from_db()
    assert (run.status, "stopped several times" in run.error) == ("failed", True)


def test_a_fault_that_nobody_foresaw_ends_the_pass_in_words_and_is_raised(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    Source.objects.filter(pk=source.pk).update(connector="of a plug-in that is gone")
    with pytest.raises(KeyError):
        tasks.sync(str(source.sync_runs.get().pk))
    run = source.sync_runs.get()
    assert (run.status, run.error) == ("failed", "Something unexpected happened (KeyError). It is in the logs.")


def test_a_pass_whose_lease_was_lost_writes_nothing(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    work = pass_over(source)
    SyncRun.objects.filter(pk=work.row.pk).update(lease_token=None)
    with pytest.raises(tasks.LeaseLost):
        work.take(Item("leave.md", "leave.md", b"# Leave"))
    assert not Document.objects.exists()


def test_one_pass_at_a_time(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    assert actions.sync_now(source, actor=editor) is None
    synced(source)
    assert actions.sync_now(source, actor=editor) is not None


def test_the_schedule_begins_a_pass_when_its_time_has_come(folder: Path, editor: Membership, broker: object) -> None:
    source = made(folder, editor)
    synced(source)
    tasks.sync_due()
    assert source.sync_runs.count() == 1
    Source.objects.update(synced_at=timezone.now() - timedelta(seconds=3601))
    tasks.sync_due()
    assert source.sync_runs.count() == 2


# --- who may read ------------------------------------------------------------------------------------------------------------------
def test_other_readers_hold_for_all_documents_of_the_source(folder: Path, editor: Membership, hr: Group, workspace: Workspace) -> None:
    source = made(folder, editor)
    synced(source)
    actions.edit_source(source, name="Handbook", given={"path": str(folder)}, schedule=0, readers=Readers(groups=(hr,)), actor=editor)
    assert not Document.objects.readable_by([workspace.everyone]).exists()
    assert Document.objects.readable_by([hr.principal]).count() == 2


def test_a_pass_that_began_before_the_readers_changed_uses_the_new_ones(folder: Path, editor: Membership, workspace: Workspace) -> None:
    source = made(folder, editor)
    work = pass_over(source)
    actions.edit_source(source, name="Handbook", given={"path": str(folder)}, schedule=0, readers=Readers(), actor=editor)
    work.take(Item("leave.md", "leave.md", b"# Leave"))
    assert not Document.objects.readable_by([workspace.everyone]).exists()


def test_another_path_is_listed_afresh(folder: Path, editor: Membership) -> None:
    source = made(folder, editor)
    synced(source)
    other = folder.parent / "other"
    other.mkdir()
    (other / "only.md").write_text("# Only")
    actions.edit_source(source, name="Handbook", given={"path": str(other)}, schedule=0, readers=Readers(everyone=True), actor=editor)
    source.refresh_from_db()
    assert source.cursor is None
    assert counts(synced(source)) == (1, 0, 0, 2)


def test_deleting_a_source_takes_all_its_documents(folder: Path, editor: Membership, workspace: Workspace, vectors: str) -> None:
    source = made(folder, editor)
    synced(source)
    tasks.prepare()
    tasks.index()
    assert len(wiring.index().counts(str(workspace.pk))) == 2
    kept = make(workspace, "kept")
    actions.delete_source(source, actor=editor)
    assert list(Document.objects.alive()) == [kept]
    tasks.index()
    assert list(Document.objects.all()) == [kept]
    assert wiring.index().counts(str(workspace.pk)) == {}


# --- where it may lie --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/etc", "", "relative", "/\0", "{root}/../../etc", "{root}/handbook/../../..", "{root}/link"])
def test_a_folder_outside_the_allowed_is_refused(folder: Path, editor: Membership, path: str) -> None:
    (folder.parent / "link").symlink_to("/etc")
    with pytest.raises(Refused, match=r"not among those|as text"):
        made(Path(path.format(root=folder.parent)) if path else Path("/"), editor)
    assert not Source.objects.exists()


def test_a_folder_that_does_not_exist_is_refused(folder: Path, editor: Membership) -> None:
    with pytest.raises(Refused, match="does not exist"):
        made(folder / "nowhere", editor)


def test_a_name_is_there_once(folder: Path, editor: Membership) -> None:
    made(folder, editor)
    with pytest.raises(Refused, match="exists in the workspace"):
        made(folder, editor)


# --- pages -------------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def address(folder: Path, editor: Membership) -> Iterator[str]:
    source = made(folder, editor)
    synced(source)
    yield f"/w/acme/sources/{source.pk}"


def test_the_pages_say_how_it_went(as_bob: Client, address: str) -> None:
    for page in ("/w/acme/sources", address):
        html = as_bob.get(page).content.decode()
        assert "Handbook" in html
        assert "2 new, 0 changed, 0 unchanged, 0 deleted" in html
        assert "everyone in the workspace" in html
    assert "every 2s" in as_bob.get(address).content.decode(), "its documents are being read"


def test_a_source_is_set_up_edited_synced_and_deleted_by_its_pages(as_bob: Client, folder: Path, workspace: Workspace, hr: Group) -> None:
    new = "/w/acme/sources/new"
    values = {"name": "Shelf", "of_path": str(folder), "schedule": "900", "readers": "groups", "groups": [str(hr.pk)]}
    assert as_bob.get(new).status_code == 200
    assert as_bob.post(new, {**values, "readers": ""}).status_code == 422
    refused = as_bob.post(new, {**values, "of_path": "/etc"})
    assert refused.status_code == 422 and "not among those" in refused.context["form"].errors["of_path"][0]
    answer = as_bob.post(new, values)
    source = Source.objects.get(name="Shelf")
    assert answer["Location"] == f"/w/acme/sources/{source.pk}"
    assert source.principals == [hr.principal]
    assert "checked" in as_bob.get(f"/w/acme/sources/{source.pk}/edit").content.decode()
    assert as_bob.post(f"/w/acme/sources/{source.pk}/edit", {**values, "name": "Rack"}).status_code == 302
    taken = as_bob.post(new, {**values, "name": "Rack"})
    assert taken.status_code == 422 and "exists in the workspace" in taken.context["form"].errors["name"][0]
    synced(source)
    assert as_bob.post(f"/w/acme/sources/{source.pk}/sync").status_code == 302
    assert source.sync_runs.filter(status="queued").count() == 1
    assert as_bob.post(f"/w/acme/sources/{source.pk}/delete").status_code == 302
    assert not Source.objects.exists()


def test_readers_and_strangers_see_no_source(as_rita: Client, as_charlie: Client, address: str) -> None:
    for client in (as_rita, as_charlie):
        for tail in ("", "/edit"):
            assert client.get(address + tail).status_code == 404
        for tail in ("/sync", "/delete", "/edit"):
            assert client.post(address + tail).status_code == 404
    assert as_charlie.get(address.replace("acme", "elsewhere")).status_code == 404
    assert Source.objects.exists()
