"""Rows of a PostgreSQL database as documents: a query gives the rows, a template makes a text of each. One column is the key, others may
say the name, the time of change, and who may read it.

The query runs once a pass, in a transaction that may only read, within a time; rows come in batches from a cursor of the server. Rows are
short, so each is made into its text at once; its revision is that text's hash. What the query gives no more is gone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting
from retrieval.errors import RightMissing, SettingWrong, SourceError, SourceUnreachable, TokenRefused
from retrieval.types import PUBLIC, Account, Cursor, Fetched, Item, Listing, Rights, Skipped

BATCH: Final = 500
MAX_CHARACTERS: Final = 5_000_000
FIELD: Final = re.compile(r"\{([^{}]+)\}")
EVERYBODY: Final = "*"
Row = Mapping[str, Any]
MOST_NAMES: Final = 1000
TABLES: Final = """SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"""
COLUMNS: Final = """SELECT column_name, data_type FROM information_schema.columns
    WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"""


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Every row by its key. With a column of readers, each row has its own; one where that column is empty is seen by nobody."""
    people: set[str] = set()
    keys: set[str] = set()
    yield Listing()
    for row in rows(config, outside, config["most"] + 1):
        if len(keys) >= config["most"]:
            reason = f"The query gives more than {config['most']:,} rows. Raise the limit, or narrow the query."
            yield Skipped("\0more", "More rows", reason)
            yield Cursor({}, complete=False)
            return
        event = document(row, config)
        if event.external_id in keys:
            raise SettingWrong(
                "key", f"Two rows have the key {event.external_id[:80]!r}. Choose a column that is another one in every row."
            )
        keys.add(event.external_id)
        people |= event.rights.users if isinstance(event, Item) and event.rights else set()
        yield event
    if config["readers"]:
        yield Listing("people")
        for address in sorted(people):
            yield Account(address, email=address)
    yield Cursor({}, complete=True)


def document(row: Row, config: Config) -> Item | Skipped:
    key = written(row[config["key"]])
    name = " ".join(written(row[config["name"]] if config["name"] else row[config["key"]]).split())[:300] or key
    name = name if name.endswith((".txt", ".md", ".html")) else f"{name}.txt"
    if not key:
        raise SettingWrong("key", "A row has an empty key. Choose a column that is never empty, or leave such rows out of the query.")
    text = filled(config["template"], row)
    if len(text) > MAX_CHARACTERS:
        return Skipped(key, name, f"Its text has more than {MAX_CHARACTERS:,} characters. Let the query give less of it.")
    data = text.encode(errors="replace")
    revision = hashlib.sha256(data).hexdigest()
    return Item(key, name, data, changed(row, config), rights(row, config), revision=revision, size=len(data), link=link(row, config))


def filled(template: str, row: Row) -> str:
    """Each {column} gives way to its value; without a template, every column has a line. Values are never read as templates."""
    if not template:
        return "\n".join(f"{name}: {written(value)}" for name, value in row.items() if value is not None)
    return FIELD.sub(lambda found: written(row.get(found[1].strip())), template)


def written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple, set)):
        return ", ".join(written(one) for one in value)
    if isinstance(value, (bytes, memoryview)):
        return ""
    text = value.isoformat() if isinstance(value, (datetime, date)) else str(value)
    return text.replace("\0", "")


def changed(row: Row, config: Config) -> datetime | None:
    value = row[config["changed"]] if config["changed"] else None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else None


def rights(row: Row, config: Config) -> Rights | None:
    """Addresses in a list, or in a text with commas; a star is everybody."""
    if not config["readers"]:
        return None
    value = row[config["readers"]]
    named = [written(one) for one in value] if isinstance(value, (list, tuple)) else re.split(r"[,;\s]+", written(value))
    found = {one.strip().lower() for one in named if one.strip()}
    return PUBLIC if EVERYBODY in found else Rights(frozenset(found))


def link(row: Row, config: Config) -> str:
    url = filled(config["link"], row) if config["link"] else ""
    return url if url.startswith(("https://", "http://")) else ""


def rows(config: Config, outside: Outside, most: int) -> Iterator[Row]:
    """Of the query, at most so many. Raises SettingWrong for a query that fails, and for columns that it does not give."""
    with connected(config, outside) as connection, in_words(config), connection.cursor(row_factory=dict_row, binary=False) as asked:
        # The extended protocol takes one statement: what follows a semicolon is refused, and cannot end the transaction.
        asked.execute(f"DECLARE rows NO SCROLL CURSOR FOR {config['query'].strip().rstrip(';')}".encode(), (), prepare=True)
        left = most
        while left > 0:
            asked.execute(f"FETCH {min(BATCH, left)} FROM rows")
            missing_column([column.name for column in asked.description or ()], config)
            found = asked.fetchall()
            yield from found
            left -= len(found)
            if len(found) < BATCH:
                return


def missing_column(columns: Sequence[str], config: Config) -> None:
    for setting in ("key", "name", "changed", "readers"):
        if config[setting] and config[setting] not in columns:
            raise SettingWrong(setting, f"The query gives no column {config[setting]!r}; it gives {', '.join(columns)[:300]}.")
    for name in FIELD.findall(config["template"]):
        if name.strip() not in columns:
            raise SettingWrong("template", f"The query gives no column {name.strip()!r} for the text; it gives {', '.join(columns)[:300]}.")


