from __future__ import annotations

import grp
import itertools
import os
import pwd
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.outside import nowhere

NO_SERVICE = "A folder is no service: it has no pages, credentials, or cursors, and asks nobody to wait."
OWN_RIGHTS = "Whoever may reach a file may see its rights: there is no right to see them."
OWN_PEOPLE = "Accounts and groups are this machine's own; a test does not change those. `test_posix.py` has these cases."
CLOCK = itertools.count(1_700_000_000)


class FolderWorld:
    connector = CONNECTORS["folder"]
    outside = nowhere()
    impossible: Mapping[str, str] = {
        **dict.fromkeys(
            ["rate limit", "rate limit deletes nothing", "token expiry", "truncated page", "duplicate page", "cursor expiry"], NO_SERVICE
        ),
        "unreadable rights": OWN_RIGHTS,
        **dict.fromkeys(["group change", "nested groups"], OWN_PEOPLE),
    }

    def __init__(self, folder: Path) -> None:
        self.root = folder / "share"
        self.root.mkdir()
        self.config: dict[str, Any] = {"path": str(self.root), "roots": [str(folder)], "domain": "acme.example"}

    def put(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)
        os.utime(self.root / name, (next(CLOCK), next(CLOCK)))

    def delete(self, name: str) -> None:
        (self.root / name).unlink()

    def move(self, name: str, to: str) -> None:
        (self.root / name).rename(self.root / to)

    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        """Its owner is the one user; the machine's own accounts stand for the people."""
        path = self.root / name
        os.chown(path, pwd.getpwnam(self.key(next(iter(users), "ann"))).pw_uid, grp.getgrnam("nogroup").gr_gid)
        path.chmod(0o444 if public else 0o400)

    def group(self, name: str, users: Iterable[str], groups: Iterable[str] = ()) -> None:
        raise NotImplementedError

    def key(self, person: str) -> str:
        return {"ann": "daemon", "ben": "games", "cem": "mail"}[person]

    def fault(self, fault: Fault, name: str = "") -> None:
        """A link to nothing in its place cannot be read by anybody."""
        self.put_away = self.root / name, (self.root / name).read_text()
        (self.root / name).unlink()
        (self.root / name).symlink_to(self.root / "nothing")

    def mend(self) -> None:
        path, text = self.put_away
        path.unlink()
        path.write_text(text)


def world(folder: Path) -> FolderWorld:
    return FolderWorld(folder)
