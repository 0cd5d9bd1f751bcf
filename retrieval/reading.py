"""Reads a file's bytes in a child process that is limited in time, memory and reach, so that a hostile or broken file hurts nobody.

One child a file (`retrieval.parsers`, forked by its nursery): nothing of one document can reach the next. It works inside a Celery prefork
worker, whose processes may not have multiprocessing children. Nothing that a child says is believed before it is checked. Knows no format.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

import retrieval
from retrieval.errors import EmptyFile, Encrypted, NoText, ParseError, ReaderUnavailable, TooLarge, TooSlow, UnknownType, Unreadable
from retrieval.parsers.cleaning import clean
from retrieval.parsers.message import READY, Malformed, unpack
from retrieval.parsers.names import clean_name
from retrieval.parsers.sniffing import may_be_scanned
from retrieval.types import AS_USUAL, Parsed, Way

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 200_000_000
MAX_OUTPUT: Final = 128_000_000
UNPACK_SECONDS, UNPACK_MEGABYTES, MAX_UNPACKED, LONGEST_LINE = 300, 1500, 1_000_000_000, 100_000
"""Of the child that unpacks a Git repository: its time, its memory, and what one file that it writes may hold."""
FRAMES: Final = "frames"
LEAVES: Final = {leaf.__name__: leaf for leaf in (EmptyFile, Encrypted, NoText, TooLarge, TooSlow, UnknownType, Unreadable)}
ROOT: Final = Path(retrieval.__path__[0]).parent
CHILD: Final = "retrieval.parsers.child"
NURSERY: Final = "retrieval.parsers.nursery"
IDLE: Final = 2
HEAD: Final = 2048
STARTS_WITHIN: Final = 30
"""Seconds that a nursery may need on a busy machine, beyond its child's own time."""
PNG: Final = b"\x89PNG\r\n\x1a\n"
# Libraries with thread pools of their own get one thread, and malloc one arena: both would take address space for every core.
ENVIRONMENT: Final = {
    "PYTHONPATH": str(ROOT),
    "PYTHONUTF8": "1",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKIO_WORKER_THREADS": "1",
}

Content = bytes | Path


def read(
    name: str,
    content: Content,
    way: Way = AS_USUAL,
    *,
    seconds: float = 120,
    megabytes: int = 1500,
    max_bytes: int = MAX_BYTES,
    child: str = CHILD,
) -> Parsed:
    """The text of a file and where it stands. `content` is its bytes, or where they lie; `name` tells the kind where the bytes do not.

    `seconds` limits wall time and processor time alike, for what may be a scan on top of the way's; `megabytes` the child's address
    space; `child` is the module whose `main` runs, which speaks as message.py says. Raises a leaf of ParseError, or
    ReaderUnavailable where no child can work here.
    """
    if way.recognise != "never" and may_be_scanned(_head(content)):
        seconds += way.seconds
    request = {"do": "parse", "name": clean_name(name), "way": {**asdict(way), "without": sorted(way.without)}}
    payload = _answer(child, request, content, seconds=seconds, megabytes=megabytes, max_bytes=max_bytes)
    try:
        return unpack(payload)
    except Malformed as error:
        raise Unreadable("its reader gave an answer that makes no sense") from error


def draw(content: Content, page: int, *, width: int = 1200, seconds: float = 30, megabytes: int = 1500) -> bytes:
    """One page (1 is the first) of a PDF or picture as PNG, `width` pixels wide. Raises as `read`."""
    payload = _answer(CHILD, {"do": "draw", "page": page, "width": width}, content, seconds=seconds, megabytes=megabytes)
    if not payload.startswith(PNG):
        raise Unreadable("its reader gave no picture")
    return payload


def query(name: str, content: Content, sql: str = "", *, seconds: float = 20, megabytes: int = 1000) -> dict[str, Any]:
    """What a SELECT over the sheets of a file finds, or without one which tables they are: as `parsers/tables.py: query` says. Raises as
    `read`."""
    payload = _answer(CHILD, {"do": "query", "name": clean_name(name), "sql": sql}, content, seconds=seconds, megabytes=megabytes)
    try:
        found: dict[str, Any] = json.loads(payload)
    except ValueError as error:
        raise Unreadable("its reader gave an answer that makes no sense") from error
    return found