@contextmanager
def connected(config: Config, outside: Outside) -> Iterator[psycopg.Connection[Any]]:
    """To an address that was checked: the library is given that, and the name only to compare with the certificate."""
    addresses = outside.addresses(config["host"], config["port"])
    limit = config["seconds"] * 1000
    options = f"-c default_transaction_read_only=on -c statement_timeout={limit} -c lock_timeout=5000"
    try:
        connection = psycopg.connect(
            host=config["host"],
            hostaddr=addresses[0],
            port=config["port"],
            dbname=config["database"],
            user=config["user"],
            password=config["password"],
            sslmode=config["encryption"],
            connect_timeout=10,
            options=options,
            application_name="North",
            passfile="/dev/null",
            target_session_attrs="any",
        )
    except psycopg.OperationalError as error:
        raise _refused(error, config) from error
    with connection:
        connection.read_only = True
        yield connection


def _refused(error: psycopg.OperationalError, config: Config) -> SourceError:
    words = str(error)
    if "authentication failed" in words or "no password supplied" in words:
        return TokenRefused(config["host"])
    if "does not exist" in words and "database" in words:
        return SettingWrong("database", "There is no such database on that server.")
    if "SSL" in words or "certificate" in words:
        return SettingWrong("encryption", "The server's encryption is not as set: it offers none, or its certificate is not trusted.")
    return SourceUnreachable(config["host"], "it refuses, breaks off, or does not answer")


@contextmanager
def in_words(config: Config) -> Iterator[None]:
    """What goes wrong with the query. What the database says of it is for whoever wrote the query, and holds no rows."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise SettingWrong("query", f"The query took longer than {config['seconds']} seconds. Narrow it, or allow more.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise RightMissing(config["host"], "SELECT on the tables of the query") from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise SettingWrong("query", "The query would change something. Only reading is allowed.") from error
    except psycopg.OperationalError as error:
        raise SourceUnreachable(config["host"], "it broke off") from error
    except psycopg.Error as error:
        said = (error.diag.message_primary or type(error).__name__)[:200]
        raise SettingWrong("query", f"The database does not take the query: {said}. Write one SELECT.") from error


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    found = list(rows(config, outside, 20))
    yield Finding(True, f"The query runs; the first {len(found)} rows came." if found else "The query runs, and gives no row now.")
    if found:
        event = document(found[0], config)
        yield Finding(True, f'The first document would be "{event.name}".')
    if not config["readers"]:
        yield Finding(None, "No column says who may read a row: say yourself who may see them here.")
    elif any(not (rights(row, config) or PUBLIC).users and rights(row, config) != PUBLIC for row in found):
        yield Finding(None, "Some rows name no readers: nobody sees those.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """The tables that the account may read, and their columns: what the query can be made of."""
    schema, _dot, table = path.partition(".")
    with connected(config, outside) as connection, in_words(config), connection.cursor() as asked:
        asked.execute(COLUMNS if path else TABLES, (schema, table) if path else None)
        for row in asked.fetchmany(MOST_NAMES):
            yield Branch(f"{path}.{row[0]}", f"{row[0]} ({row[1]})", inner=False) if path else Branch(".".join(row), ".".join(row))


def no_query(value: str) -> str:
    begins = re.match(r"(?i)\s*(select|with|values|table)\b", value)
    return "" if begins else "Write one query that begins with SELECT or WITH."


CONNECTOR: Final = Connector(
    title="SQL database",
    help="Rows of a PostgreSQL database: a query gives them, a template makes a text of each.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    rights=True,
    group="data",
    settings=(
        Setting("host", "Server", "As db.example.com."),
        Setting("port", "Port", kind="number", required=False, default=5432, least=1, most=65535),
        Setting("database", "Database", "Its name."),
        Setting("user", "User name", "An account that may SELECT what the query needs, and nothing else."),
        Setting("password", "Password", kind="secret", required=False),
        Setting(
            "encryption",
            "Encryption",
            kind="choice",
            required=False,
            default="verify-full",
            choices=(("verify-full", "TLS, with a certificate for this name"), ("require", "TLS, any certificate"), ("disable", "None")),
        ),
        Setting(
            "query",
            "Query",
            "One SELECT. It runs with every sync; what it gives no more is deleted here.",
            kind="long",
            check=no_query,
            scope=True,
        ),
        Setting("key", "Column with the key", "Another one in every row, and the same for ever, such as id.", scope=True),
        Setting("name", "Column with the name", "Left empty, the key is the name.", required=False),
        Setting(
            "template", "Text", "With {column} where its value goes. Left empty, every column has a line.", kind="long", required=False
        ),
        Setting("changed", "Column with the time of change", required=False),
        Setting(
            "readers",
            "Column with the readers",
            "E-mail addresses with commas, or an array of them; a star is everybody, empty is nobody. Left out, rows have no rights.",
            required=False,
        ),
        Setting("link", "Address of a row", "As https://crm.example.com/tickets/{id}.", required=False),
        Setting("seconds", "Seconds that the query may take", kind="number", required=False, default=60, least=1, most=600),
        Setting("most", "Rows, at most", kind="number", required=False, default=100_000, least=1, most=1_000_000),
    ),
)
