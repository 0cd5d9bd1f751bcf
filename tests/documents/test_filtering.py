"""Filters from words to the index: what they say of wrong input, on the page and in the API; and the facts that they ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from celery.contrib.testing.worker import start_worker
from django.test import Client

from north import wiring
from north.celery import app
from north.documents import actions, filtering, stages, tasks
from north.documents.errors import Refused
from north.documents.models import Document, Source, Status
from north.documents.passages import search
from north.workspaces.models import ApiKey, Membership, Workspace
from retrieval.parsers import load
from retrieval.types import EVERYTHING, Filters
from tests.documents.conftest import make, read, ready

PAGE, CALL = "/w/acme/search", "/api/v1/search"
OLD, NEW = datetime(2023, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
WRONG: list[tuple[object, str]] = [
    (None, "Filters are an object"),
    ([], "Filters are an object"),
    ("pdf", "Filters are an object"),
    (7, "Filters are an object"),
    ({"must": [{"key": "readers"}]}, "There is no filter “must”"),
    ({"readers": ["w:1"]}, "There is no filter “readers”"),
    ({"workspace": "x", "type": ["pdf"]}, "There is no filter “workspace”"),
    ({"type": None}, "type takes a list"),
    ({"type": []}, "type takes a list"),
    ({"type": "pdf"}, "type takes a list"),
    ({"type": {"any": ["pdf"]}}, "type takes a list"),
    ({"type": ["pdf"] * 21}, "type takes a list of 1 to 20"),
    ({"type": [1]}, "type takes text"),
    ({"type": [["pdf"]]}, "type takes text"),
    ({"type": ["exe"]}, "type does not know “exe”; it knows pdf, word"),
    ({"language": ["German"]}, "language takes codes"),
    ({"language": ["日本"]}, "language takes codes"),
    ({"author": [""]}, "author takes text"),
    ({"author": ["\0"]}, "author takes text"),
    ({"author": ["\ud800"]}, "author takes text"),
    ({"author": ["a" * 1001]}, "author takes text"),
    ({"source": ["nowhere"]}, "No source “nowhere” holds anything that you may read"),
    ({"folder": ""}, "folder takes text"),
    ({"folder": "../x"}, "folder takes a path"),
    ({"folder": "a//b"}, "folder takes a path"),
    ({"folder": ["a"]}, "folder takes text"),
    ({"created_from": "yesterday"}, "created_from takes a date"),
    ({"created_to": "2024-13-01"}, "created_to takes a date"),
    ({"updated_to": "0001-01-01"}, "updated_to takes a date"),
    ({"updated_from": "9999-12-31T23:59:59-23:00"}, "updated_from takes a date"),
    ({"updated_from": 2024}, "updated_from takes text"),
    ({"updated_from": "2024-05-02", "updated_to": "2024-05-01"}, "updated_from lies after updated_to"),
    ({"created_from": "2024-05-02T10:00:00+01:00", "created_to": "2024-05-02T08:59:59Z"}, "created_from lies after created_to"),
]


@pytest.fixture
def call(workspace: Workspace, reader: Membership) -> Callable[[object], Any]:
    headers = {"Authorization": f"Bearer {ApiKey.issue(workspace=workspace, user=reader.user)[1]}"}
    return lambda body: Client().post(CALL, json.dumps(body), content_type="application/json", headers=headers)


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "said"), WRONG, ids=[str(given)[:40] for given, _ in WRONG])
def test_wrong_filters_are_refused_in_words(given: object, said: str, call: Callable[[object], Any]) -> None:
    answer = call({"query": "pay", "filters": given})
    assert answer.status_code == 422, answer.content
    assert said in answer.json()["detail"] and answer.json()["code"] == "invalid"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"type": "exe"}, "type does not know “exe”"),
        ({"created_from": "soon"}, "created_from takes a date"),
        ({"updated_from": "2024-05-02", "updated_to": "2024-05-01"}, "updated_from lies after updated_to"),
        ({"source": "nowhere"}, "No source “nowhere”"),
        ({"folder": "../x"}, "folder takes a path"),
        ({"author": "\0"}, "author takes text"),
    ],
)
def test_the_page_says_the_same(query: dict[str, str], said: str, as_rita: Client, workspace: Workspace) -> None:
    answer = as_rita.get(f"{PAGE}?{urlencode({'q': 'pay', **query})}")
    assert answer.status_code == 422
    assert said in answer.content.decode()


@pytest.mark.django_db
def test_filters_are_what_the_words_say(workspace: Workspace, reader: Membership) -> None:
    given = {"type": ["pdf", "mail"], "author": ["Anna"], "language": ["DE"], "folder": "/hr/", "source": ["uploads"]}
    times = {"created_from": "2024-01-01", "created_to": "2024-12-31", "updated_from": "2024-05-01T10:00:00+02:00"}
    assert filtering.filters_of({**given, **times}, actions.readable(reader)) == Filters(
        sources=frozenset({""}),
        types=frozenset({"pdf", "mail"}),
        authors=frozenset({"Anna"}),
        languages=frozenset({"de"}),
        folder="hr",
        created_from=datetime(2024, 1, 1, tzinfo=UTC),
        created_before=datetime(2025, 1, 1, tzinfo=UTC),
        updated_from=datetime(2024, 5, 1, 8, tzinfo=UTC),
    )
    assert filtering.filters_of({}, actions.readable(reader)) == EVERYTHING
    one_day = filtering.filters_of({"created_from": "2024-05-01", "created_to": "2024-05-01"}, actions.readable(reader))
    assert one_day.created_before == datetime(2024, 5, 2, tzinfo=UTC)


@pytest.mark.django_db
def test_filters_cross_the_broker_whole(workspace: Workspace, reader: Membership) -> None:
    filters = filtering.filters_of({"type": ["pdf"], "folder": "hr", "created_to": "2024-12-31", "author": ["A"]}, actions.readable(reader))
    assert filtering.unpacked(json.loads(json.dumps(filtering.packed(filters)))) == filters
    assert filtering.packed(EVERYTHING) == {}


@pytest.mark.django_db
@pytest.mark.usefixtures("vectors")
def test_a_source_is_named_only_to_who_may_read_something_of_it(workspace: Workspace, reader: Membership, owner: Membership) -> None:
    shown, hidden = (Source.objects.create(workspace=workspace, connector="folder", name=name) for name in ("Handbook", "Board"))
    document = ready(workspace, "rules of leave", source=shown, external_id="a/rules.txt", kept_in="a")
    ready(workspace, "rules of the board", source=hidden, external_id="b.txt", principals=[])
    ready(workspace, "rules of an upload")
    for name in ("Handbook", str(shown.pk)):
        filters = filtering.filters_of({"source": [name]}, actions.readable(reader))
        assert filters.sources == {str(shown.pk)}
        assert [one.document for one in search(str(workspace.pk), str(reader.user_id), "rules", 5, filters)] == [str(document.pk)]
    for name in ("Board", str(hidden.pk)):
        with pytest.raises(Refused):
            filtering.filters_of({"source": [name]}, actions.readable(reader))
    both = filtering.filters_of({"source": ["uploads", "Handbook"]}, actions.readable(reader))
    assert len(search(str(workspace.pk), str(reader.user_id), "rules", 5, both)) == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("vectors")
class TestFacts:
    def test_they_are_the_files_own_then_the_sources_then_the_rows(self, workspace: Workspace) -> None:
        said = ready(workspace, "words", author="Anna", created_at=OLD, updated_at=NEW, language="en", media_type="text/html")
        assert (said.author, said.language, said.written_at, said.changed_at) == ("Anna", "en", OLD, NEW)
        found = ready(workspace, "words", modified_at=NEW)
        assert (found.written_at, found.changed_at) == (NEW, NEW)
        silent = ready(workspace, "words")
        assert silent.written_at == silent.changed_at == silent.created_at

    def test_a_search_is_narrowed_by_them(self, workspace: Workspace, reader: Membership) -> None:
        old = ready(workspace, "rules one", author="Anna Berg", created_at=OLD, updated_at=OLD, media_type="text/html", language="de")
        new = ready(workspace, "rules two", author="Bo", created_at=NEW, updated_at=NEW, name="b.txt")

        def found(**given: object) -> list[str]:
            filters = filtering.filters_of(given, actions.readable(reader))
            return sorted(one.name for one in search(str(workspace.pk), str(reader.user_id), "rules", 5, filters))

        assert found(type=["page"]) == found(author=["berg"]) == found(language=["de"]) == found(updated_to="2023-12-31") == [old.name]
        assert found(created_from="2024-05-01", created_to="2024-05-01") == found(type=["text"]) == [new.name]
        assert found() == sorted([old.name, new.name])

    def test_the_language_is_told_when_a_file_is_read(self, workspace: Workspace) -> None:
        text = "Die Kündigungsfrist beträgt drei Monate; die Kündigung muss schriftlich beim Vorgesetzten eingereicht werden."
        document = make(workspace, text)
        tasks.prepare()
        tasks.index()
        document.refresh_from_db()
        assert (document.status, document.language) == (Status.READY, "de"), document.error

    def test_a_layout_of_an_older_north_is_read(self, workspace: Workspace, reader: Membership) -> None:
        document = make(workspace, "older words")
        read(document, "older words")
        name = document.layout_of(document.sha256)
        values = stages.files._read_json(name)
        stages.files._write_json(name, {key: value for key, value in values.items() if key not in ("author", "language")})
        tasks.index()
        document.refresh_from_db()
        assert (document.status, document.author) == (Status.READY, "")

    def test_documents_of_an_older_north_are_told_to_the_index_by_the_migration(self, workspace: Workspace, reader: Membership) -> None:
        document = ready(workspace, "rules", modified_at=NEW)
        Document.objects.filter(pk=document.pk).update(changed_at=None, written_at=None)
        row = Document.objects.get(pk=document.pk)
        wiring.index().describe(stages.entry_of(row))
        filters = filtering.filters_of({"updated_from": "2024-01-01", "updated_to": "2024-12-31"}, actions.readable(reader))
        assert search(str(workspace.pk), str(reader.user_id), "rules", 5, filters) == []
        load("north.documents.migrations.0002_facts.fill")(django_apps(), None)
        tasks.index()
        assert len(search(str(workspace.pk), str(reader.user_id), "rules", 5, filters)) == 1

    def test_documents_of_an_older_north_are_told_by_their_names(self, workspace: Workspace, reader: Membership) -> None:
        document = ready(workspace, "Costs rose.\nAcme Inc.", name="costs.txt")
        wiring.index().describe(replace(stages.entry_of(document), names=frozenset()))

        def named() -> bool:
            (found,) = search(str(workspace.pk), str(reader.user_id), "How did Acme's costs change?", 5)
            return "named" in found.why

        assert not named()
        load("north.documents.migrations.0015_names.tell")(django_apps(), None)
        tasks.index()
        assert named()


def django_apps() -> Any:
    return load("django.apps.registry.apps")


@pytest.fixture
def worker(broker: Any, vectors: str, transactional_db: None) -> Iterator[None]:
    with start_worker(app, pool="solo", queues=["search"], perform_ping_check=False, loglevel="ERROR"):
        yield


def test_page_and_api_narrow_through_the_worker(
    worker: None, as_rita: Client, workspace: Workspace, call: Callable[[object], Any], reader: Membership
) -> None:
    soon = datetime.now(UTC) - timedelta(days=1)
    ready(workspace, "rules one", name="one.html", media_type="text/html", author="Anna", updated_at=soon)
    ready(workspace, "rules two", name="two.txt", updated_at=OLD, created_at=OLD)
    html = as_rita.get(PAGE, {"q": "rules", "type": "page", "author": "", "updated_from": ""}).content.decode()
    assert "one.html" in html and "two.txt" not in html
    answer = call({"query": "rules", "filters": {"updated_to": "2023-12-31"}})
    assert [result["name"] for result in answer.json()["results"]] == ["two.txt"]
    assert len(call({"query": "rules", "filters": {}}).json()["results"]) == 2
    assert len(actions.search("rules", top_k=5, actor=reader, filters=Filters(types=frozenset({"page", "text"}))).passages) == 2
