from __future__ import annotations

import pytest
import redis
from django.http import Http404
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from north.threads import actions
from north.threads.errors import StillWorking, TooMany, Unaskable
from north.threads.models import Run, Thread
from north.workspaces.models import AuditEvent, Membership, User, Workspace
from tests.conftest import membership_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def reached(broker: redis.Redis) -> redis.Redis:
    return broker


def audited() -> list[str]:
    return list(AuditEvent.objects.filter(action__regex="^(run|thread)").order_by("number").values_list("action", flat=True))


def test_a_question_begins_a_thread_that_bears_its_words(reader: Membership) -> None:
    run = actions.start("  How long is\nthe notice period?  ", actor=reader)
    assert (run.status, run.question) == ("pending", "How long is\nthe notice period?")
    assert (run.thread.title, run.thread.user, run.thread.workspace) == ("How long is the notice period?", reader.user, reader.workspace)
    assert audited() == ["thread.create", "run.start"]


def test_the_audit_log_holds_no_word_of_a_question(reader: Membership) -> None:
    actions.start("the secret word", actor=reader)
    assert "secret" not in str(list(AuditEvent.objects.values()))


def test_a_question_is_offered_to_a_worker_only_once_it_is_kept(reader: Membership, django_capture_on_commit_callbacks: object) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        actions.start("Well?", actor=reader)
    assert len(callbacks) >= 1


@pytest.mark.parametrize("question", ["", "  \n ", "\0", "x" * 8001])
def test_what_is_no_question_is_refused_and_leaves_nothing(reader: Membership, question: str) -> None:
    with pytest.raises(Unaskable):
        actions.start(question, actor=reader)
    assert not Thread.objects.exists()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_either_kept_or_refused(reader: Membership, text: str) -> None:
    Run.objects.all().delete()
    try:
        run = actions.start(text, actor=reader)
    except Unaskable:
        return
    assert Run.objects.get(pk=run.pk).question == run.question


def test_a_thread_answers_one_question_at_a_time(reader: Membership) -> None:
    run = actions.start("Well?", actor=reader)
    with pytest.raises(StillWorking):
        actions.ask(run.thread, "And?", actor=reader)
    assert run.thread.runs.count() == 1


def test_nobody_waits_for_more_answers_than_a_few(reader: Membership) -> None:
    for number in range(actions.OPEN_RUNS):
        actions.start(f"Question {number}?", actor=reader)
    with pytest.raises(TooMany):
        actions.start("One more?", actor=reader)
    assert Thread.objects.count() == actions.OPEN_RUNS


def test_asking_again_asks_the_same_in_a_new_run(reader: Membership) -> None:
    run = actions.start("Well?", actor=reader)
    actions.cancel(run, actor=reader)
    new = actions.again(run, actor=reader)
    assert new.pk != run.pk
    assert (new.question, new.thread, new.status) == (run.question, run.thread, "pending")


def test_a_thread_is_renamed_and_deleted_by_whose_it_is(reader: Membership) -> None:
    thread = actions.start("Well?", actor=reader).thread
    actions.rename(thread, "  Notice\nperiods ", actor=reader)
    assert Thread.objects.of(reader).get().title == "Notice periods"
    actions.delete(thread, actor=reader)
    assert not Thread.objects.of(reader).exists()
    assert thread.runs.get().cancel_requested
    assert audited() == ["thread.create", "run.start", "thread.rename", "thread.delete"]


def test_nobody_touches_a_thread_that_is_not_theirs(
    reader: Membership, owner: Membership, other_workspace: Workspace, charlie: User
) -> None:
    run = actions.start("Well?", actor=reader)
    for other in (owner, membership_of(charlie, other_workspace)):
        for attempt in (
            lambda other=other: actions.ask(run.thread, "And?", actor=other),
            lambda other=other: actions.again(run, actor=other),
            lambda other=other: actions.cancel(run, actor=other),
            lambda other=other: actions.rename(run.thread, "Mine", actor=other),
            lambda other=other: actions.delete(run.thread, actor=other),
        ):
            with pytest.raises(Http404):
                attempt()
    run.refresh_from_db()
    assert (run.status, run.cancel_requested, run.thread.title) == ("pending", False, "Well?")


def test_a_persons_threads_in_another_workspace_are_not_in_this_one(reader: Membership, other_workspace: Workspace) -> None:
    elsewhere = Membership.objects.create(workspace=other_workspace, user=reader.user)
    run = actions.start("Well?", actor=elsewhere)
    assert not Thread.objects.of(reader).exists()
    with pytest.raises(Http404):
        actions.ask(run.thread, "And?", actor=reader)


@pytest.mark.parametrize("query", ["notice", "NOTICE", "kündigung", "KÜNDIGUNG", "notice frist", "日本", "100%", "a.c"])
def test_threads_are_found_by_every_word_in_any_script_and_case(reader: Membership, query: str) -> None:
    found = actions.start("The notice, Kündigungsfrist 日本 100% a.c?", actor=reader).thread
    actions.start("Something else, abc 1000?", actor=reader)
    assert list(Thread.objects.of(reader).matching(query)) == [found]


def test_threads_are_found_by_their_answers(reader: Membership) -> None:
    run = actions.start("Well?", actor=reader)
    Run.objects.filter(pk=run.pk).update(answer="Thirty days.")
    assert list(Thread.objects.of(reader).matching("thirty")) == [run.thread]
