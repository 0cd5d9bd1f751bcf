"""Channels at services of the recorded shape: opened for each drive, made to last, and closed where they are not wanted any more."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from retrieval.connectors.channels import closed, tended
from retrieval.connectors.contract import Channel, Office
from retrieval.errors import RightMissing, SourceError, SourceGarbled, SourceUnreachable
from tests.retrieval.connectors.cloud import Cloud
from tests.retrieval.connectors.outside import Said
from tests.retrieval.connectors.worlds.google_drive import DRIVE as SHARED
from tests.retrieval.connectors.worlds.google_drive import GoogleDriveWorld
from tests.retrieval.connectors.worlds.google_drive_by_consent import ByConsent
from tests.retrieval.connectors.worlds.sharepoint import DRIVE, SharePointWorld

ADDRESS, SECRET, DAY = "https://north.example/hooks/k", "s3cret", 24 * 3600.0


def office_of(world: Cloud) -> Office:
    assert world.connector.push and world.connector.push.office
    return world.connector.push.office(world.config, world.outside)


def tend(world: Cloud, known: dict[str, Channel] | None = None, now: float | None = None, address: str = ADDRESS) -> dict[str, Channel]:
    steps = list(tended(office_of(world), known or {}, address, SECRET, time.time() if now is None else now))
    return steps[-1] if steps else known or {}


def there(world: Cloud) -> dict[str, Any]:
    """As the service knows them."""
    return world.subscribed if isinstance(world, SharePointWorld) else world.watching  # type: ignore[attr-defined, no-any-return]


def days(channel: Channel) -> float:
    return (channel["until"] - time.time()) / DAY


# --- Microsoft Graph ---------------------------------------------------------------------------------------------------------------
def test_each_library_is_subscribed_to_with_the_secret_that_messages_prove() -> None:
    world = SharePointWorld()
    found = tend(world)
    assert list(found) == [DRIVE] and 27 < days(found[DRIVE]) < 29.3
    (there,) = world.subscribed.values()
    assert (there["clientState"], there["resource"], there["notificationUrl"]) == (SECRET, f"/drives/{DRIVE}/root", ADDRESS)
    told = next(asked for asked in world.outside.asked if asked.path.endswith("/subscriptions"))
    assert told.headers["prefer"] == "includesecuritywebhooks", "a right that is taken away is a change"
    assert tend(world, found) == found and len(world.asked_for) == 1, "one that lasts long enough is left alone"


def test_a_subscription_is_renewed_before_it_ends_and_made_anew_where_it_is_gone() -> None:
    world = SharePointWorld()
    found = {DRIVE: {**tend(world)[DRIVE], "until": time.time() + DAY}}
    renewed = tend(world, found)
    assert renewed[DRIVE]["id"] == found[DRIVE]["id"] and days(renewed[DRIVE]) > 27 and len(world.asked_for) == 1
    world.subscribed.clear()
    assert tend(world, found)[DRIVE]["id"] != found[DRIVE]["id"] and len(world.subscribed) == 1


def test_an_address_that_microsoft_cannot_reach_says_how_to_mend_it() -> None:
    with pytest.raises(SourceUnreachable, match=r"validation request failed.*reached from the internet"):
        tend(SharePointWorld(), address="https://inside.example/hooks/k")


def test_the_right_that_microsoft_asks_for_is_named() -> None:
    world = SharePointWorld()
    world.outside.faults = [lambda asked: Said.json({}, 403) if asked.path.endswith("/subscriptions") else None]
    with pytest.raises(RightMissing, match=r"Files\.ReadWrite\.All.*Entra admin center.*“Subscribe to changes”"):
        tend(world)


# --- Google Drive ------------------------------------------------------------------------------------------------------------------
def test_each_drive_is_watched_in_its_own_name() -> None:
    world = GoogleDriveWorld()
    world.config["people"] = ["Ann@acme.example"]
    found = tend(world)
    assert set(found) == {SHARED, "ann@acme.example"} and all(6 < days(one) <= 7.01 for one in found.values())
    by_key = {key: world.watching[one["id"]] for key, one in found.items()}
    assert by_key[SHARED]["driveId"] == SHARED and by_key[SHARED]["as"] == "Bearer t-admin@acme.example"
    assert by_key["ann@acme.example"]["restrictToMyDrive"] == "true" and by_key["ann@acme.example"]["as"] == "Bearer t-ann@acme.example"
    assert {one["token"] for one in world.watching.values()} == {SECRET}


def test_another_channel_takes_the_place_of_one_that_ends() -> None:
    world = GoogleDriveWorld()
    found = {SHARED: {**tend(world)[SHARED], "until": time.time() + DAY}}
    renewed = tend(world, found)
    assert list(world.watching) == [renewed[SHARED]["id"]] != [found[SHARED]["id"]]
    world.outside.faults = [lambda asked: Said(500) if asked.path.endswith("/stop") else None]
    again = tend(world, {SHARED: {**renewed[SHARED], "until": time.time()}})
    assert again[SHARED]["id"] in world.watching, "what cannot be closed holds up nothing"


def test_it_works_with_a_persons_consent_too() -> None:
    world = ByConsent()
    world.config["mine"] = True
    found = tend(world)
    assert set(found) == {SHARED, "ann@acme.example"} == {*found} and len(world.watching) == 2


def test_an_address_without_https_says_how_to_mend_it() -> None:
    with pytest.raises(SourceUnreachable, match=r"must be HTTPS.*certificate"):
        tend(GoogleDriveWorld(), address="http://north.example/hooks/k")


# --- both --------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [SharePointWorld, GoogleDriveWorld])
def test_what_is_not_wanted_any_more_is_closed_and_one_that_is_gone_is_closed_already(kind: type[Cloud]) -> None:
    world = kind()
    found = tend(world)
    (one,) = found.values()
    assert tend(world, {**found, "another": one}) == found, "a drive that the settings name no more"
    assert not there(world)
    found = tend(world)
    assert list(closed(office_of(world), found)) == [{}] and list(closed(office_of(world), found)) == [{}] and not there(world)


@pytest.mark.parametrize("kind", [SharePointWorld, GoogleDriveWorld])
def test_another_address_of_north_is_entered_anew(kind: type[Cloud]) -> None:
    world = kind()
    found = tend(world)
    other = tend(world, found, address="https://north.example/hooks/other")
    assert [one["address"] for one in other.values()] == ["https://north.example/hooks/other"]
    assert {one["id"] for one in other.values()} == set(there(world)), "and the one before is closed"


@pytest.mark.parametrize("kind", [SharePointWorld, GoogleDriveWorld])
@pytest.mark.parametrize(
    "said", [b"{}", b"[]", b"{", b'{"id": "x", "expirationDateTime": "soon", "resourceId": "r", "expiration": "soon"}']
)
def test_an_answer_that_makes_no_sense_opens_nothing(kind: type[Cloud], said: bytes) -> None:
    world = kind()
    ways = ("/subscriptions", "/watch")
    world.outside.faults = [lambda asked: replace(Said(), content=said) if asked.path.endswith(ways) else None]
    with pytest.raises(SourceGarbled):
        tend(world)


def test_what_was_opened_before_a_fault_is_told_so_that_it_can_be_kept() -> None:
    world = GoogleDriveWorld()
    world.config["people"] = ["zoe@acme.example"]
    world.outside.faults = [lambda asked: Said(500) if "restrictToMyDrive" in asked.url and "watch" in asked.path else None]
    kept: list[dict[str, Channel]] = []
    with pytest.raises(SourceError):
        kept.extend(tended(office_of(world), {}, ADDRESS, SECRET, time.time()))
    steps = tended(office_of(world), {}, ADDRESS, SECRET, time.time())
    assert list(next(steps)) == [SHARED]
