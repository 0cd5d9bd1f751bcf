"""Who may see what on a Nextcloud server, by shares of the recorded shape over a real WebDAV server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retrieval.connectors import CONNECTORS, nextcloud
from retrieval.connectors.contract import checked
from retrieval.errors import SourceGarbled, TokenRefused
from retrieval.types import Account, Fetched, Item, Members, Rights
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.nextcloud import OWN, THEIRS, NextcloudWorld

TEAM = {"oc:owner-id": "north", "oc:permissions": "RGDNVWM", "nc:mount-type": "group"}


@pytest.fixture
def world(tmp_path: Path) -> NextcloudWorld:
    """Company/HR/pay.txt, and Company/plan.txt, all the account's own."""
    found = NextcloudWorld(tmp_path)
    (found.root / "Company" / "HR").mkdir(parents=True)
    (found.root / "Company" / "HR" / "pay.txt").write_text("pay")
    (found.root / "Company" / "plan.txt").write_text("plan")
    found.owned = dict.fromkeys(("Company", "Company/HR", "Company/HR/pay.txt", "Company/plan.txt"), OWN)
    return found


def fetch(world: NextcloudWorld, **more: Any) -> list[Fetched]:
    return list(nextcloud.fetch({**world.config, **more}, None, world.outside))


def rights(world: NextcloudWorld, **more: Any) -> dict[str, Rights | None]:
    return {one.name: one.rights for one in fetch(world, **more) if isinstance(one, Item)}


def of(*users: str, groups: tuple[str, ...] = (), public: bool = False) -> Rights:
    return Rights(frozenset(users), frozenset(groups), public)


def test_what_nobody_was_given_is_its_owners(world: NextcloudWorld) -> None:
    assert rights(world) == {"pay.txt": of("north"), "plan.txt": of("north")}


def test_the_account_is_itself_however_its_name_is_written(world: NextcloudWorld) -> None:
    (company,) = nextcloud.Server(world.config, world.outside).files.inside("")[1]
    assert nextcloud.Server({**world.config, "user": "NORTH"}, world.outside).all_told(company)
    assert not nextcloud.Server({**world.config, "user": "norther"}, world.outside).all_told(company)


def test_a_share_holds_for_all_that_lies_in_the_folder(world: NextcloudWorld) -> None:
    world.share("Company", groups=["staff"])
    world.share("Company/HR", users=["ann"])
    world.share("Company/HR/pay.txt", users=["ben"])
    assert rights(world) == {"plan.txt": of("north", groups=("staff",)), "pay.txt": of("north", "ann", "ben", groups=("staff",))}


def test_shares_of_the_folders_around_the_one_that_is_read_count(world: NextcloudWorld) -> None:
    world.share("Company", groups=["staff"])
    world.share("Company/HR", users=["ann"])
    events = fetch(world, folder="/Company/HR/")
    (pay,) = (one for one in events if isinstance(one, Item))
    assert pay.rights == of("north", "ann", groups=("staff",)) and pay.folder == "" and pay.read() == b"pay"
    assert pay.external_id == str(world.id("Company/HR/pay.txt")) and pay.link == f"{world.config['url']}/f/{pay.external_id}"


def test_what_was_shared_with_the_account_is_its_owners_and_not_of_those_who_see_the_folder_around(world: NextcloudWorld) -> None:
    world.share("Company", groups=["staff"])
    world.owned |= {"Company/HR": THEIRS, "Company/HR/pay.txt": THEIRS}
    world.share("Company/HR", users=["ann"])
    assert rights(world)["pay.txt"] == of("zoe", "ann")
    assert rights(world, folder="Company/HR")["pay.txt"] == of("zoe", "ann"), "nor where only that is read"


@pytest.mark.parametrize(
    "about",
    [
        {**THEIRS, "oc:permissions": "SGDNVW"},
        TEAM,
        {**OWN, "nc:mount-type": "external"},
        {**OWN, "oc:owner-id": ""},
        {**OWN, "oc:owner-id": "someone"},
    ],
)
def test_what_the_account_is_not_told_all_shares_of_is_hidden(world: NextcloudWorld, about: dict[str, str]) -> None:
    world.owned |= {"Company/HR": about, "Company/HR/pay.txt": about}
    world.share("Company/HR", users=["ann"])
    assert rights(world) == {"plan.txt": of("north"), "pay.txt": None}
    assert any("stay hidden" in one.words for one in nextcloud.probe({**world.config, "folder": "Company"}, world.outside))
    assert rights(world, folder="Company/HR") == {"pay.txt": None}


def test_shares_that_cannot_be_read_hide_all_below_them(world: NextcloudWorld) -> None:
    world.veiled = "Company"
    assert rights(world) == {"pay.txt": None, "plan.txt": None}
    assert rights(world, folder="Company") == {"pay.txt": None, "plan.txt": None}
    world.veiled = "Company/HR/pay.txt"
    assert rights(world) == {"pay.txt": None, "plan.txt": of("north")}


