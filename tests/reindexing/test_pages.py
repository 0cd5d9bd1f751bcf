"""The administrators' page of the index, and the command: begin, follow, swap, go back, give up; wrong input is answered in words."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from north import wiring
from north.indexes.models import Generation, State
from north.workspaces.models import User, Workspace
from tests.conftest import browser_of
from tests.documents.conftest import ready
from tests.reindexing.conftest import work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker", "vectors")]
PAGE = "/admin/index"


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("reindex", *arguments, stdout=out)
    return out.getvalue()


def test_an_administrator_builds_compares_swaps_goes_back_and_removes(workspace: Workspace, admin: User) -> None:
    ready(workspace, "A report that is long enough to be asked for a sentence of its own. " * 20)
    ada = browser_of(admin)
    assert "Build a new index" in ada.get(PAGE).content.decode()
    model = wiring.serving().model
    assert ada.post(f"{PAGE}/build", {"model": model, "characters": "300"}).status_code == 302
    page = ada.get(PAGE).content.decode()
    assert "0 of 1 documents" in page and "Build a new index" not in page and "every 2s" in page
    work()
    part = ada.get(PAGE, headers={"hx-request": "true"}).content.decode()
    assert "1 of 1 documents" in part and "Both compared" in part and "<html" not in part
    coming = Generation.objects.under_way()
    assert coming
    old = wiring.serving()
    ada.post(f"{PAGE}/{coming.pk}/swap")
    work(1)
    assert wiring.serving() == coming and "Go back to it" in ada.get(PAGE).content.decode()
    ada.post(f"{PAGE}/{old.pk}/swap")
    work(1)
    assert wiring.serving() == old
    ada.post(f"{PAGE}/{coming.pk}/remove")
    work(1)
    coming.refresh_from_db()
    assert coming.state == State.REMOVED and "Earlier ones" in ada.get(PAGE).content.decode()


def test_wrong_input_is_answered_in_words_and_kept(admin: User) -> None:
    answer = browser_of(admin).post(f"{PAGE}/build", {"model": "no-such-model", "characters": "7", "swaps_itself": "on"})
    page = answer.content.decode()
    assert answer.status_code == 422 and 'value="7"' in page and "checked" in page and "no-such-model" in page
    assert not Generation.objects.under_way()


def test_the_command_does_and_says_the_same(workspace: Workspace, as_alice: Client) -> None:
    ready(workspace, "A report.")
    assert "answers" in told() and "documents" not in told()
    assert "0 of 1 documents" in told("build", "--characters", "400", "--swap")
    with pytest.raises(CommandError, match="already"):
        call_command("reindex", "build")
    work(2)
    work(1)
    assert wiring.serving().characters == 400 and "kept for" in told()
    told("back")
    work(1)
    assert wiring.serving().characters == 1000
    told("remove")
    with pytest.raises(CommandError, match="no such index"):
        call_command("reindex", "back")
    told("build", "--characters", "500")
    told("stop")
    assert not Generation.objects.under_way()
