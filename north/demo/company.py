"""Lindenhof Instruments, a company that does not exist: its files, who may see them, and what one could ask. Made for looking around.

`files/hr` is for the group HR only; everything else is for all members. The files were written for North and are under its licence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from north.documents import actions as documents
from north.documents.models import Document
from north.threads.models import Agent
from north.workspaces import actions as workspaces
from north.workspaces.access import enter
from north.workspaces.models import Group, Membership, User, Workspace

FILES = Path(__file__).parent / "files"
OWNER = "admin@example.com"
SLUG = "demo"
ONLY_HR = "hr"
QUESTIONS = (
    "How many days a week may I work from home in Freiburg, and how many in Lyon?",
    "What does error E17 on the AX-200 mean, and how do I get rid of it?",
    "By when will the delayed halogen lamps arrive?",
    "Wie hoch darf eine Hotelrechnung in Tokio sein?",
    "大阪オフィスの在宅勤務手当はいくらですか。",
    "Combien coûte un carton de remplacement pour un retour ?",
    "What is the name of the managing director's dog?",
)


@dataclass(frozen=True, slots=True)
class Made:
    membership: Membership
    new: bool
    uploaded: int


def make(say: Callable[[str], None] = lambda sentence: None) -> Made:
    """The workspace `demo` with all its files; what is there already is left as it is."""
    user = User.objects.filter(email=OWNER).first() or User.objects.create_user(OWNER, name="Admin", is_admin=True)
    membership, new = workspace_of(user)
    hr = group_of(membership)
    agent(membership.workspace)
    there = set(Document.objects.alive().filter(workspace=membership.workspace).values_list("name", flat=True))
    uploaded = 0
    for path in sorted(FILES.rglob("*")):
        if path.is_file() and path.name not in there:
            with path.open("rb") as stream:
                groups = [hr] if path.parent.name == ONLY_HR else None
                documents.upload(stream, name=path.name, size=path.stat().st_size, groups=groups, actor=membership)
            uploaded += 1
    say(f"The workspace `{SLUG}` has the files of Lindenhof Instruments ({uploaded} new); they are being read and indexed.")
    return Made(membership, new, uploaded)


def workspace_of(user: User) -> tuple[Membership, bool]:
    existing = Workspace.objects.filter(slug=SLUG).first()
    if existing:
        return enter(user, pk=existing.pk), False
    return workspaces.create_workspace("Lindenhof Instruments", actor=user, slug=SLUG), True


def group_of(membership: Membership) -> Group:
    """HR, of which the owner is a member."""
    group = membership.workspace.groups.filter(name="HR").first()
    if group is None:
        with transaction.atomic():
            group = workspaces.create_group("HR", actor=membership)
            workspaces.set_group_members(group, [membership], actor=membership)
    return group


def agent(workspace: Workspace) -> None:
    found, _ = Agent.objects.get_or_create(workspace=workspace, defaults={"name": "North"})
    if not found.questions:
        found.questions = list(QUESTIONS)
        found.save(update_fields=["questions"])
