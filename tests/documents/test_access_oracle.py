"""Nobody ever finds or reads what they may not: random worlds of people, groups, documents and edits against a naive oracle, through the
real verbs, the real index and the real recheck. Now and then the index lags behind, as it does while a worker is away.

500 worlds a run (NORTH_WORLDS=n for another number; NORTH_SEED=n for the world of one seed). A failure names its seed.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

import pytest
from django.http import Http404

from north import wiring
from north.documents import actions, stages, tasks
from north.documents.models import Document, Principal, Status
from north.documents.passages import recheck, search
from north.documents.readers import Readers
from north.workspaces.access import principals
from north.workspaces.models import Group, Membership, Role, User, Workspace
from retrieval.families import MEDIA_TYPES
from retrieval.types import Filters, Parsed, Scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vectors")]
WORLDS = int(os.environ.get("NORTH_WORLDS", "500"))
SEEDS = [int(os.environ["NORTH_SEED"])] if "NORTH_SEED" in os.environ else range(WORLDS)
BATCHES = 10


@dataclass
class Paper:
    """What the oracle knows of a document: plain sets, no query."""

    document: Document
    home: str
    everyone: bool
    groups: set[str]
    kind: str
    deleted: bool = False


@dataclass
class World:
    """Two workspaces, the same people in both or not, and what the oracle believes."""

    chance: random.Random
    users: list[User]
    workspaces: list[Workspace] = field(default_factory=list)
    roles: dict[tuple[str, str], str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    inside: dict[str, set[str]] = field(default_factory=dict)
    papers: list[Paper] = field(default_factory=list)

    def may_read(self, user: User, paper: Paper) -> bool:
        if paper.deleted or (str(user.pk), paper.home) not in self.roles:
            return False
        return paper.everyone or any(str(user.pk) in self.inside[group] for group in paper.groups)


def build(seed: int, users: list[User]) -> World:
    chance = random.Random(seed)
    world = World(chance, users)
    for number in range(2):
        workspace = Workspace.objects.create(slug=f"w{seed}-{number}", name=f"World {seed}")
        world.workspaces.append(workspace)
        members = [users[0], *(user for user in users[1:] if chance.random() < 0.6)]
        for user in members:
            role = Role.OWNER if user is users[0] else chance.choice(list(Role))
            world.roles[str(user.pk), str(workspace.pk)] = role
        Membership.objects.bulk_create(
            Membership(workspace=workspace, user=user, role=world.roles[str(user.pk), str(workspace.pk)]) for user in members
        )
        for name in "AB"[: chance.randint(1, 2)]:
            add_group(world, workspace, name)
        for _document in range(chance.randint(1, 3)):
            add_paper(world, workspace)
    return world


def add_group(world: World, workspace: Workspace, name: str) -> None:
    group = Group.objects.create(workspace=workspace, name=name)
    inside = [user for user in world.users if world.chance.random() < 0.4]
    group.users.add(*inside)
    world.groups.append(group)
    world.inside[str(group.pk)] = {str(user.pk) for user in inside}


def some_readers(world: World, workspace: Workspace) -> Readers:
    """Sometimes with a group of the other workspace, as a careless caller might."""
    if world.chance.random() < 0.3:
        return Readers(everyone=True)
    return Readers(groups=tuple(group for group in world.groups if world.chance.random() < 0.5))


def add_paper(world: World, workspace: Workspace) -> None:
    readers = some_readers(world, workspace)
    sha256 = f"{world.chance.getrandbits(256):064x}"
    kind = world.chance.choice(list(MEDIA_TYPES))
    document = Document.objects.create(workspace=workspace, name="paper.txt", sha256=sha256, media_type=MEDIA_TYPES[kind][0])
    Principal.objects.bulk_create(Principal(document=document, value=value) for value in readers.principals(workspace))
    index(document, sha256)
    world.papers.append(Paper(document, str(workspace.pk), readers.everyone, own_groups(readers, workspace), kind))


def some_filters(world: World) -> list[Filters]:
    """One that some papers fit, and one that names what has nothing to do with filters."""
    kinds = frozenset(paper.kind for paper in world.papers if world.chance.random() < 0.5)
    odd = frozenset({str(world.chance.choice(world.papers).document.pk), "w:" + world.chance.choice(world.papers).home, "\n"})
    return [Filters(types=kinds), Filters(types=odd)]


def own_groups(readers: Readers, workspace: Workspace) -> set[str]:
    return set() if readers.everyone else {str(group.pk) for group in readers.groups if group.workspace_id == workspace.pk}


def index(document: Document, sha256: str) -> None:
    """As the stage does it, without its files."""
    document.sha256 = sha256
    text = f"the quarterly report {sha256[:8]}"
    wiring.retriever(recheck).add(stages.entry_of(document), Parsed(text, "text/plain"))
    Document.objects.filter(pk=document.pk).update(
        status=Status.READY, text=text, sha256=sha256, indexed_sha256=sha256, chunks=1, indexed_access=document.access
    )


def edit(world: World) -> None:
    """One change, by the verb that people use, and the same in the oracle's books."""
    kind = world.chance.choice(["restrict", "restrict", "delete", "join", "leave", "expel", "revise", "paper"])
    paper = world.chance.choice(world.papers)
    workspace = next(one for one in world.workspaces if str(one.pk) == paper.home)
    owner = Membership.objects.select_related("workspace", "user").get(user=world.users[0], workspace=workspace)
    if kind == "paper":
        add_paper(world, workspace)
    elif kind in ("join", "leave"):
        group, user = world.chance.choice(world.groups), world.chance.choice(world.users)
        (group.users.add if kind == "join" else group.users.remove)(user)
        (world.inside[str(group.pk)].add if kind == "join" else world.inside[str(group.pk)].discard)(str(user.pk))
    elif kind == "expel":
        user = world.chance.choice(world.users[1:])
        Membership.objects.filter(user=user, workspace=workspace).delete()
        world.roles.pop((str(user.pk), paper.home), None)
    elif paper.deleted:
        return
    elif kind == "restrict":
        readers = some_readers(world, workspace)
        actions.restrict(paper.document, readers, actor=owner)
        paper.everyone, paper.groups = readers.everyone, own_groups(readers, workspace)
    elif kind == "delete":
        actions.delete(paper.document, actor=owner)
        paper.deleted = True
    else:
        index(Document.objects.get(pk=paper.document.pk), f"{world.chance.getrandbits(256):064x}")


