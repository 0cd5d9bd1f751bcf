"""Another index beside the one that answers: built, compared, swapped in, swapped back, removed; nothing is lost, and nothing that is gone
comes back."""

from __future__ import annotations

import random
from typing import Any

import pytest

from north import wiring
from north.documents import actions as document_verbs
from north.documents import reconciling, stages
from north.documents import tasks as documents
from north.documents.models import Copy, Document, Status
from north.documents.passages import recheck
from north.evaluation.models import GoldenQuestion, digest
from north.indexes.models import Generation, State
from north.reindexing import actions, tasks
from north.reindexing.comparing import against
from north.reindexing.progress import progress
from north.workspaces.errors import Refused
from north.workspaces.models import AuditEvent, Group, Membership, User, Workspace
from retrieval.index import Index, connect
from tests.documents.conftest import make, read, ready
from tests.reindexing import engines
from tests.reindexing.conftest import OTHER, found, names, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker", "vectors")]
LONG = " ".join(f"The report of week {number} says that sales went up by {number} percent in the north." for number in range(60))


def begun(**how: Any) -> Generation:
    return actions.begin(**{"model": wiring.serving().model, "characters": 300, "swaps_itself": False, "actor": None, **how})


def built(**how: Any) -> Generation:
    made = begun(**how)
    work()
    made.refresh_from_db()
    return made


def swapped(target: Generation) -> None:
    actions.ask_swap(target, actor=None)
    work(1)
    target.refresh_from_db()
    assert target.state == State.SERVING


def held(generation: Generation, workspace: Workspace) -> dict[str, int]:
    return wiring.index(of=generation).counts(str(workspace.pk))


def test_a_new_index_is_built_compared_swapped_in_and_one_can_go_back(workspace: Workspace, reader: Membership) -> None:
    first, second = ready(workspace, LONG, name="long.txt"), ready(workspace, "A short report.", name="short.txt")
    made = begun()
    old = wiring.serving()
    assert (progress(made).done, progress(made).of, progress(made).percent) == (0, 2, 0)
    work()
    made.refresh_from_db()
    assert made.state == State.READY and progress(made).done == 2 and wiring.serving() == old
    assert made.figures["new"]["documents"] == made.figures["old"]["documents"] == made.figures["rows"] == 2
    assert made.figures["new"]["chunks"] > 3 * made.figures["old"]["chunks"] and made.figures["wrong"] == 0
    assert made.figures["sample"] == {"questions": 1, "overlap": 1.0, "found_old": 1.0, "found_new": 1.0}
    swapped(made)
    assert found(reader) == names(first, second) and reconciling.lost() == []
    late = ready(workspace, "A late report.", name="late.txt")
    document_verbs.delete(second, actor=Membership.objects.get(user__email="alice@acme.example"))
    documents.index()
    assert found(reader) == names(first, late)
    old.refresh_from_db()
    assert old.state == State.KEPT and old.keep_until and set(held(old, workspace)) == {str(first.pk), str(late.pk)}
    swapped(old)
    assert found(reader) == names(first, late) and reconciling.lost() == [] and not reconciling.reconcile()
    assert [event.action for event in AuditEvent.objects.filter(action__startswith="index.").order_by("number")] == [
        "index.build", "index.swap", "index.swapped", "index.swap", "index.swapped",
    ]  # fmt: skip


