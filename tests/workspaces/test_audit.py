"""The audit log finds whatever was done to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from north.workspaces import audit
from north.workspaces.errors import AppendOnly
from north.workspaces.models import AuditEvent, AuditHead, Membership, User
from tests.conftest import person

TABLE = "workspaces_auditevent"
COLUMNS = ("at", "actor", "actor_id", "workspace_id", "action", "thing", "thing_id", "detail", "trace", "before", "hash")


def sql(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def unguarded(db: None) -> None:
    """An intruder who owns the database."""
    sql(f"DROP TRIGGER audit_append_only{f' ON {TABLE}' if connection.vendor == 'postgresql' else ''}")


def write(count: int, user: User | None = None) -> None:
    for number in range(count):
        audit.record("document.upload", actor=user, name=f"file {number}", size=number, groups=["HR", "Sales"])


def test_it_says_who_did_what_to_which_thing(owner: Membership) -> None:
    event = audit.record("member.role", actor=owner, thing=owner.user, role="editor")
    stored = AuditEvent.objects.get(pk=event.pk)
    assert (stored.actor, stored.actor_id, stored.workspace_id) == ("alice@acme.example", owner.user_id, owner.workspace_id)
    assert (stored.thing, stored.thing_id, stored.detail) == ("user", str(owner.user_id), {"role": "editor"})


def test_an_untouched_log_has_no_problems(alice: User) -> None:
    write(20, alice)
    assert audit.verify() == []


def test_an_empty_log_has_no_problems_before_anybody_signed_in(alice: User) -> None:
    assert audit.verify() == []
    User.objects.update(last_login=timezone.now())
    assert audit.verify()


def test_values_that_databases_store_differently_still_verify(db: None) -> None:
    audit.record("x", actor=None, number=1.5, huge=10**20, when=timezone.now(), text="a\0b \ud800 日本", nested={"a": (1, {2.0})})
    assert audit.verify() == []


def test_an_event_is_not_written_when_the_change_is_rolled_back(alice: User) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record("x", actor=alice)
        raise ZeroDivisionError
    assert not AuditEvent.objects.exists()
    write(2, alice)
    assert audit.verify() == []


def test_the_models_refuse_to_change_or_delete(alice: User) -> None:
    write(2, alice)
    event = AuditEvent.objects.get(number=1)
    forbidden: list[Callable[[], object]] = [
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.filter(number=1).update(actor="mallory"),
        lambda: AuditEvent.objects.bulk_update([event], ["actor"]),
        lambda: AuditEvent.objects.bulk_create([event]),
    ]
    for verb in forbidden:
        with pytest.raises(AppendOnly):
            verb()
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent(number=1, at=event.at, action="x", before="", hash="x").save()
    assert audit.verify() == []


def test_the_database_refuses_to_change_it(alice: User) -> None:
    write(1, alice)
    with pytest.raises(DatabaseError), transaction.atomic():
        sql(f"UPDATE {TABLE} SET actor = 'mallory'")


def edit(dice: random.Random, count: int) -> None:
    column, number = dice.choice(COLUMNS), dice.randint(1, count)
    event = AuditEvent.objects.get(number=number)
    if column == "at":
        sql(f"UPDATE {TABLE} SET at = %s WHERE number = %s", event.at - timezone.timedelta(seconds=dice.randint(1, 10**6)), number)
    elif column in {"actor_id", "workspace_id"}:
        sql(f"UPDATE {TABLE} SET {column} = %s WHERE number = %s", f"{dice.getrandbits(128):032x}", number)
    elif column == "detail":
        sql(f"UPDATE {TABLE} SET detail = %s WHERE number = %s", f'{{"name": "{dice.random()}"}}', number)
    else:
        sql(f"UPDATE {TABLE} SET {column} = %s WHERE number = %s", f"{dice.getrandbits(100):x}"[:32], number)


def delete(dice: random.Random, count: int) -> None:
    sql(f"DELETE FROM {TABLE} WHERE number = %s", dice.randint(1, count))


def cut_tail(dice: random.Random, count: int) -> None:
    sql(f"DELETE FROM {TABLE} WHERE number > %s", dice.randint(0, count - 1))


def cut_front(dice: random.Random, count: int) -> None:
    sql(f"DELETE FROM {TABLE} WHERE number <= %s", dice.randint(1, count))


def swap(dice: random.Random, count: int) -> None:
    one, other = dice.sample(range(1, count + 1), 2)
    for was, becomes in ((one, -1), (other, one), (-1, other)):
        sql(f"UPDATE {TABLE} SET number = %s WHERE number = %s", becomes, was)


def insert(dice: random.Random, count: int) -> None:
    number = dice.choice([-3, 0, count + 1, count + 9])
    before = AuditEvent.objects.get(number=count).hash
    forged = AuditEvent(number=number, at=timezone.now(), actor="mallory", action="x", before=before)
    forged.hash = audit.hash_of(forged)
    forged.save()


def renumber(dice: random.Random, count: int) -> None:
    sql(f"UPDATE {TABLE} SET number = number + %s WHERE number = %s", dice.randint(1, 5), count)


def rewrite(dice: random.Random, count: int) -> None:
    """Edits an event and calculates every hash anew, the head's too; only the key is missing."""
    first = dice.randint(1, count)
    events = list(AuditEvent.objects.order_by("number"))
    before = events[first - 1].before
    for event in events[first - 1 :]:
        event.before, event.actor = before, "mallory" if event.number == first else event.actor
        before = event.hash = audit.hash_of(event)
        sql(f"UPDATE {TABLE} SET actor = %s, before = %s, hash = %s WHERE number = %s", event.actor, event.before, event.hash, event.number)
    if dice.random() < 0.7:
        AuditHead.objects.update(hash=before)


