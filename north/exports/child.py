"""`python -m north.exports.child`: a Paper as JSON in, the file out. Only the library of the format that was asked for is loaded."""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module

from north.exports.paper import from_plain

MEGABYTES = 1500
SECONDS = 60
WRITERS = {"md": "markdown", "docx": "docx", "xlsx": "xlsx", "pdf": "pdf", "svg": "charts"}
"""The modules that hold each format's `written(paper)`."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES << 20, MEGABYTES << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    asked = json.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(import_module(f"north.exports.{WRITERS[asked['kind']]}").written(from_plain(asked["paper"])))


if __name__ == "__main__":
    main()