def test_while_it_is_built_documents_come_change_go_and_get_other_readers(
    workspace: Workspace, reader: Membership, owner: Membership, hr: Group, carl: User
) -> None:
    kept, gone, hidden = (ready(workspace, f"The report {name}.", name=name) for name in ("kept.txt", "gone.txt", "hidden.txt"))
    made = begun()
    assert documents.copy_next([made]) and documents.copy_next([made])
    document_verbs.delete(gone, actor=owner)
    hidden.restrict([f"g:{hr.pk}"])
    changed = ready(workspace, "The report that is new.", name="new.txt")
    make_new = Document.objects.get(pk=kept.pk)
    read(make_new, "The report that was changed.")
    work()
    swapped(made)
    colleague = Membership.objects.get(user=carl)
    assert found(reader) == names(kept, hidden, changed) and found(colleague) == names(kept, changed)
    assert set(held(made, workspace)) == {str(one.pk) for one in (kept, hidden, changed)}
    proposed = wiring.index().query(
        stages.passages.scope(str(workspace.pk), str(carl.pk), stages.passages.EVERYTHING),
        wiring.embedder().embed_queries(["report"])[0], ([], []), limit=50,
    )  # fmt: skip
    assert {passage.document for passage in proposed} == {str(kept.pk), str(changed.pk)}, "the new index has the access clauses of the old"


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_in_whatever_order_both_indexes_hold_what_the_rows_say(
    workspace: Workspace, reader: Membership, owner: Membership, hr: Group, carl: User, seed: int
) -> None:
    chance, here, made = random.Random(seed), list[Document](), 0
    for _step in range(40):
        match chance.choice(["new", "new", "change", "delete", "rights", "index", "tend", "build", "swap", "stop", "lose"]):
            case "new":
                made += 1
                here.append(make(workspace, f"report {made}", name=f"{made}.txt"))
                read(here[-1], f"The report {made} " + "words " * chance.randrange(200))
            case "change" if here:
                read(chance.choice(here), f"The report changed {chance.random()}")
            case "delete" if here:
                document_verbs.delete(here.pop(chance.randrange(len(here))), actor=owner)
            case "rights" if here:
                chance.choice(here).restrict([chance.choice([f"g:{hr.pk}", workspace.everyone])])
            case "index":
                documents.index()
            case "tend":
                work(1)
            case "build" if not Generation.objects.under_way():
                begun(characters=chance.choice([300, 1000]), swaps_itself=chance.random() < 0.5)
            case "swap" if other := Generation.objects.filter(state__in=[State.READY, State.KEPT]).first():
                actions.ask_swap(other, actor=None)
            case "stop" if coming := Generation.objects.under_way():
                actions.stop(coming, actor=None)
            case "lose" if here and (other := Generation.objects.others().first()):
                wiring.index(of=other).forget(str(workspace.pk), str(chance.choice(here).pk))
        open_to = {one.name for one in Document.objects.readable_by([workspace.everyone])}
        assert found(Membership.objects.get(user=carl)) <= open_to, "somebody found what was closed or deleted"
    work()
    reconciling.reconcile()
    work()
    rows = {str(one.pk): one.chunks for one in Document.objects.alive()}
    assert held(wiring.serving(), workspace) == rows
    for other in Generation.objects.others():
        assert held(other, workspace).keys() == rows.keys()
    assert found(reader) == names(*here)


def test_changed_settings_make_a_new_index_once_and_the_old_model_answers_until_then(
    workspace: Workspace, reader: Membership, settings: Any
) -> None:
    document = ready(workspace, "A report.")
    tasks.tend()
    old = wiring.serving()
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "model": OTHER}}
    assert wiring.model_name("embed") == old.model and found(reader) == names(document)
    work(2)
    work(2)
    assert wiring.model_name("embed") == OTHER and found(reader) == names(document)
    old.refresh_from_db()
    swapped(old)
    work(2)
    assert wiring.serving() == old and Generation.objects.count() == 2, "who goes back is not sent forth again"


def test_an_index_from_before_there_were_rows_is_taken_for_what_it_says_it_is(
    workspace: Workspace, reader: Membership, settings: Any, vectors: str
) -> None:
    document = ready(workspace, "A report.")
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "model": OTHER}}
    tasks.tend()
    serving, coming = wiring.serving(), Generation.objects.under_way()
    assert serving.model != OTHER and coming and coming.model == OTHER and coming.swaps_itself
    assert found(reader) == names(document)


def test_a_document_that_is_indexed_while_the_swap_happens_is_found_afterwards(workspace: Workspace, reader: Membership) -> None:
    ready(workspace, "An early report.", name="early.txt")
    made = built()
    late = make(workspace, "A late report.", name="late.txt")
    read(late, "A late report.")
    engines.MEANWHILE.append(lambda: actions.swap(made))
    documents.index()
    made.refresh_from_db()
    assert made.state == State.SERVING and found(reader) == {"early.txt", "late.txt"}
    assert reconciling.lost() == []


def test_a_document_that_is_deleted_while_it_is_copied_is_not_in_the_new_index(workspace: Workspace, owner: Membership) -> None:
    gone, stays = ready(workspace, "A report."), ready(workspace, "Another report.")
    made = begun()
    first = Document.objects.uncopied(made).order_by("status_at").first()
    engines.MEANWHILE.append(lambda: (document_verbs.delete(first, actor=owner), documents.upkeep(taken(first), stages.forget)))
    work()
    assert set(held(made, workspace)) == {str(gone.pk), str(stays.pk)} - {str(first.pk)}


def taken(document: Document) -> Document:
    found = Document.objects.filter(deleted_at__isnull=False).take(document.pk)
    assert found
    return found