def forget_head(dice: random.Random, count: int) -> None:
    AuditHead.objects.all().delete()


def forget_everything(dice: random.Random, count: int) -> None:
    sql(f"DELETE FROM {TABLE}")
    AuditHead.objects.all().delete()


def lower_head(dice: random.Random, count: int) -> None:
    """Cuts the tail and makes the head fit; only the key is missing."""
    last = AuditEvent.objects.get(number=dice.randint(1, count - 1))
    sql(f"DELETE FROM {TABLE} WHERE number > %s", last.number)
    AuditHead.objects.update(number=last.number, hash=last.hash)


MUTATIONS = [edit, edit, edit, delete, cut_tail, cut_front, swap, insert, renumber, rewrite, forget_head, forget_everything, lower_head]


@pytest.mark.parametrize("appended_after", [False, True])
def test_every_one_of_500_random_mutations_is_found(alice: User, unguarded: None, appended_after: bool) -> None:
    dice, count = random.Random(104 + appended_after), 9
    User.objects.update(last_login=timezone.now())
    write(count, alice)
    for round_number in range(250):
        mutation = dice.choice([verb for verb in MUTATIONS if not appended_after or verb not in {forget_everything, insert, renumber}])
        point = transaction.savepoint()
        mutation(dice, count)
        if appended_after:
            write(2, alice)
        assert audit.verify(), f"round {round_number}: {mutation.__name__} was not found"
        transaction.savepoint_rollback(point)
    assert audit.verify() == []


def test_an_old_state_put_back_is_found_by_what_was_kept_elsewhere(alice: User, unguarded: None) -> None:
    write(3, alice)
    old = AuditHead.objects.get()
    write(2, alice)
    kept = AuditHead.objects.get()
    sql(f"DELETE FROM {TABLE} WHERE number > 3")
    AuditHead.objects.update(number=old.number, hash=old.hash, seal=old.seal)
    assert audit.verify() == []
    assert audit.verify(expect=(kept.number, kept.hash))
    assert audit.verify(expect=(old.number, old.hash)) == []


def test_a_key_that_was_retired_still_seals(alice: User, settings: object) -> None:
    write(2, alice)
    old = settings.SECRET_KEY  # type: ignore[attr-defined]
    with override_settings(SECRET_KEY="another" * 10, SECRET_KEY_FALLBACKS=[old]):
        write(1, alice)
        assert audit.verify() == []
    with override_settings(SECRET_KEY="a third" * 10):
        assert audit.verify()


@pytest.mark.django_db(transaction=True)
def test_parallel_appends_make_one_chain() -> None:
    user = person("alice@acme.example")

    def work() -> None:
        write(10, user)
        connection.close()

    threads = [Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEvent.objects.count() == 60
    assert audit.verify() == []


def test_the_command_says_whether_the_log_is_whole(alice: User, unguarded: None, capsys: pytest.CaptureFixture[str]) -> None:
    write(3, alice)
    call_command("audit", "verify")
    assert "whole: 3 events" in capsys.readouterr().out
    delete(random.Random(1), 2)
    with pytest.raises(SystemExit) as end:
        call_command("audit", "verify")
    assert end.value.code == 1
    assert "missing" in capsys.readouterr().err
    with pytest.raises(CommandError):
        call_command("audit", "verify", "--expect", "nonsense")
