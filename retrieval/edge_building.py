"""Makes an index over a collection's vectors (quantised, HNSW) while the collection is searched and written to.

    python -m retrieval.edge_building SHARD PARENT < collection.json

The engine holds its interpreter for seconds to hours meanwhile, so it works in this process, on a copy of the shard's files. While these
are copied, writes wait and searches do not. What is written from then on goes into the old shard as ever, and is noted; once the copy has
its index, it is opened and does what was noted, some at a time. When it has done all, `collection.json` names it, and the old one goes.
Until that moment the old shard is the collection: whatever ends this process or the service, the next start sweeps the copy away.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import signal
import sys
import time
import uuid
from pathlib import Path

import qdrant_edge as edge

from retrieval.edge_collection import Collection, Damaged, Shard, Successor
from retrieval.edge_config import indexed

PR_SET_PDEATHSIG = 1
NICE = 10
ROOM = 3
"""Times the collection's size on the disk: the copy, what is being made of it, and some for others."""
READ = 1 << 20
AT_ONCE = 1
"""Writes that the new shard does between two searches: some milliseconds each."""


class BuildFailed(Exception):
    """The index could not be made; the collection is as it was."""


async def build(collection: Collection) -> float:
    """Returns when the collection has its index; the seconds that it took. Raises BuildFailed, and OSError where the disk takes no more."""
    began = time.monotonic()
    folder = collection.folder / f"shard-{uuid.uuid4().hex}"
    built = {"points": collection.shard.engine.info().points_count, "vectors": collection.made["vectors"]}
    log = folder.with_suffix(".log")
    collection.building = True
    try:
        await copy(collection, folder, log)
        await optimize(folder, json.dumps(collection.made))
        await succeed(collection, folder, built)
        return time.monotonic() - began
    except Damaged as fault:
        raise BuildFailed(str(fault)) from fault
    finally:
        collection.building = False
        if collection.successor:
            collection.successor.abandon()
            collection.successor = None
        log.unlink(missing_ok=True)
        if collection.shard.folder != folder:
            shutil.rmtree(folder, ignore_errors=True)


async def copy(collection: Collection, folder: Path, log: Path) -> None:
    """The files as they are at one moment; writes from this moment on are noted."""
    async with collection.still:
        if collection.gone:
            raise BuildFailed("it was deleted meanwhile")
        collection.sync(now=True)
        await asyncio.to_thread(duplicate, collection.shard.folder, folder)
        collection.successor, collection.written = Successor(log, collection.schema), 0


def duplicate(source: Path, target: Path) -> None:
    """Where the disk would be full with the copy and the index, it is not begun: others write to that disk, too."""
    needed = ROOM * sum(path.stat().st_blocks * 512 for path in source.rglob("*"))
    free = shutil.disk_usage(source).free
    if free < needed:
        raise BuildFailed(f"the disk has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed meanwhile")
    shutil.copytree(source, target)


async def optimize(folder: Path, made: str) -> None:
    command = [sys.executable, "-m", "retrieval.edge_building", str(folder), str(os.getpid())]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stderr=pipe, env=os.environ | {"NORTH_EDGE_API_KEY": ""})
    try:
        _, said = await process.communicate(made.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise BuildFailed(said.decode(errors="replace").strip()[-2000:] or f"its process ended with {process.returncode}")


async def succeed(collection: Collection, folder: Path, built: dict[str, object]) -> None:
    """The new shard takes the old one's place, in one turn of the loop, once it has done all that was noted."""
    successor = collection.successor
    assert successor
    successor.shard = shard = Shard(folder)
    while successor.follow(AT_ONCE):
        await asyncio.sleep(0)
    if collection.gone or successor.fault:
        raise BuildFailed(successor.fault or "it was deleted meanwhile")
    shard.sync(now=True)
    collection.keep(shard=folder.name, built=built)
    old, collection.shard, collection.successor = collection.shard, shard, None
    successor.close()
    old.engine.close()
    await asyncio.to_thread(shutil.rmtree, old.folder)


def main(folder: str, parent: int) -> None:
    """Ends with its parent, however that ends (prctl(2), Linux); one that has ended already sends no signal."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the service that wanted the index has ended")
    os.nice(NICE)
    threads = max(1, (os.cpu_count() or 1) // 2)
    shard = edge.EdgeShard.load(folder, indexed(json.load(sys.stdin), threads))
    shard.optimize()
    shard.close()
    settle(Path(folder))


def settle(folder: Path) -> None:
    """What was copied is on the disk before the new shard takes the old one's place, and in the system's page cache, from which the engine
    drops what it closes: opening the shard reads its vectors, and searches wait for that."""
    for path in [*folder.rglob("*"), folder]:
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        while path.is_file() and os.read(file, READ):
            pass
        os.close(file)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