def test_a_new_model_that_fails_holds_nothing_up(workspace: Workspace, reader: Membership, settings: Any) -> None:
    ready(workspace, "A report.", name="first.txt")
    tasks.tend()
    embed = {**settings.MODELS["embed"], "engine": "tests.reindexing.engines.load_broken", "model": OTHER}
    settings.MODELS = {**settings.MODELS, "embed": embed}
    tasks.tend()
    documents.index()
    ready(workspace, "Another report.", name="second.txt")
    coming = Generation.objects.under_way()
    assert coming and "The model broke" in coming.error and found(reader) == {"first.txt", "second.txt"}
    actions.stop(coming, actor=None)
    tasks.tend()
    assert not wiring.collection(coming).made() and not Generation.objects.under_way()


def test_what_is_worse_waits_for_a_person_and_golden_questions_count(workspace: Workspace, rita: User) -> None:
    document = ready(workspace, LONG)
    question = GoldenQuestion.objects.create(workspace=workspace, asker=rita, text="sales in the north", digest=digest("sales"))
    question.answers.create(document=document)
    made = built(swaps_itself=True)
    assert made.figures["golden"] == {"questions": 1, "old": 1.0, "new": 1.0} and made.figures["against"] == ""
    assert made.state == State.SERVING or made.swap_asked_at
    assert "golden" in against({"golden": {"questions": 9, "old": 0.8, "new": 0.7}})
    assert "sample" in against({"sample": {"questions": 9, "found_old": 0.9, "found_new": 0.7}})
    assert against({"golden": {"questions": 0}, "sample": {"questions": 9, "found_old": 0.9, "found_new": 0.85}}) == ""


def test_the_old_index_goes_when_its_time_is_over_and_comes_back_for_nobody(workspace: Workspace, settings: Any) -> None:
    settings.INDEX_KEPT_HOURS = 0
    ready(workspace, "A report.")
    made = built()
    old = wiring.serving()
    swapped(made)
    tasks.tend()
    old.refresh_from_db()
    assert old.state == State.REMOVED and wiring.collection(old).made() is None and not Copy.objects.exists()
    Index(connect(settings.QDRANT_URL, settings.QDRANT_API_KEY), old.collection, 384, old.model).ensure()  # by a process that was slow
    tasks.tend()
    assert wiring.collection(old).made() is None
    with pytest.raises(Refused):
        actions.ask_swap(old, actor=None)


def test_what_is_refused_is_said_in_words(workspace: Workspace) -> None:
    made = begun()
    for wrong in ({}, {"model": "no-such-model"}):
        with pytest.raises(Refused):
            begun(**wrong)
    with pytest.raises(Refused):
        actions.ask_swap(made, actor=None)
    actions.stop(made, actor=None)
    for characters in (10, 100_000):
        with pytest.raises(Refused, match="characters"):
            begun(characters=characters)
    with pytest.raises(Refused):
        actions.remove(made, actor=None)


def test_a_model_that_no_search_needs_is_let_go_and_one_that_comes_is_asked_for(workspace: Workspace, settings: Any) -> None:
    tasks.tend()
    embedders = wiring.Embedders()
    old, name = embedders(), wiring.serving().model
    assert embedders.here() == (name, old) and embedders.follow(0) == []
    row = Generation.objects.create(collection="other", model=OTHER, engine="tests.hashing.load", characters=1000, state=State.READY)
    assert embedders.follow(0) == [row], "its model is loaded before searches need it"
    embedders(row)
    assert embedders.follow(0) == []
    row.move(State.KEPT, State.READY)
    assert embedders.follow(60) == [] and embedders(row) is embedders(row)
    before = embedders(row)
    embedders.follow(0)
    assert embedders(row) is not before, "it was let go, and is loaded again where a kept index takes a document in"
    assert embedders.here() == (name, old)


def test_searches_that_began_before_a_swap_end_well(workspace: Workspace, reader: Membership) -> None:
    document = ready(workspace, LONG)
    made = built()
    before = wiring.retriever(recheck)
    swapped(made)
    scope = stages.passages.scope(str(workspace.pk), str(reader.user_id), stages.passages.EVERYTHING)
    assert {passage.document for passage in before.search("report", scope, 5)} == {str(document.pk)}


def test_a_failed_document_whose_older_text_answers_goes_along(workspace: Workspace, reader: Membership) -> None:
    document = ready(workspace, "A report.")
    Document.objects.filter(pk=document.pk).update(status=Status.FAILED, sha256="f" * 64, error="its new revision is broken")
    swapped(built())
    assert found(reader) == names(document)
