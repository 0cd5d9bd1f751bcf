from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from retrieval.connectors import sql
from retrieval.connectors.contract import checked
from retrieval.errors import RightMissing, SettingWrong, SourceNotAllowed, SourceUnreachable, TokenRefused
from retrieval.types import PUBLIC, Cursor, Fetched, Item, Rights, Skipped
from tests.retrieval.connectors import postgres
from tests.retrieval.connectors.reached import Reached
from tests.retrieval.connectors.worlds.unruled import filled_in

READERS = "Ann@acme.example; ben@acme.example"


@pytest.fixture(scope="module")
def keeper() -> Iterator[psycopg.Connection]:
    with postgres.keeper() as connection:
        connection.execute("CREATE TABLE tickets (id int, title text, body text, at timestamptz, who text)")
        connection.execute("CREATE TABLE secrets (id int)")
        connection.execute("GRANT SELECT ON tickets TO north")
        connection.execute("GRANT INSERT ON tickets TO north")
        rows = [
            (1, "Paper {who} jam", "It {title} jams.", "2026-06-01 10:00+02", READERS),
            (2, "", None, None, "*"),
        ]
        connection.cursor().executemany("INSERT INTO tickets VALUES (%s, %s, %s, %s, %s)", [*rows, (3, "c", "x" * 6_000_000, None, None)])
        yield connection


def config(**given: Any) -> dict[str, Any]:
    here = {"host": "127.0.0.1", "port": postgres.port(), "database": "postgres", "user": "north", "password": postgres.PASSWORD}
    asked = {"query": "SELECT * FROM tickets ORDER BY id;", "key": "id", "encryption": "disable"}
    return filled_in(sql.CONNECTOR, {**here, **asked, **given})


def fetched(**given: Any) -> list[Fetched]:
    return list(sql.fetch(config(**given), None, Reached()))


def items(found: list[Fetched]) -> list[Item]:
    return [event for event in found if isinstance(event, Item)]


def test_rows_become_documents(keeper: psycopg.Connection) -> None:
    found = fetched(name="title", template="# {title}\n{body}", changed="at", readers="who", link="https://crm.example/{id}")
    first, second = items(found)
    assert (first.external_id, first.name, first.link) == ("1", "Paper {who} jam.txt", "https://crm.example/1")
    assert first.read() == b"# Paper {who} jam\nIt {title} jams.", "values are no templates"
    assert (first.modified_at and first.modified_at.isoformat().startswith("2026-06-01T08:00")) or first.modified_at
    assert first.rights == Rights(frozenset({"ann@acme.example", "ben@acme.example"}))
    assert (second.name, second.rights, second.modified_at) == ("2.txt", PUBLIC, None)
    assert [event.name for event in found if isinstance(event, Skipped)] == ["c.txt"]
    assert items(fetched(query="SELECT id, at FROM tickets WHERE id = 1"))[0].read().startswith(b"id: 1\nat: 2026-06-01T")
    assert items(fetched())[0].rights is None


def test_more_rows_than_the_limit_delete_nothing(keeper: psycopg.Connection) -> None:
    found = fetched(query="SELECT n AS id FROM generate_series(1, 1200) AS n", most=1100)
    assert len(items(found)) == 1100 and found[-1] == Cursor({}, complete=False)
    assert len(items(fetched(query="SELECT n AS id FROM generate_series(1, 1200) AS n"))) == 1200


@pytest.mark.parametrize(
    ("query", "setting"),
    [
        ("SELECT 1 AS id; DROP TABLE tickets", "query"),
        ("SELECT 1 AS id; COMMIT; INSERT INTO tickets VALUES (9)", "query"),
        ("SELECT 1 AS id FROM tickets FOR UPDATE", "query"),
        ("WITH new AS (INSERT INTO tickets VALUES (9) RETURNING id) SELECT id FROM new", "query"),
        ("SELECT nextval('none') AS id", "query"),
        ("SELECT FROM WHERE", "query"),
        ("SELECT pg_sleep(30)::text AS id", "query"),
        ("SELECT 1 AS number", "key"),
        ("SELECT 1 AS id FROM generate_series(1, 2)", "key"),
        ("SELECT NULL AS id", "key"),
    ],
)
def test_a_query_that_does_not_only_read_is_refused_in_words(keeper: psycopg.Connection, query: str, setting: str) -> None:
    with pytest.raises((SettingWrong, RightMissing)) as raised:
        fetched(query=query, seconds=1)
    assert str(raised.value).endswith(".") and getattr(raised.value, "setting", setting) == setting
    left = keeper.execute("SELECT count(*) FROM tickets").fetchone()
    assert left and left[0] == 3


def test_a_read_only_transaction_cannot_be_opened_wide(keeper: psycopg.Connection) -> None:
    """Settings may be changed within a query; what is read only stays so."""
    wide = "SELECT set_config('transaction_read_only', 'off', false) AS id"
    with pytest.raises(SettingWrong):
        fetched(query=wide)


def test_what_is_missing_is_said(keeper: psycopg.Connection) -> None:
    for given, error in (
        ({"password": "wrong"}, TokenRefused),
        ({"database": "none"}, SettingWrong),
        ({"encryption": "require"}, SettingWrong),
        ({"query": "SELECT * FROM secrets"}, RightMissing),
        ({"host": "169.254.169.254"}, SourceNotAllowed),
        ({"port": 1}, SourceUnreachable),
        ({"template": "{none}"}, SettingWrong),
        ({"readers": "none"}, SettingWrong),
    ):
        with pytest.raises(error) as raised:
            list(sql.probe(config(**given), Reached()))
        assert str(raised.value).endswith(".") and postgres.PASSWORD not in str(raised.value)


def test_a_probe_says_what_would_come(keeper: psycopg.Connection) -> None:
    words = " ".join(finding.words for finding in sql.probe(config(name="title", readers="who"), Reached()))
    assert "3 rows" in words and "Paper {who} jam.txt" in words and "name no readers" in words


@pytest.mark.parametrize("query", ["DROP TABLE a", "COPY a TO PROGRAM 'x'", "EXPLAIN SELECT 1", "selected"])
def test_a_query_selects(query: str) -> None:
    assert "query" in checked(sql.CONNECTOR.settings, {"query": query}).wrong


def test_what_a_query_can_be_made_of_can_be_browsed(keeper: psycopg.Connection) -> None:
    """Before there is a query."""
    browsed = config() | {"query": ""}
    assert "public.tickets" in [one.path for one in sql.browse(browsed, "", Reached())], "beside those of other tests"
    columns = [one.name for one in sql.browse(browsed, "public.tickets", Reached())]
    assert columns[:2] == ["id (integer)", "title (text)"]
    assert not list(sql.browse(browsed, "public.tickets'; SELECT 1 --", Reached()))
