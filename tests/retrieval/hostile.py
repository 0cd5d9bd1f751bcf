"""A child program that does all that a parser in the hands of a hostile file might do; which of it, the file's name says."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time

from retrieval.parsers.confinement import confine
from retrieval.parsers.message import READY, pack
from retrieval.types import Parsed, Place

STAINED: list[str] = []


def say(said: bytes) -> None:
    sys.stdout.buffer.write(READY + said)
    sys.stdout.flush()


def act(name: str) -> None:
    match name:
        case "honest":
            say(b"{}\n" + pack(Parsed("words", "text/plain")))
        case "crash":
            say(b"")
            ctypes.string_at(0)
        case "abort":
            say(b"")
            os.abort()
        case "loop":
            say(b"")
            while True:
                pass
        case "sleep":
            say(b"")
            time.sleep(600)
        case "allocate":
            say(b"")
            bytearray(10 << 30)
        case "exit":
            say(b"")
            os._exit(3)
        case "unready":
            raise ImportError("no such library")
        case "killed":
            say(b"")
            os.kill(os.getpid(), signal.SIGKILL)
        case "endless":
            say(b"{}\n")
            while True:
                sys.stdout.buffer.write(b"x" * 1_000_000)
        case "patricide":
            os.kill(os.getppid(), signal.SIGKILL)
        case "stain":
            said, STAINED[:] = " ".join(STAINED) or "clean", ["stained"]
            say(b"{}\n" + pack(Parsed(said, "text/plain")))
        case pause if pause.startswith("pause"):
            time.sleep(1.5)
            say(b"{}\n" + pack(Parsed(pause, "text/plain")))
        case "noise":
            say(os.urandom(1000))
        case "liar":
            say(b"{}\n" + pack(Parsed("words", "text/plain", places=(Place(0, 99, "page", "1"),))))
        case "stranger":
            say(b'{"error": "SystemExit", "message": "x"}\n')
        case "talker":
            say(json.dumps({"error": "Unreadable", "message": "<b>\u202e" + "x" * 100_000}).encode() + b"\n")
        case "traceback":
            say(b"")
            raise ValueError("SECRET words of the document")


def main() -> None:
    request = json.loads(os.environ["READING"])
    confine(seconds=request["seconds"], megabytes=request["megabytes"], output=request["output"])
    act(request["name"])
