"""Reads files one after the other, as the worker does, and says what became of each."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from retrieval import reading
from retrieval.errors import RetrievalError
from retrieval.types import Way
from tests.bench.rivals import markdown


def main(folder: str, names: list[str], seconds_each: float, recognition: float) -> dict[str, Any]:
    found = [read(Path(folder, name), seconds_each, recognition) for name in names]
    for waiting in reading.NURSERIES._free.values():
        for nursery in waiting:
            nursery.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"files": found, "megabytes": peak}


def read(path: Path, seconds: float, recognition: float) -> dict[str, Any]:
    began = time.monotonic()
    try:
        parsed = reading.read(path.name, path, Way(seconds=recognition), seconds=seconds, megabytes=settings.PARSE_MEGABYTES)
    except RetrievalError as error:
        return {"outcome": type(error).__name__, "said": str(error), "seconds": time.monotonic() - began}
    return {
        "outcome": "parsed", "seconds": time.monotonic() - began, "pages": parsed.pages, "notes": parsed.notes,
        "words": markdown.words(parsed.text), "cells": markdown.cells_of(parsed),
    }  # fmt: skip