def unpacked(pack: Path, folder: Path, given: Mapping[str, object]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The files of a Git commit in the pack that a server sent, as `parsers/git_pack.py` says: what is known of each, and its contents.
    `folder` takes what is unpacked, and is the caller's to remove. Raises as `read`."""
    request = {"do": "unpack", "folder": str(folder), **given}
    _answer(CHILD, request, pack, seconds=UNPACK_SECONDS, megabytes=UNPACK_MEGABYTES, output=MAX_UNPACKED)
    with (folder / FRAMES).open("rb") as frames:
        while line := frames.readline(LONGEST_LINE):
            known = json.loads(line)
            yield known, b"" if known["left"] else frames.read(known["bytes"])


def cut_off() -> bool:
    """Whether the child gets a network namespace of its own on this system; if not, only Python's sockets are closed to it."""
    return _answer(CHILD, {"do": "check"}, b"-", seconds=30, megabytes=500) == b"cut off"


def _answer(
    module: str,
    request: Mapping[str, object],
    content: Content,
    *,
    seconds: float,
    megabytes: int,
    max_bytes: int = MAX_BYTES,
    output: int = MAX_OUTPUT,
) -> bytes:
    """What a child answers. Its answer and its complaints go to files that cannot outgrow `output`."""
    _check_size(content.stat().st_size if isinstance(content, Path) else len(content), max_bytes)
    limits = {"seconds": max(1, round(seconds)), "megabytes": megabytes, "output": output}
    with ExitStack() as stack:
        source = stack.enter_context(content.open("rb") if isinstance(content, Path) else _file_of(content))
        answer, complaints = (stack.enter_context(TemporaryFile()) for _ in range(2))
        code, late = NURSERIES.run(module, {**request, **limits}, [file.fileno() for file in (source, answer, complaints)])
        said, complaint = _content(answer, MAX_OUTPUT), _content(complaints, 20_000)
    if late:
        raise TooSlow(seconds)
    return _payload(said, code, complaint, seconds, megabytes)


class Nursery:
    """The program that forks the children of one module, started here; `run` one at a time. It dies with this process."""

    def __init__(self, module: str) -> None:
        self._door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # our own modules, and no word of a file's
                [sys.executable, "-P", "-s", "-m", NURSERY, module],
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, cwd="/", env=ENVIRONMENT, start_new_session=True,
            )  # fmt: skip

    def run(self, request: Mapping[str, object], descriptors: Sequence[int]) -> tuple[int, bool]:
        """How the child for this request ended: its exit code, a signal's as its negative, and whether it was for its time."""
        self._door.settimeout(float(str(request["seconds"])) + STARTS_WITHIN)
        try:
            socket.send_fds(self._door, [json.dumps(request).encode()], descriptors)
            said = json.loads(self._door.recv(1000))
        except (OSError, ValueError) as error:
            raise ReaderUnavailable("the program that starts its readers ended") from error
        return said["code"], said["late"]

    def close(self) -> None:
        self._door.close()
        self._process.kill()
        self._process.wait()


class Nurseries:
    """The nurseries of this process: as many as were ever needed at once, of which IDLE are kept. Any thread may ask."""

    def __init__(self) -> None:
        self._owner, self._free = os.getpid(), defaultdict[str, list[Nursery]](list)
        self._changing = threading.Lock()

    def run(self, module: str, request: Mapping[str, object], descriptors: Sequence[int]) -> tuple[int, bool]:
        """As `Nursery.run`; one that died meanwhile is replaced, once."""
        with self._changing:
            if self._owner != os.getpid():  # forked from a process that had some: they are not ours
                self._owner, self._free = os.getpid(), defaultdict(list)
            nursery = self._free[module].pop() if self._free[module] else None
        if nursery:
            try:
                return self._used(nursery, module, request, descriptors)
            except ReaderUnavailable:
                pass
        return self._used(Nursery(module), module, request, descriptors)

    def _used(self, nursery: Nursery, module: str, request: Mapping[str, object], descriptors: Sequence[int]) -> tuple[int, bool]:
        well = False
        try:
            ended = nursery.run(request, descriptors)
            well = True
        finally:
            with self._changing:
                kept = well and len(self._free[module]) < IDLE
                if kept:
                    self._free[module].append(nursery)
            if not kept:
                nursery.close()
        return ended


NURSERIES = Nurseries()


def _check_size(size: int, max_bytes: int) -> None:
    if size == 0:
        raise EmptyFile
    if size > max_bytes:
        raise TooLarge(f"The file has {size / 1_000_000:,.1f} MB", f"{max_bytes / 1_000_000:,.0f} MB")


def _file_of(data: bytes) -> IO[bytes]:
    file = TemporaryFile()  # noqa: SIM115  # closed with the stack of _answer
    file.write(data)
    file.seek(0)
    return file


def _head(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content[:HEAD]
    with content.open("rb") as file:
        return file.read(HEAD)


def _content(file: IO[bytes], most: int) -> bytes:
    file.seek(0)
    return file.read(most)


def _payload(said: bytes, code: int, complaint: bytes, seconds: float, megabytes: int) -> bytes:
    """What follows the child's status line. Raises what the status line, or the way the child ended, says."""
    if not said.startswith(READY):
        logger.error("A reading child ended with %s before it was ready: %s", code, _where(complaint))
        raise ReaderUnavailable(f"its reader ended with {code} before it began")
    status, found, payload = said.removeprefix(READY).partition(b"\n")
    if code == 0 and found:
        if error := _said_error(status):
            raise error
        return payload
    logger.warning("A reading child ended with %s: %s", code, _where(complaint))
    if code == -signal.SIGXCPU:
        raise TooSlow(seconds)
    if code == -signal.SIGKILL:
        raise ReaderUnavailable("its reader was killed, perhaps as the server is short of memory")
    if code == -signal.SIGXFSZ or b"File too large" in complaint:
        raise TooLarge("What was read of the file is very long", f"{MAX_OUTPUT // 1_000_000} MB")
    if b"memory allocation of" in complaint or b"bad_alloc" in complaint or b"MemoryError" in complaint:
        raise TooLarge("Reading the file takes very much memory", f"{megabytes} MB")
    raise Unreadable(f"its reader stopped with {signal.Signals(-code).name if code < 0 else code}")


def _said_error(status: bytes) -> ParseError | None:
    try:
        said = json.loads(status)
        if said == {}:
            return None
        return LEAVES[said["error"]].from_message(clean(str(said["message"]))[:1000])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Unreadable("its reader gave an answer that makes no sense")


def _where(complaint: bytes) -> str:
    """The last place and the kind of error of a child's traceback: never its words, which may be the document's."""
    lines = complaint.decode(errors="replace").splitlines()
    places = [line.strip() for line in lines if re.match(r'\s+File "', line)]
    kind = re.match(r"[\w.]+", lines[-1]) if lines else None
    return f"{kind[0] if kind else 'no word'} {places[-1] if places else ''}".strip()