def check(world: World, user: User, *, current: bool) -> None:
    """What this person finds in each workspace is within what the oracle allows; and all of it, where the index has caught up."""
    for workspace in world.workspaces:
        home = str(workspace.pk)
        allowed = {str(paper.document.pk) for paper in world.papers if paper.home == home and world.may_read(user, paper)}
        membership = Membership.objects.select_related("workspace", "user").filter(user=user, workspace=workspace).first()
        if membership is None:
            assert not allowed
            with pytest.raises(Http404):
                search(home, str(user.pk), "quarterly report", 50)
            continue
        assert {str(pk) for pk in actions.readable(membership).values_list("pk", flat=True)} == allowed
        found = {passage.document for passage in search(home, str(user.pk), "quarterly report", 50)}
        assert found <= allowed, "a leak"
        for filters in some_filters(world):
            narrowed = {passage.document for passage in search(home, str(user.pk), "quarterly report", 50, filters)}
            assert narrowed <= found, "a filter widened a search"
            fitting = {str(paper.document.pk) for paper in world.papers if paper.kind in filters.types or not filters.types}
            assert narrowed == found & fitting, "a filter lost something, or let something through"
        if current:
            assert found == allowed, "something readable was not found"
            proposed = wiring.index().query(scope(membership), wiring.embedder().embed_queries(["report"])[0], ([], []), limit=50)
            assert {passage.document for passage in proposed} == allowed, "the index by itself is wrong"


def scope(membership: Membership) -> Scope:
    return Scope(str(membership.workspace_id), principals(membership))


def catch_up() -> None:
    tasks.index()
    assert not Document.objects.filter(deleted_at__isnull=False).exists()


def live(seed: int, users: list[User]) -> None:
    world = build(seed, users)
    for _edit in range(world.chance.randint(2, 5)):
        edit(world)
    check(world, world.chance.choice(users), current=False)
    if world.chance.random() < 0.4:
        catch_up()
        check(world, world.chance.choice(users), current=True)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_nobody_finds_what_they_may_not_read(batch: int) -> None:
    users = [User.objects.create(email=f"u{number}@worlds.example") for number in range(4)]
    for seed in SEEDS:
        if seed % BATCHES == batch or len(SEEDS) == 1:
            try:
                live(seed, users)
            except AssertionError as error:
                pytest.fail(f"world {seed}: {error}")
