"""Channels by which services tell of changes: opened at their APIs, which forget them after some days. Which are to be opened, renewed and
closed. Knows no service and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from retrieval.connectors.contract import Channel, Office
from retrieval.connectors.pages import sensible
from retrieval.errors import RightMissing, SourceMissing

AHEAD: Final = 2 * 24 * 3600.0
"""Seconds before its end that a channel is renewed: so long the service may be away."""


@sensible("The service")
def tended(office: Office, known: Mapping[str, Channel], address: str, secret: str, now: float) -> Iterator[dict[str, Channel]]:
    """All channels there are, after each step: to be kept at once, since a channel that nobody remembers cannot be closed."""
    channels, wanted = dict(known), sorted(set(office.keys()))
    for key in sorted(set(known) - set(wanted)):
        yield without(office, channels, key)
    for key in wanted:
        before = channels.get(key)
        if before and before["address"] != address:
            yield without(office, channels, key)
            before = None
        if before is None or before["until"] - now < AHEAD:
            channels[key] = {**office.open(key, address, secret, before), "address": address}
            yield dict(channels)


@sensible("The service")
def closed(office: Office, known: Mapping[str, Channel]) -> Iterator[dict[str, Channel]]:
    channels = dict(known)
    for key in sorted(known):
        yield without(office, channels, key)


def without(office: Office, channels: dict[str, Channel], key: str) -> dict[str, Channel]:
    with suppress(SourceMissing, RightMissing):  # gone already, or of other credentials than there are now: then it ends by itself
        office.close(key, channels[key])
    del channels[key]
    return dict(channels)
