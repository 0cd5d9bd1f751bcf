"""What lies in a source, shown to whoever sets it up; and a form that asks only what matters."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from north.documents import browsing, reaching
from north.documents.forms import SourceForm
from north.documents.models import Source
from north.workspaces.models import Membership, Workspace
from retrieval.types import Item

pytestmark = pytest.mark.django_db
BROWSE = "/w/acme/sources/browse"


@pytest.fixture
def share(settings: Any, tmp_path: Path) -> Path:
    settings.FOLDER_ROOTS = [tmp_path]
    for name in ("hr/[old] pay/2020/a.txt", "hr/new.txt", "sales/b.txt", "top.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    return tmp_path


class Said(HTMLParser):
    """The attributes of the elements that carry them: what to ask for next, and what a choice adds."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inner: list[dict[str, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "hx-vals" in found:
            self.inner.append(json.loads(found["hx-vals"]))
        if "data-lines" in found:
            self.lines.append((found["data-list"], found["data-lines"]))


def test_a_source_is_looked_into_a_level_at_a_time(share: Path, as_bob: Client) -> None:
    form = {"connector": "folder", "of_path": str(share)}
    assert "Look into the source" in as_bob.get("/w/acme/sources/new?connector=folder").content.decode()
    assert "Look into the source" not in as_bob.get("/w/acme/sources/new?connector=feed").content.decode()
    top = Said(as_bob.post(BROWSE, form).content.decode())
    assert [one["path"] for one in top.inner] == ["hr", "sales"]
    assert top.lines[:2] == [("id_include", "hr/"), ("id_exclude", "hr/")]
    below = Said(as_bob.post(BROWSE, form | top.inner[0]).content.decode())
    assert below.lines[0] == ("id_include", "hr/[[]old] pay/"), "its name stands for itself in the patterns"
    deepest = Said(as_bob.post(BROWSE, form | below.inner[0]).content.decode())
    assert deepest.lines[0][1] == "hr/[[]old] pay/2020/"
    inside = reaching.matcher([deepest.lines[0][1]])
    assert inside("hr/[old] pay/2020/a.txt") and not inside("hr/new.txt")
    assert not Source.objects.exists()


def test_what_cannot_be_looked_into_is_said_in_words(share: Path, as_bob: Client) -> None:
    form = {"connector": "folder", "of_path": str(share)}
    for more, words in (
        ({"of_path": ""}, "This is needed."),
        ({"path": "gone"}, "could not be read"),
        ({"path": "../.."}, "not"),
        ({"path": "a\0b"}, "no such place"),
        ({"path": "a" * 5000}, "no such place"),
        ({"connector": "feed", "of_url": "https://news.example/feed"}, "nothing to look into"),
    ):
        said = as_bob.post(BROWSE, form | more)
        assert said.status_code == 200 and words in said.content.decode() and "errorlist" in said.content.decode(), more
    assert as_bob.post(BROWSE, form | {"connector": "none"}).status_code == 404


def test_a_kept_secret_is_not_sent_to_another_address(editor: Membership, as_bob: Client) -> None:
    source = Source.objects.create(workspace=editor.workspace, name="Wiki", connector="gitlab", config={"url": "https://git.example"})
    Source.objects.filter(pk=source.pk).update(secrets=reaching.sealed(source, {"token": "secret"}), created_by=editor.user)
    form = {"connector": "gitlab", "source": str(source.pk), "of_access": "token", "of_url": "https://elsewhere.example"}
    assert "The address is another one now" in as_bob.post(BROWSE, form).content.decode()


def test_more_than_can_be_shown_is_said(share: Path, as_bob: Client) -> None:
    for number in range(browsing.MOST + 1):
        (share / f"folder {number}").mkdir()
    html = as_bob.post(BROWSE, {"connector": "folder", "of_path": str(share)}).content.decode()
    assert len(Said(html).inner) == browsing.MOST and "more than is shown" in html


def test_a_field_that_another_one_makes_needless_is_marked_and_counts_for_nothing(workspace: Workspace, as_bob: Client) -> None:
    html = as_bob.get("/w/acme/sources/new?connector=web").content.decode()
    assert 'data-needs="of_find crawl"' in html and 'data-needs="of_find sitemap"' in html
    values = {"name": "Site", "schedule": "0", "readers": "nobody", "of_url": "https://www.example.com/", "of_most": "9"}
    form = SourceForm(values | {"of_find": "sitemap", "of_depth": "no number"}, workspace=workspace, connector="web")
    assert form.is_valid(), form.errors
    assert form.given()["find"] == "sitemap" and "depth" not in form.given()
    wrong = SourceForm(values | {"of_find": "crawl", "of_depth": "no number"}, workspace=workspace, connector="web")
    assert not wrong.is_valid() and "of_depth" in wrong.errors


def test_the_patterns_of_a_tree_choose_what_lies_below() -> None:
    scope = Source(include=["hr/"], exclude=["hr/old/"])
    inside = reaching.scope_of(scope)
    items = [Item(path, path.rpartition("/")[2], b"", folder=path.rpartition("/")[0]) for path in ("hr/a.txt", "hr/old/b.txt", "c.txt")]
    assert [inside(item) for item in items] == [True, False, False]