@pytest.mark.parametrize("said", [b"{}", b"[]", b'{"ocs": {"data": {}}}', b'{"ocs": {"data": [7]}}', b"<html>"])
def test_an_answer_that_makes_no_sense_opens_nothing(world: NextcloudWorld, said: bytes) -> None:
    world.outside.faults = [lambda asked: Said(200, said) if asked.path.endswith("/shares") else None]
    assert rights(world) == {"pay.txt": None, "plan.txt": None}
    world.outside.faults = [lambda asked: Said(200, b'{"ocs": {"data": [{}]}}') if asked.path.endswith("/shares") else None]
    with pytest.raises(SourceGarbled):
        rights(world)


@pytest.mark.parametrize(
    ("share", "opens"),
    [
        ({"share_type": 0, "share_with": "ann", "permissions": 1}, of("north", "ann")),
        ({"share_type": 0, "share_with": "ann", "permissions": 4}, of("north")),
        ({"share_type": 0, "share_with": "ann", "expiration": "2020-01-01 00:00:00"}, of("north")),
        ({"share_type": 0, "share_with": "ann", "expiration": "2999-01-01 00:00:00"}, of("north", "ann")),
        ({"share_type": 1, "share_with": "staff"}, of("north", groups=("staff",))),
        ({"share_type": 4, "share_with": "x@elsewhere.example"}, of("north")),
        ({"share_type": 6, "share_with": "ann@other.example"}, of("north")),
        ({"share_type": 7, "share_with": "circle"}, of("north")),
        ({"share_type": 3, "share_with": None}, of("north")),
        ({"share_type": 0, "share_with": "ann", "uid_file_owner": "another"}, of("north")),
    ],
)
def test_whom_a_share_lets_in(world: NextcloudWorld, share: dict[str, Any], opens: Rights) -> None:
    world.shared["Company/plan.txt"] = [share]
    assert rights(world, links=False)["plan.txt"] == opens


def test_a_public_link_is_for_everybody_only_where_the_settings_say_so_and_it_has_no_password(world: NextcloudWorld) -> None:
    world.share("Company/HR", public=True)
    assert rights(world, links=False)["pay.txt"] == of("north")
    found = rights(world)
    assert found["pay.txt"] == of("north", public=True) and found["plan.txt"] == of("north")
    for locked in ({"password": "hash"}, {"share_with": "hash"}):
        world.shared["Company/HR"][0].update({"password": None, "share_with": None, **locked})
        assert rights(world)["pay.txt"] == of("north")


def test_people_and_groups_are_told_by_an_administrators_account(world: NextcloudWorld) -> None:
    world.group("staff", ["ann", "ben"])
    world.share("Company", users=["gone"], groups=["staff", "left"])
    events = fetch(world, emails=True)
    people = {one.key: one for one in events if isinstance(one, Account)}
    assert people["ann"] == Account("ann", "Ann", "ann@acme.example") and not people["zoe"].active
    assert people["gone"] == Account("gone", "Gone") and "north" in people
    assert {one.group: one.users for one in events if isinstance(one, Members)} == {"staff": {"ann", "ben"}, "left": None}
    assert {one.email for one in fetch(world) if isinstance(one, Account)} == {""}, "addresses that people may change prove nothing"


def test_where_the_account_is_no_administrators_groups_are_said_by_hand_or_unknown(world: NextcloudWorld) -> None:
    world.administrator = False
    world.group("staff", ["ann"])
    world.share("Company", users=["ben"], groups=["Staff", "board"])
    events = fetch(world, members=["staff = ann, cem"])
    assert {one.group: one.users for one in events if isinstance(one, Members)} == {"Staff": {"ann", "cem"}, "board": None}
    assert {one.key for one in events if isinstance(one, Account)} == {"ben", "north"}
    words = " ".join(one.words for one in nextcloud.probe(world.config, world.outside))
    assert "say in the settings who is in each group" in words and "mapped to accounts by hand" in words
    given = {**world.config, "members": ["staff: ann"]}
    assert "commas" in checked(CONNECTORS["nextcloud"].settings, given).wrong["members"]


def test_many_people_are_listed_page_by_page_however_few_the_server_gives(world: NextcloudWorld) -> None:
    assert {one.key for one in fetch(world) if isinstance(one, Account)} == {"ann", "ben", "cem", "zoe", "north"}
    asked = [one.query["offset"] for one in world.outside.asked if one.path.endswith("/users/details")]
    assert asked == ["0", "2", "4"]


def test_a_wrong_password_is_said(world: NextcloudWorld) -> None:
    with pytest.raises(TokenRefused):
        list(nextcloud.probe({**world.config, "password": "wrong"}, world.outside))
