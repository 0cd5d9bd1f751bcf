"""The child that reads one file and ends: `retrieval/reading.py` starts it. The request is in the environment, the file on standard input,
the answer (message.py) on standard output. It trusts its code and not its file: after `confine` it has little that it could do harm with.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from retrieval.errors import ParseError, TooLarge, Unreadable
from retrieval.parsers import load, reader, sniff
from retrieval.parsers.confinement import confine
from retrieval.parsers.message import READY, pack
from retrieval.parsers.sniffing import PICTURES
from retrieval.types import Way

DRAWERS = dict.fromkeys(PICTURES, "retrieval.parsers.pictures.draw_page")


def main() -> None:
    request = json.loads(os.environ.pop("READING"))
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints does not get into the answer.
    cut_off = confine(seconds=request["seconds"], megabytes=request["megabytes"], output=request["output"])
    try:
        data = sys.stdin.buffer.read()
        work = _work(request, data, cut_off)
        answer.write(READY)
        answer.flush()
        payload = work()
    except MemoryError:
        error: ParseError = TooLarge("Reading the file takes very much memory", f"{request['megabytes']} MB")
        said = _error(error)
    except RecursionError:
        said = _error(Unreadable("it is nested too deeply"))
    except ParseError as error:
        said = _error(error)
    else:
        said = b"{}\n" + payload
    if not answer.tell():
        answer.write(READY)
    answer.write(said)
    answer.flush()
    os._exit(0)


def _work(request: dict[str, Any], data: bytes, cut_off: bool) -> Callable[[], bytes]:
    """What to do, with the library for it loaded."""
    if request["do"] == "check":
        return lambda: b"cut off" if cut_off else b"not cut off"
    if request["do"] == "draw":
        draw = load(DRAWERS.get(sniff("", data), "retrieval.parsers.pdf_drawing.draw_page"))
        return lambda: bytes(draw(data, request["page"], width=request["width"]))
    if request["do"] == "query":
        query = load("retrieval.parsers.tables.query")
        return lambda: bytes(query(request["name"], data, request["sql"]))
    if request["do"] == "unpack":
        unpacked = load("retrieval.parsers.git_pack.unpack")
        return lambda: bytes(unpacked(data, request))
    parse, given = reader(sniff(request["name"], data)), request["way"]
    way = Way(**{**given, "languages": tuple(given["languages"]), "without": frozenset(given["without"])})
    return lambda: pack(parse(data, way))


def _error(error: ParseError) -> bytes:
    return json.dumps({"error": type(error).__name__, "message": str(error)}).encode() + b"\n"
