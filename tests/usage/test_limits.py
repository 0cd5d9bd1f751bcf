"""Requests a minute with a real broker, and budgets with real rows. No test waits: the bucket is told what time it is."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from north.inference.metering import Used
from north.usage import budgets, models, rates
from north.usage.models import Kind, Usage, today
from north.usage.rates import Bucket, take
from north.workspaces import keys
from north.workspaces.models import Membership

NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def asked_again() -> None:
    rates.away_until = 0.0


def bucket(per_minute: int) -> Bucket:
    return Bucket(uuid.uuid4().hex, per_minute)


def waits(one: Bucket, *at: float) -> list[float]:
    """How long each of these requests, at so many seconds, would have to wait; 0: it is let through."""
    return [standing.wait for moment in at if (standing := take([one], at=NOW + moment))]


def test_a_bucket_lets_a_minutes_worth_through_and_then_one_as_it_fills(broker: redis.Redis) -> None:
    assert [round(wait, 3) for wait in waits(bucket(4), 0, 0, 0, 0, 0, 14, 15, 15)] == [0, 0, 0, 0, 15, 1, 0, 15]


def test_it_says_how_much_is_left_and_when_it_is_full(broker: redis.Redis) -> None:
    one = bucket(60)
    found = [take([one], at=NOW) for _request in range(3)][-1]
    assert found and (found.limit, found.remaining, found.wait, found.full_in) == (60, 57, 0, 3)


def test_a_request_takes_from_all_buckets_or_from_none(broker: redis.Redis) -> None:
    wide, narrow = bucket(10), bucket(1)
    assert [take([wide, narrow], at=NOW).wait for _request in range(4)] == [0, 60, 60, 60]  # type: ignore[union-attr]
    assert take([wide], at=NOW).remaining == 8  # type: ignore[union-attr]


def test_a_limit_that_is_lowered_holds_at_once(broker: redis.Redis) -> None:
    one = bucket(100)
    take([one], at=NOW)
    assert take([Bucket(one.name, 2)], at=NOW).remaining == 1  # type: ignore[union-attr]


def test_a_clock_that_goes_back_gives_nothing(broker: redis.Redis) -> None:
    first, *later = waits(bucket(1), 60, 0, -1000)
    assert first == 0 and all(wait > 0 for wait in later)


@given(st.integers(1, 30), st.lists(st.floats(0, 20), max_size=40))
def test_no_order_of_requests_gets_more_than_the_limit(broker: redis.Redis, per_minute: int, gaps: list[float]) -> None:
    one, at, let_through = bucket(per_minute), 0.0, []
    for gap in gaps:
        at += gap
        if take([one], at=NOW + at).wait == 0:  # type: ignore[union-attr]
            let_through.append(at)
    for start in let_through:
        inside = sum(start <= moment <= start + 60 for moment in let_through)
        assert inside <= 2 * per_minute + 1, "a full bucket and what flows in within a minute"


def test_without_the_broker_requests_are_let_through_and_it_is_not_asked_each_time(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.REDIS_URL = "unix:///nowhere/broker.sock"
    rates.client.cache_clear()
    assert take([bucket(1)]) is None and take([bucket(1)]) is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["Requests are not limited while the broker is away"]
    rates.client.cache_clear()


# --- budgets ------------------------------------------------------------------------------------------------------------------------------
def use(membership: Membership, tokens: int, *, key: uuid.UUID | None = None, day: date | None = None) -> None:
    models.add(
        Kind.RUN, Used(tokens, 0, 0, 0.1), model=uuid.uuid4().hex, workspace=membership.workspace_id, user=membership.user_id, key=key
    )
    if day:
        Usage.objects.filter(pk=Usage.objects.order_by("-day").values("pk")[:1]).update(day=day)


def caller(membership: Membership) -> Membership:
    membership.key = keys.issue_key(membership, actor=membership)[0]
    return membership


@pytest.mark.django_db
def test_a_budget_counts_its_own_key_and_a_members_all_keys_and_the_browser(reader: Membership, owner: Membership) -> None:
    me = caller(reader)
    assert me.key
    other, _secret = keys.issue_key(reader, actor=reader)
    keys.allow(me.key, {"tokens_per_day": 100, "tokens_per_month": 500})
    keys.allow(me.workspace, {"tokens_per_day": 1000, "refuses": True})
    use(me, 60, key=me.key.pk)
    use(me, 7, key=other.pk)
    use(me, 5)
    use(owner, 900)
    found = {(one.whose, one.span): one for one in budgets.budgets(me)}
    assert {place: one.used for place, one in found.items()} == {("key", "day"): 60, ("key", "month"): 60, ("member", "day"): 72}
    assert found["key", "day"].remaining == 40 and not found["key", "day"].near and found["member", "day"].refuses
    use(me, 20, key=me.key.pk)
    near = budgets.budgets(me)[1]
    assert near.near and not near.over and "80 %" in str(near) and budgets.refusing(me) is None


@pytest.mark.django_db
def test_only_a_hard_budget_that_is_used_up_refuses(reader: Membership) -> None:
    me = caller(reader)
    assert me.key
    keys.allow(me.key, {"tokens_per_month": 50})
    use(me, 50, key=me.key.pk)
    assert budgets.budgets(me)[0].over and budgets.refusing(me) is None
    keys.allow(me.key, {"refuses": True})
    assert (refusing := budgets.refusing(me)) and refusing.span == "month"


@pytest.mark.django_db
def test_what_was_used_last_month_does_not_count(reader: Membership) -> None:
    me = caller(reader)
    assert me.key
    keys.allow(me.key, {"tokens_per_month": 50})
    use(me, 50, key=me.key.pk, day=today().replace(day=1) - timedelta(days=1))
    assert budgets.budgets(me)[0].used == 0


@pytest.mark.parametrize(("day", "first"), [
    (date(2026, 1, 31), date(2026, 2, 1)), (date(2026, 12, 1), date(2027, 1, 1)), (date(2028, 2, 29), date(2028, 3, 1)),
])  # fmt: skip
def test_a_month_ends_on_its_last_day(day: date, first: date) -> None:
    assert budgets.next_month(day) == first
