"""The page as people get it; how it looks is tests/whole/test_pages.py's matter, who may open it tests/test_matrix.py's."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from north.inference.metering import Used
from north.usage import models as usage
from north.usage.models import Kind, Usage, today
from north.usage.plotting import HEIGHT, chart, rounded_up, share
from north.usage.summing import Spent, Sums
from north.workspaces.models import ApiKey, User, Workspace
from tests.conftest import browser_of

pytestmark = pytest.mark.django_db
ADMIN, INSIDE = "/admin/usage", "/w/acme/usage"


@pytest.fixture
def used(workspace: Workspace, other_workspace: Workspace, rita: User, bob: User, charlie: User) -> None:
    key, _secret = ApiKey.issue(workspace=workspace, user=bob, name="=cmd|robot")
    usage.add(Kind.RUN, Used(1000, 250, 50, 3.0), model="chat-m", workspace=workspace.pk, user=rita.pk, count=2)
    usage.add(Kind.SEARCH, Used(30, 0, 0, 0.2), model="embed-m", workspace=workspace.pk, user=bob.pk, key=key.pk, count=9)
    usage.add(Kind.INDEX, Used(400, 0, 0, 1.0), model="embed-m", workspace=workspace.pk, user=None, count=1)
    usage.add(Kind.RUN, Used(7777, 0, 70, 9.0), model="chat-m", workspace=other_workspace.pk, user=charlie.pk, count=3)
    usage.add(Kind.RUN, Used(55, 0, 0, 0.1), model="chat-m", workspace=uuid.uuid4(), user=uuid.uuid4(), count=1)
    old = Usage.objects.get(model="embed-m", kind="index")
    Usage.objects.filter(pk=old.pk).update(day=today() - timedelta(days=29))


@pytest.fixture
def as_admin(admin: User) -> Client:
    return browser_of(admin)


def rows_of(page: str, heading: str) -> list[list[str]]:
    """The cells of the table under this heading."""
    part = page.split(f'id="by-{heading}"')[1].split("<tbody>")[1].split("</tbody>")[0]
    tree = ElementTree.fromstring(f"<t>{part}</t>".replace("…", ""))
    return [[("".join(cell.itertext())).strip() for cell in row if cell.get("class") != "bar"] for row in tree]


@pytest.mark.usefixtures("used")
def test_it_sums_by_model_workspace_person_and_key(as_admin: Client) -> None:
    page = as_admin.get(ADMIN).content.decode()
    assert rows_of(page, "model") == [["chat-m", "6", "8,832", "250", "120", "12"], ["embed-m", "10", "430", "0", "0", "1"]]
    assert [row[:3] for row in rows_of(page, "workspace")] == [
        ["Elsewhere", "3", "7,777"],
        ["Acme", "12", "1,430"],
        ["a deleted workspace", "1", "55"],
    ]
    assert [row[0] for row in rows_of(page, "user")] == ["Charlie", "Rita", "North itself", "a deleted user", "Bob"]
    assert rows_of(page, "key")[1][0].startswith("=cmd|robot · north_")
    assert "3 % from the cache" in page


@pytest.mark.usefixtures("used")
def test_an_owner_sees_the_own_workspace_alone(as_alice: Client) -> None:
    page = as_alice.get(INSIDE).content.decode()
    assert rows_of(page, "model") == [["chat-m", "2", "1,000", "250", "50", "3"], ["embed-m", "10", "430", "0", "0", "1"]]
    assert "Charlie" not in page and "Elsewhere" not in page and "by-workspace" not in page
    table = as_alice.get(f"{INSIDE}.csv").content.decode()
    assert "Charlie" not in table and "Elsewhere" not in table and table.count("\n") == 4


@pytest.mark.usefixtures("used")
def test_only_the_days_asked_for_count(as_admin: Client) -> None:
    assert "North itself" not in as_admin.get(ADMIN, {"days": "7"}).content.decode()
    assert "North itself" in as_admin.get(ADMIN, {"days": "30"}).content.decode()


@pytest.mark.parametrize("query", [{"days": "x"}, {"days": "8"}, {"of": "<script>"}, {"days": "", "of": ""}, {"days": "99999999999999"}])
def test_what_makes_no_sense_is_as_if_nothing_were_said(as_admin: Client, used: None, query: dict[str, str]) -> None:
    answer = as_admin.get(ADMIN, query)
    assert answer.status_code == 200 and "script>" not in answer.content.decode().split("<main")[1].split("</main")[0]
    assert 'value="30" selected' in answer.content.decode()


def test_nothing_used_is_said(as_admin: Client) -> None:
    assert "Nothing was used in this time." in as_admin.get(ADMIN).content.decode()


@pytest.mark.usefixtures("used")
def test_it_takes_few_queries_however_much_there_is(
    as_admin: Client, as_alice: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        user = User.objects.create_user(f"u{number}@acme.example", None, name=f"u{number}")
        usage.add(Kind.RUN, Used(number + 1), model=f"m{number % 7}", workspace=workspace.pk, user=user.pk)
    for client, address in ((as_admin, ADMIN), (as_alice, INSIDE), (as_admin, f"{ADMIN}.csv")):
        with django_assert_max_num_queries(12):
            assert client.get(address, {"days": "90"}).status_code == 200


@pytest.mark.usefixtures("used")
def test_the_csv_holds_every_row_with_names_and_no_formula(as_admin: Client) -> None:
    answer = as_admin.get(f"{ADMIN}.csv")
    assert answer.headers["Content-Type"].startswith("text/csv") and "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == 5
    robot = next(row for row in rows if row["kind"] == "search")
    assert robot["key"].startswith("'=cmd|robot") and (robot["user"], robot["workspace"], robot["count"]) == ("Bob", "Acme", "9")
    assert {row["tokens_in"] for row in rows} == {"1000", "30", "400", "7777", "55"}


@pytest.mark.usefixtures("used")
def test_the_drawing_needs_no_style_and_no_script(as_admin: Client) -> None:
    page = as_admin.get(ADMIN).content.decode().split("<main")[1].split("</main")[0]
    assert "style=" not in page and "<script" not in page
    assert page.count("<rect") > 8


@given(st.lists(st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 10**12), max_size=7), min_size=1, max_size=40))
def test_bars_stand_on_the_ground_touch_and_stay_in_the_drawing(days: list[dict[str, int]]) -> None:
    spent = Spent({today() + timedelta(days=n): {name: Sums(tokens_in=value) for name, value in day.items()} for n, day in enumerate(days)})
    for day in days:
        for name, value in day.items():
            spent.model.setdefault(name, Sums()).tokens_in += value
    drawn = chart(spent, "tokens")
    assert len(drawn.names) <= 5
    for asked, day in zip(days, drawn.days, strict=True):
        assert day.total == sum(day.values) == sum(asked.values()) <= drawn.top
        ground = HEIGHT
        for bar in day.bars:
            assert bar.height > 0 and abs(bar.y + bar.height - ground) <= 4 * len(day.bars) and bar.y >= 0
            ground = bar.y
        assert all(drawn.days[0].x <= bar.x < drawn.width for bar in day.bars)


@pytest.mark.parametrize(("days", "bars"), [(119, 119), (120, 18), (126, 18), (365, 53)])
def test_a_long_time_is_drawn_in_weeks_that_end_today(days: int, bars: int) -> None:
    sums = Sums(tokens_in=1)
    drawn = chart(Spent({today() - timedelta(days=ago): {"a": sums} for ago in reversed(range(days))}, model={"a": sums}), "tokens")
    assert len(drawn.days) == bars and sum(day.total for day in drawn.days) == days
    assert drawn.days[-1].day == today() - timedelta(days=drawn.step - 1) and drawn.days[-1].total == drawn.step
    assert drawn.days[0].day == today() - timedelta(days=days - 1)


@pytest.mark.parametrize(("value", "top"), [(0, 2), (2, 2), (3, 4), (5, 10), (10, 10), (11, 20), (41, 100), (10**9 + 1, 2 * 10**9)])
def test_the_scale_ends_at_a_number_that_is_easily_halved(value: int, top: int) -> None:
    assert rounded_up(value) == top
    assert top % 2 == 0


def test_what_is_not_nothing_shows() -> None:
    assert [share(value, 10_000) for value in (0, 1, 5000, 10_000)] == [0, 1, 50, 100]
    assert share(0, 0) == 0
