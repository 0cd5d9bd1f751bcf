"""A connector to a source that stops answering: after `things` things it waits at a socket for what never comes, `stalls` times."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from retrieval.connectors.contract import Config, Connector, Outside, Setting
from retrieval.types import Cursor, Fetched, Item, Listing

REACHED = threading.Event()
STALLS = [0]
"""How often it has stalled so far."""


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    yield Listing()
    for number in range(config["things"]):
        yield Item(f"{number}", f"{number}.txt", b"words of %d" % number, revision="1")
    if STALLS[0] < config["stalls"]:
        STALLS[0] += 1
        stall()
    yield Cursor({}, complete=True)


def stall() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        REACHED.set()
        ours.recv(1)


SETTINGS = (Setting("things", "Things", kind="number"), Setting("stalls", "Stalls", kind="number"))
CONNECTOR = Connector("Stalling", "A source that stops answering.", fetch, settings=SETTINGS)
