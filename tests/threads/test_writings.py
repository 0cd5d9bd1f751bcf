"""What was written for somebody: read, edited without losing what was, and taken along as a file."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from north.documents.models import Document, Principal, Status
from north.threads import authoring, papers
from north.threads.errors import Outdated, Unaskable
from north.threads.models import Artifact, ArtifactVersion, Citation, Run, Thread
from north.workspaces.models import AuditEvent, Membership, Workspace

pytestmark = pytest.mark.django_db
FIRST, SECOND = "The notice period is thirty days.", "Flights need consent."


@pytest.fixture
def document(workspace: Workspace) -> Document:
    found = Document.objects.create(
        workspace=workspace, name="handbook.txt", text=f"{FIRST} {SECOND}", sha256="0" * 64, indexed_sha256="0" * 64, status=Status.READY
    )
    Principal.objects.create(document=found, value=workspace.everyone)
    return found


def citing(text: str, document: Document, *quotes: str) -> list[dict[str, object]]:
    found = []
    for quote in quotes:
        at = document.text.index(quote)
        source = {"document": str(document.pk), "name": "handbook.txt", "start": at, "end": at + len(quote), "text": quote, "score": 1.0}
        start = text.index(quote)
        found.append({"start": start, "end": start + len(quote), "text": quote, "sources": [source]})
    return found


@pytest.fixture
def version(workspace: Workspace, reader: Membership, document: Document) -> ArtifactVersion:
    thread = Thread.objects.create(workspace=workspace, user=reader.user, title="T")
    run = Run.objects.create(thread=thread, question="Why?", status="done")
    artifact = Artifact.objects.create(workspace=workspace, user=reader.user, thread=thread, title="Our rules")
    text = f"# Rules\n\n{FIRST} {SECOND}"
    return artifact.versions.create(number=1, text=text, citations=citing(text, document, FIRST, SECOND), run=run)


def test_an_edit_is_a_new_version_and_words_left_alone_keep_their_sources(version: ArtifactVersion, reader: Membership) -> None:
    text = f"{SECOND} Mind the holidays.\n\n{FIRST}"
    kept = authoring.revise(version.artifact, text, based_on=1, actor=reader)
    assert (kept.number, kept.text, kept.run) == (2, text, None)
    assert [(one["text"], text[one["start"] : one["end"]]) for one in kept.citations] == [(SECOND, SECOND), (FIRST, FIRST)]
    assert authoring.revise(version.artifact, f"{text}\n", based_on=2, actor=reader) == kept, "nothing was changed"
    changed = authoring.revise(version.artifact, text.replace("thirty", "forty"), based_on=2, actor=reader)
    assert [one["text"] for one in changed.citations] == [SECOND]
    assert ArtifactVersion.objects.get(number=1).text == version.text
    assert AuditEvent.objects.filter(action="artifact.revise").count() == 2


def test_an_edit_of_what_is_no_longer_the_newest_is_refused(version: ArtifactVersion, reader: Membership) -> None:
    authoring.revise(version.artifact, "Mine", based_on=1, actor=reader)
    with pytest.raises(Outdated, match="version 2"):
        authoring.revise(version.artifact, "Also mine", based_on=1, actor=reader)
    for wrong in ("", " \n", "x" * 100_001):
        with pytest.raises(Unaskable):
            authoring.revise(version.artifact, wrong, based_on=2, actor=reader)


def test_an_older_version_can_be_the_newest_again(version: ArtifactVersion, reader: Membership) -> None:
    authoring.revise(version.artifact, "Mine", based_on=1, actor=reader)
    again = authoring.restore(version, actor=reader)
    assert (again.number, again.text, again.citations) == (3, version.text, version.citations)
    assert authoring.restore(again, actor=reader) == again


def test_words_that_stand_twice_are_not_cited_over_each_other() -> None:
    def one(start: int, text: str) -> dict[str, object]:
        return {"start": start, "end": start + len(text), "text": text, "sources": []}

    before = [one(0, "a b"), one(4, "a b"), one(8, "b a")]
    assert [(c["start"], c["end"]) for c in authoring.carried(before, "a b a b b a")] == [(0, 3), (4, 7), (8, 11)]
    assert [(c["start"], c["end"]) for c in authoring.carried(before, "x a b")] == [(2, 5)]


def test_the_page_keeps_what_was_typed_where_it_cannot_be_kept(version: ArtifactVersion, as_rita: Client) -> None:
    address = f"/w/acme/written/{version.artifact_id}"
    answer = as_rita.post(f"{address}/revise", {"text": "My <b>words</b>", "base": "7"})
    assert answer.status_code == 422
    said = answer.content.decode()
    assert "My &lt;b&gt;words&lt;/b&gt;</textarea>" in said
    assert "Meanwhile version 1 was kept" in said
    done = as_rita.post(f"{address}/revise", {"text": f"{FIRST} More.", "base": "1"}, follow=True).content.decode()
    assert "Kept as version 2. 1 citation fell away" in done
    assert "Make this version the newest again" in as_rita.get(f"{address}?version=1").content.decode()
    assert as_rita.get(f"{address}?version=9").status_code == 404
    as_rita.post(f"{address}/restore", {"version": "1"})
    assert version.artifact.versions.count() == 3
    assert "Our rules" in as_rita.get("/w/acme/written").content.decode()


def test_it_can_be_had_as_a_file_with_its_sources(version: ArtifactVersion, as_rita: Client) -> None:
    address = f"/w/acme/written/{version.artifact_id}/file."
    answer = as_rita.get(f"{address}md?version=1")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Our rules.md"'
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    said = answer.content.decode()
    assert f"{FIRST}[^1] {SECOND}[^2]" in said
    assert f"1. handbook.txt: “{FIRST}”" in said
    assert [as_rita.get(f"{address}{kind}").status_code for kind in ("xlsx", "svg", "exe")] == [404, 404, 404]


def test_an_export_names_no_document_that_was_taken_away(version: ArtifactVersion, document: Document, as_rita: Client) -> None:
    document.principals.all().delete()
    said = as_rita.get(f"/w/acme/written/{version.artifact_id}/file.md").content.decode()
    assert "handbook" not in said
    assert "1. A source you may no longer open" in said


def test_an_answer_can_be_had_as_a_file(version: ArtifactVersion, document: Document, as_rita: Client, as_bob: Client) -> None:
    run = Run.objects.get()
    text = f"| What | Rule |\n| --- | --- |\n| Notice | {FIRST} |"
    Run.objects.filter(pk=run.pk).update(answer=text, ended_at=timezone.now())
    Citation.objects.bulk_create(Citation(run=run, **one) for one in citing(text, document, FIRST))
    said = as_rita.get(f"/w/acme/runs/{run.pk}/file.md").content.decode()
    assert said.startswith("# Why?")
    assert f"| Notice | {FIRST}[^1] |" in said
    assert "file.xlsx" in as_rita.get(f"/w/acme/threads/{run.thread_id}").content.decode()
    assert as_bob.get(f"/w/acme/runs/{run.pk}/file.md").status_code == 404


def test_markdown_becomes_blocks() -> None:
    text = "# A\n\nb **c** *d* `e` ![f](http://x/y.png) [g](https://h.example)\n\n1. h\n   - i\n2. j\n\n> k\n\n```\nl\n```\n\n---\n"
    blocks = papers.blocks_of(text)
    assert [(one.kind, one.level, one.marker, "".join(piece.text for piece in one.pieces)) for one in blocks] == [
        ("heading", 1, "", "A"), ("text", 1, "", "b c d e f g"), ("item", 1, "1.", "h"), ("item", 2, "•", "i"), ("item", 1, "2.", "j"),
        ("quote", 1, "", "k"), ("code", 1, "", "l\n"), ("rule", 1, "", ""),
    ]  # fmt: skip


def test_a_chart_is_a_picture_with_a_title_a_table_and_files(version: ArtifactVersion, document: Document, as_rita: Client) -> None:
    chart = {"kind": "line", "title": "Units <b>", "labels": ["N", "S"], "series": [{"name": "units", "values": [10, 35.5]}]}
    version.artifact.versions.create(number=2, text="handbook.txt, asked:\n\n    SELECT 1", chart=chart)
    page = as_rita.get(f"/w/acme/written/{version.artifact_id}").content.decode()
    assert 'role="img" aria-label="Units &lt;b&gt;"' in page
    assert "<title>S, units: 35.5</title>" in page
    assert '<td class="number">35.5</td>' in page
    for kind, said in (("svg", b"S, units: 35.5"), ("md", b"| S | 35.5 |")):
        answer = as_rita.get(f"/w/acme/written/{version.artifact_id}/file.{kind}")
        assert said in answer.content
    assert "file.xlsx" in page
