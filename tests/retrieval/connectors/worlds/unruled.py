"""What worlds share whose source does not say who may see what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from retrieval.connectors.contract import Connector, checked

RIGHTS = ("rights change", "group change", "nested groups", "public", "unreadable rights")


class Unruled:
    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        raise NotImplementedError

    def group(self, name: str, users: Iterable[str], groups: Iterable[str] = ()) -> None:
        raise NotImplementedError

    def key(self, person: str) -> str:
        raise NotImplementedError


def filled_in(connector: Connector, given: dict[str, Any]) -> dict[str, Any]:
    """The whole config, as what is set up in a form would be."""
    found = checked(connector.settings, given)
    assert not found.wrong, found.wrong
    return found.values
