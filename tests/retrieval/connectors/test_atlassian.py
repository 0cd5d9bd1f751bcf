"""Atlassian's cloud by consent: which site, by which tokens, and what is said where the consent is none."""

from __future__ import annotations

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import TokenRefused
from retrieval.types import Item
from tests.retrieval.connectors.consented import AtAtlassian
from tests.retrieval.connectors.worlds import confluence_by_consent, jira_by_consent

WORLDS = (confluence_by_consent.ByConsent, jira_by_consent.ByConsent)


def items(world: AtAtlassian) -> list[Item]:
    return [one for one in world.connector.fetch(world.config, None, world.outside) if isinstance(one, Item)]


@pytest.mark.parametrize("kind", WORLDS)
def test_it_is_asked_at_the_gateway_and_links_lead_to_the_site(kind: type[AtAtlassian]) -> None:
    world = kind()
    world.put("a.txt", "text")
    (found,) = items(world)
    assert found.link.startswith("https://acme.atlassian.net/")
    assert not [asked for asked in world.outside.asked if asked.url.startswith("https://acme.atlassian.net")]


@pytest.mark.parametrize("kind", WORLDS)
def test_every_refresh_token_is_kept_before_it_is_needed(kind: type[AtAtlassian]) -> None:
    world = kind()
    for name in "abcdef":
        world.put(name, name)
    items(world)
    assert world.given > 2, "tokens expired on the way"
    assert world.config["refresh"] == world.outside.kept["refresh"] == world.refresh
    items(world)


@pytest.mark.parametrize("kind", WORLDS)
def test_a_consent_for_another_site_says_which_it_reaches(kind: type[AtAtlassian]) -> None:
    world = kind()
    world.sites = ("other.atlassian.net",)
    with pytest.raises(TokenRefused, match=r"does not reach acme\.atlassian\.net.*other\.atlassian\.net.*Press “Connect” again"):
        items(world)
    world.sites = ()
    with pytest.raises(TokenRefused, match="withdrawn there"):
        items(world)


@pytest.mark.parametrize("kind", WORLDS)
def test_a_consent_that_was_withdrawn_is_said(kind: type[AtAtlassian]) -> None:
    world = kind()
    world.ended = True
    with pytest.raises(TokenRefused, match=r"it was withdrawn, or has ended. Press “Connect” again"):
        items(world)


def test_what_is_asked_of_a_person_lasts_and_stands_in_the_settings() -> None:
    for kind in ("confluence", "jira"):
        found = CONNECTORS[kind].consent
        assert found and found.more["audience"] == "api.atlassian.com" and "offline_access" in found.scopes.split()
        told = next(one.help for one in CONNECTORS[kind].settings if one.name == "client_id")
        assert all(scope in told for scope in found.scopes.split() if scope != "offline_access")
