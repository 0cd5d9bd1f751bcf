"""A collection of the embedded vector service: one shard of the engine in a folder, with `collection.json`, which says how it was made.

Knows no connection. The engine holds the interpreter while it works, so nothing here takes long: what does (an index over many vectors) is
made by another process on a copy, whose place in the folder `collection.json` then names; see `edge_building`.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from retrieval.edge_config import operation, plain
from retrieval.edge_dialect import Body, Schema

MADE = "collection.json"
QUIET_SECONDS, LONGEST_SECONDS, MOST_POINTS = 5.0, 120.0, 20_000
"""When the log is synced: after so long without an update, or so long or so many points after the first one that is not."""
GROWTH = 5
"""An index is made anew once what was written since is a fifth of what it holds: that is searched one by one meanwhile."""
DATA_TYPES = {edge.PayloadSchemaType.Keyword: "keyword", edge.PayloadSchemaType.Datetime: "datetime"}


class Damaged(Exception):
    """What lies in the folder is no collection, or no longer."""


def load(folder: Path) -> edge.EdgeShard:
    """Raises Damaged, and OSError where the system is at fault and not the files. `except Exception` is the engine's edge: it raises
    nothing more precise."""
    try:
        return edge.EdgeShard.load(str(folder))
    except Exception as error:
        number = int((re.search(r"os error (\d+)", str(error)) or [0, 0])[1])
        if number and number != errno.ENOENT:
            raise OSError(number, str(error)) from error
        raise Damaged(str(error)) from error


class Shard:
    """The engine's, and when it was synced last."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.engine = folder, load(folder)
        self.unsynced, self.first_update, self.last_update = 0, 0.0, 0.0

    def update(self, what: edge.UpdateOperation, points: int) -> None:
        self.engine.update(what)
        self.last_update = time.monotonic()
        self.first_update = self.first_update if self.unsynced else self.last_update
        self.unsynced += points

    def sync(self, *, now: bool = False) -> None:
        moment = time.monotonic()
        due = moment - self.last_update > QUIET_SECONDS or moment - self.first_update > LONGEST_SECONDS or self.unsynced > MOST_POINTS
        if self.unsynced and (now or due):
            self.engine.flush()
            self.unsynced = 0

    def close(self) -> None:
        self.sync(now=True)
        self.engine.close()


class Successor:
    """A shard that is to take another's place: made from a copy, it follows what was written since, as a file keeps it."""

    def __init__(self, log: Path, schema: Schema) -> None:
        self._writing, self._reading, self._schema = log.open("wb", buffering=0), log.open("rb"), schema
        self.shard: Shard | None = None
        self.fault = ""

    def note(self, kind: str, body: Body) -> None:
        self._writing.write(json.dumps([kind, body]).encode() + b"\n")

    def follow(self, most: int) -> bool:
        """Does so many of the writes that it has not done yet. False: it has done them all, or `fault` says why it never will.

        `except Exception` is the engine's edge: what it raises here must not fail the write that the old shard has done."""
        try:
            return not self.fault and all(self._follow_one(self.shard) for _ in range(most if self.shard else 0))
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
            return False

    def _follow_one(self, shard: Shard | None) -> bool:
        line = self._reading.readline()
        if line and shard:
            kind, body = json.loads(line)
            shard.update(operation(kind, body, self._schema), count_of(body))
            shard.sync()
        return bool(line)

    def close(self) -> None:
        self._writing.close()
        self._reading.close()

    def abandon(self) -> None:
        self.close()
        if self.shard:
            self.shard.engine.close()


class Collection:
    """Raises Damaged, and OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.made: Body = {"shard": "shard", "built": {}} | json.loads((folder / MADE).read_text())
            dimensions = {name: params["size"] for name, params in self.made["vectors"].items()}
            self.schema = Schema(dimensions, frozenset(self.made["sparse_vectors"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"{MADE}: {error!r}") from error
        for left in self._left_over():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        self.shard = Shard(folder / self.made["shard"])
        self.written, self.build_after, self.building, self.gone = 0, 0.0, False, False
        self.still = asyncio.Lock()
        self.successor: Successor | None = None

    @staticmethod
    def create(folder: Path, made: Body) -> None:
        (folder / "shard").mkdir(parents=True)
        edge.EdgeShard.create(str(folder / "shard"), plain(made)).close()
        (folder / MADE).write_text(json.dumps(made))

    def _left_over(self) -> Iterator[Path]:
        """What was being made when the service ended."""
        return (path for path in self.folder.iterdir() if path.name not in (MADE, self.made["shard"]))

    async def write(self, kind: str, body: Body) -> None:
        """One operation of the dialect; kept in the engine's log when this returns. Waits while the files are being copied. While a
        successor is behind, each write makes it do two, so that it comes up with whoever writes."""
        async with self.still:
            points = count_of(body)
            self.shard.update(operation(kind, body, self.schema), points)
            self.written += points if kind == "upsert" else 0
            if self.successor:
                self.successor.note(kind, body)
                self.successor.follow(2)

    def outgrown(self) -> bool:
        """Whether so many vectors are in no index, or in one that is made otherwise than it should be, that making one pays."""
        threshold = self.made.get("optimizers_config", {}).get("indexing_threshold") or 0
        vectors = self.made["vectors"]
        if not threshold or not any(params.get("hnsw_config") or params.get("quantization_config") for params in vectors.values()):
            return False
        built, held = self.made["built"], self.shard.engine.info().points_count
        kilobytes = sum(params["size"] for params in vectors.values()) * 4 / 1024
        known = built.get("points", 0) if built.get("vectors") == vectors else 0
        return max(held - known, self.written if known else 0) > max(threshold / kilobytes, known / GROWTH)

    def keep(self, **changes: Any) -> None:
        """Writes `collection.json` anew: whatever ends the service, the old one or the new one is there."""
        made = self.made | changes
        with (self.folder / f"{MADE}.new").open("w") as file:
            file.write(json.dumps(made))
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.folder / f"{MADE}.new", self.folder / MADE)
        entry = os.open(self.folder, os.O_RDONLY)
        os.fsync(entry)
        os.close(entry)
        self.made = made

    def sync(self, *, now: bool = False) -> None:
        self.shard.sync(now=now)

    def close(self) -> None:
        self.shard.close()
        self.gone = True

    def info(self) -> Body:
        """Qdrant's CollectionInfo. The collection's figures of optimiser and HNSW are its defaults; what counts is the vectors' own."""
        shard = self.shard.engine.info()
        return {
            "status": "yellow" if self.building else "green",
            "optimizer_status": "ok",
            "points_count": shard.points_count,
            "segments_count": shard.segments_count,
            "indexed_vectors_count": shard.indexed_vectors_count,
            "config": {
                "params": {"vectors": self.made["vectors"], "sparse_vectors": self.made["sparse_vectors"]},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
                "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": int(QUIET_SECONDS)}
                | self.made.get("optimizers_config", {}),
                "metadata": self.made["metadata"],
            },
            "payload_schema": {
                name: {"data_type": DATA_TYPES[index.data_type], "points": index.points} for name, index in shard.payload_schema.items()
            },
        }


def count_of(body: Body) -> int:
    return len(body.get("points") or [1])
