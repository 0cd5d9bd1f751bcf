from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors import postgres
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.reached import Reached
from tests.retrieval.connectors.worlds.unruled import filled_in

NO_GROUPS = "Rows name people by their addresses; a query that knows groups names those who are in them."
NUMBERS = itertools.count()


class SQLWorld:
    """A table in PostgreSQL."""

    connector = CONNECTORS["sql"]
    impossible: Mapping[str, str] = {
        **dict.fromkeys(["group change", "nested groups"], NO_GROUPS),
        **dict.fromkeys(["rate limit", "rate limit deletes nothing"], "A database has no Retry-After: it answers, or it does not."),
        **dict.fromkeys(["truncated page", "duplicate page"], "The protocol frames every row: half a batch is a broken connection."),
        "cursor expiry": "Every pass runs the query: there is no cursor that the database could forget.",
        "poison item": "A row comes whole with its batch, or not at all. Texts too long for one document are in `test_sql.py`.",
        "unreadable rights": "Readers stand in the row itself, in a column of their own; where it is empty, nobody is named.",
    }

    def __init__(self) -> None:
        self.outside = Reached()
        self.keeper = postgres.keeper()
        self.table = f"notes_{next(NUMBERS)}"
        self.keeper.execute(
            f"CREATE TABLE {self.table} (id serial PRIMARY KEY, name text UNIQUE, body text, readers text[] DEFAULT '{{*}}')"
        )
        self.keeper.execute(f"GRANT SELECT ON {self.table} TO north")
        self.config: dict[str, Any] = filled_in(
            self.connector,
            {
                "host": "127.0.0.1",
                "port": postgres.port(),
                "database": "postgres",
                "user": "north",
                "password": postgres.PASSWORD,
                "encryption": "disable",
                "query": f"SELECT id, name, body, readers FROM {self.table} ORDER BY id",
                "key": "id",
                "name": "name",
                "template": "{body}",
                "readers": "readers",
            },
        )

    def put(self, name: str, text: str) -> None:
        into = f"INSERT INTO {self.table} (name, body) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET body = excluded.body"
        self.keeper.execute(into, (name, text))

    def delete(self, name: str) -> None:
        self.keeper.execute(f"DELETE FROM {self.table} WHERE name = %s", (name,))

    def move(self, name: str, to: str) -> None:
        self.keeper.execute(f"UPDATE {self.table} SET name = %s WHERE name = %s", (to, name))

    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        readers = ["*"] if public else [self.key(user) for user in users]
        self.keeper.execute(f"UPDATE {self.table} SET readers = %s WHERE name = %s", (readers, name))

    def group(self, name: str, users: Iterable[str], groups: Iterable[str] = ()) -> None:
        raise NotImplementedError

    def key(self, person: str) -> str:
        return f"{person}@acme.example"

    def fault(self, fault: Fault, name: str = "") -> None:
        """The password is another one from now on."""
        self.config["password"] = "expired"

    def mend(self) -> None:
        self.config["password"] = postgres.PASSWORD


def world(folder: Path) -> SQLWorld:
    return SQLWorld()
