"""Asks a sheet a question in SQL: each sheet of a workbook, or a CSV file, is a table in an empty DuckDB of this process. Only for the
confined child: the limits on time and memory are the child's, and DuckDB itself opens no file, loads no extension and changes no setting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any, Final

import duckdb
from python_calamine import CalamineError, PasswordError, SheetVisibleEnum, load_workbook

from retrieval.errors import Encrypted, UnknownType, Unreadable
from retrieval.parsers import sheets
from retrieval.parsers.archives import check_archive
from retrieval.parsers.sniffing import sniff
from retrieval.parsers.text import decode

MOST_TABLES: Final = 12
MOST_COLUMNS: Final = 60
MOST_ROWS: Final = 200
"""Of an answer."""
CELL_CHARACTERS: Final = 500
SAMPLES: Final = 3
SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "256MB",
    "max_temp_directory_size": "0KB",
    "threads": "1",
}
NUMBER: Final = re.compile(r"[-+]?\d{1,15}(?:\.\d+)?|[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet as a relation: the names of its columns, each once, and its rows, all of that width."""

    name: str
    columns: tuple[str, ...]
    rows: list[list[str]]


def query(name: str, data: bytes, sql: str) -> bytes:
    """JSON: `{"columns", "rows", "more"}` as the SELECT says, at most MOST_ROWS; or `{"error"}` in DuckDB's words. Without `sql`
    `{"tables": [{"name", "columns": [{"name", "type", "samples"}], "rows"}]}`. Raises ParseErrors for what is no table."""
    tables = list(islice(_tables(name, data), MOST_TABLES))
    if not tables:
        raise Unreadable("no sheet of it has columns with names")
    connection = duckdb.connect(":memory:", config=SETTINGS)
    kinds = {table.name: _load(connection, table) for table in tables}
    if not sql:
        return json.dumps({"tables": [_described(table, kinds[table.name]) for table in tables]}).encode()
    connection.execute("SET lock_configuration=true")
    try:
        return json.dumps(_answer(connection, sql)).encode()
    except duckdb.Error as error:
        return json.dumps({"error": str(error).strip()[:500]}).encode()


def _answer(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    if [statement.type for statement in connection.extract_statements(sql)] != [duckdb.StatementType.SELECT]:
        return {"error": "Only one SELECT is run."}
    found = connection.execute(sql)
    columns = [str(column[0])[:CELL_CHARACTERS] for column in (found.description or [])][:MOST_COLUMNS]
    rows = found.fetchmany(MOST_ROWS + 1)
    return {
        "columns": columns,
        "rows": [[_shown(cell) for cell in row[:MOST_COLUMNS]] for row in rows[:MOST_ROWS]],
        "more": len(rows) > MOST_ROWS,
    }


def _shown(cell: object) -> str | int | float | None:
    if isinstance(cell, bool) or cell is None:
        return None if cell is None else str(cell).lower()
    if isinstance(cell, float):
        return float(f"{cell:.12g}") if abs(cell) < 1e300 else str(cell)  # JSON knows no infinity
    return cell if isinstance(cell, int) else str(cell)[:CELL_CHARACTERS]


def _load(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[str, ...]:
    """Makes the table; the type of each column is the narrowest that all its cells have."""
    cells = list(zip(*table.rows, strict=True))
    kinds = tuple(_kind(column) for column in cells) if cells else ("VARCHAR",) * len(table.columns)
    defined = ", ".join(f"{_quoted(column)} {kind}" for column, kind in zip(table.columns, kinds, strict=True))
    connection.execute(f"CREATE TABLE {_quoted(table.name)} ({defined})")
    if cells:  # a list for each column: row by row, a long sheet would take longer than the child may
        given = ", ".join(f"CAST(unnest(?::VARCHAR[]) AS {kind})" for kind in kinds)
        values = [[_value(cell, kind) for cell in column] for column, kind in zip(cells, kinds, strict=True)]
        connection.execute(f"INSERT INTO {_quoted(table.name)} SELECT {given}", values)
    return kinds


def _kind(cells: Sequence[str]) -> str:
    filled = [cell for cell in cells if cell]
    if filled and all(map(NUMBER.fullmatch, filled)):
        return "DOUBLE" if any("." in cell for cell in filled) else "BIGINT"
    return "DATE" if filled and all(map(DATE.fullmatch, filled)) else "VARCHAR"


def _value(cell: str, kind: str) -> str | None:
    return (cell.replace(",", "") if kind in {"DOUBLE", "BIGINT"} else cell) or None


def _described(table: Table, kinds: Sequence[str]) -> dict[str, Any]:
    columns = []
    for place, (column, kind) in enumerate(zip(table.columns, kinds, strict=True)):
        samples = list(dict.fromkeys(row[place][:60] for row in table.rows[:200] if row[place]))[:SAMPLES]
        columns.append({"name": column, "type": kind, "samples": samples})
    return {"name": table.name, "columns": columns, "rows": len(table.rows)}


def _tables(name: str, data: bytes) -> Iterator[Table]:
    used: set[str] = set()
    for sheet, rows in _grids(name, data):
        if table := _table(sheet, rows, used):
            yield table


def _grids(name: str, data: bytes) -> Iterator[tuple[str, Iterable[list[str]]]]:
    kind = sniff(name, data)
    if kind == "text/csv":
        text = decode(data).replace("\0", "")
        yield name.rpartition(".")[0] or name, sheets.rows_of_csv(text)
    elif kind in {"application/vnd.ms-excel", sheets.OPENXML, "application/vnd.oasis.opendocument.spreadsheet"}:
        if kind != "application/vnd.ms-excel":
            check_archive(data)
        yield from _workbook(data)
    else:
        raise UnknownType(name, "csv, xlsx, xls, ods")


def _workbook(data: bytes) -> Iterator[tuple[str, Iterable[list[str]]]]:
    try:
        workbook = load_workbook(BytesIO(data))
        for about in workbook.sheets_metadata:
            if about.visible == SheetVisibleEnum.Visible:
                yield about.name, [cells for _, cells in sheets.rows_of(workbook, about.name)]
    except PasswordError as error:
        raise Encrypted from error
    except CalamineError as error:
        raise Unreadable("it is not a workbook that can be read") from error


def _table(name: str, rows: Iterable[list[str]], used: set[str]) -> Table | None:
    filled = [row for row in islice(rows, sheets.MAX_ROWS) if any(row)]
    header = sheets.header_of(list(enumerate(filled[: sheets.HEADER_WITHIN], start=1)))
    if header is None:
        return None
    columns = _columns(filled[header])[:MOST_COLUMNS]
    body = [(row + [""] * len(columns))[: len(columns)] for row in filled[header + 1 :]]
    return Table(_unused(_plain(name) or "sheet", used), tuple(columns), body)


def _columns(header: Sequence[str]) -> list[str]:
    used: set[str] = set()
    return [_unused(_plain(cell) or f"column_{place}", used) for place, cell in enumerate(header, start=1)]


def _plain(name: str) -> str:
    """A name that SQL takes without quotes in most cases: words joined by underscores."""
    return re.sub(r"\W+", "_", name).strip("_").lower()[:60]


def _unused(name: str, used: set[str]) -> str:
    found, number = name, 2
    while found in used:
        found, number = f"{name}_{number}", number + 1
    used.add(found)
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
