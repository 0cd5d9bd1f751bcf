"""Where reading children come from (`python -m retrieval.parsers.nursery MODULE`, started by `retrieval/reading.py`): Python and what every
reader needs are loaded once, then each file gets a child of its own by a fork, which costs a tenth of a program's start. The nursery looks
at no file, so that every child begins as clean as the first; it ends a child that takes too long, and dies with its parent.

It takes messages on its standard input, a socket: a request (JSON; `seconds` limits the child) with three descriptors, the child's standard
input, output and error. It answers each with JSON: `code`, how the child ended, and `late`, whether that was for its time. One at a time.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from importlib import import_module
from types import ModuleType

from retrieval.parsers import text as most_common  # noqa: F401  (loaded for the children)
from retrieval.parsers.confinement import PR_SET_PDEATHSIG

LONGEST = 65536
"""Bytes of a request."""


def main() -> None:
    libc, nursery = ctypes.CDLL(None), os.getpid()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    module = import_module(sys.argv[1])
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as door:
        while True:
            request, descriptors, _, _ = socket.recv_fds(door, LONGEST, 3)
            if not request:
                return
            child = os.fork()
            if not child:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != nursery:  # it was killed before this child could ask to end with it
                    os._exit(1)
                _be(module, request.decode(), descriptors, door)
            for descriptor in descriptors:
                os.close(descriptor)
            door.send(json.dumps(_watch(child, json.loads(request)["seconds"])).encode())


def _be(module: ModuleType, request: str, descriptors: list[int], door: socket.socket) -> None:
    """In the child: runs the module's `main` and ends, whatever that does. `except BaseException` is right here: a panic in a library
    written in Rust is one and no Exception, and nothing may go back into the nursery's own loop."""
    try:
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        door.close()
        os.environ["READING"] = request
        module.main()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(1)


def _watch(child: int, seconds: float) -> dict[str, object]:
    """Waits for the end of the child, and makes one after `seconds`."""
    ending = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(ending, select.POLLIN)
        late = not poll.poll(round(seconds * 1000))
    finally:
        os.close(ending)
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "late": late}


if __name__ == "__main__":
    main()
