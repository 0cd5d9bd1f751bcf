"""What mails and archives bring along, and nearly equal documents, as people meet them."""

from __future__ import annotations

import io
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.utils import timezone

from north import wiring
from north.documents import actions, attached, files, tasks
from north.documents.errors import Refused
from north.documents.models import Document, Status
from north.documents.passages import recheck
from north.documents.readers import Readers, scope_of
from north.workspaces.models import Group, Membership, Workspace
from tests.documents.conftest import make, ready
from tests.retrieval.files import archive

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vectors")]


def mail(**attachments: str) -> str:
    message = EmailMessage()
    message["From"], message["Subject"] = "ann@acme.example", "The rules"
    message.set_content("See what is attached.")
    for name, text in attachments.items():
        message.add_attachment(text, filename=f"{name}.txt")
    return message.as_string()


def names(parent: Document) -> list[str]:
    return sorted(Document.objects.alive().filter(parent=parent).values_list("name", flat=True))


def test_an_attachment_is_a_document_of_its_own_with_its_mails_readers(workspace: Workspace, hr: Group, reader: Membership) -> None:
    parent = make(workspace, mail(leave="Parental leave lasts sixteen weeks.", pay="Pay day."), name="rules.eml", principals=[hr.principal])
    tasks.prepare()
    tasks.index()
    child = Document.objects.get(parent=parent, name="leave.txt")
    assert (child.status, child.kept_in, child.source) == (Status.READY, "rules.eml", None)
    assert list(child.principals.values_list("value", flat=True)) == [hr.principal]
    found = wiring.retriever(recheck).search("parental leave", scope_of(reader), 1)
    assert [passage.name for passage in found] == ["leave.txt"]


def test_attachments_share_their_mails_fate(workspace: Workspace, hr: Group, owner: Membership) -> None:
    parent = make(workspace, mail(leave="Sixteen weeks.", pay="Pay day."), name="rules.eml")
    tasks.prepare()
    child = Document.objects.get(parent=parent, name="leave.txt")
    actions.restrict(parent, Readers(groups=(hr,)), actor=owner)
    assert set(child.principals.values_list("value", flat=True)) == {hr.principal}
    with pytest.raises(Refused, match=r"rules\.eml"):
        actions.restrict(child, Readers(everyone=True), actor=owner)
    sha256, _size = files.store(io.BytesIO(mail(leave="Twenty weeks.").encode()), parent.folder)
    parent.requeue(sha256=sha256, version=2)
    tasks.prepare()
    child.refresh_from_db()
    assert names(parent) == ["leave.txt"] and child.version == 2
    actions.delete(parent, actor=owner)
    assert names(parent) == []


def test_nesting_ends(workspace: Workspace) -> None:
    inner = b"words"
    for level in range(6):
        inner = archive({f"{level}.zip" if level else "a.txt": inner})
    document = Document(workspace=workspace, name="all.zip")
    document.sha256, document.bytes = files.store(io.BytesIO(inner), document.folder)
    document.save(force_insert=True)
    tasks.prepare()
    assert Document.objects.count() == 1 + attached.DEEPEST
    last = Document.objects.get(name="3.zip")
    assert "nested too deeply" in files.read_layout(last.layout_of(last.sha256)).notes[0]


CONTRACT = " ".join(f"Clause {number} says what holds between the parties." for number in range(30))


def test_the_newest_edition_that_one_may_read_is_shown_and_the_others_are_listed(
    workspace: Workspace, hr: Group, reader: Membership, editor: Membership
) -> None:
    now = timezone.now()
    old = ready(workspace, f"{CONTRACT} The fee is 300 euros.", name="2024.txt", updated_at=now - timedelta(days=700))
    new = ready(workspace, f"{CONTRACT} The fee is 500 euros.", name="2026.txt", updated_at=now, principals=[hr.principal])
    assert old.likeness and new.likeness
    in_hr = wiring.retriever(recheck).search("clause parties fee", scope_of(reader), 10)
    assert {passage.document for passage in in_hr} == {str(new.pk)}
    assert {cut.name for passage in in_hr for cut in passage.cut if cut.document == str(old.pk)} == {"2024.txt"}
    elsewhere = wiring.retriever(recheck).search("clause parties fee", scope_of(editor), 10)
    assert {passage.document for passage in elsewhere} == {str(old.pk)}
    assert all(cut.document != str(new.pk) for passage in elsewhere for cut in passage.cut)
