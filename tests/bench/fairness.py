"""From an upload to the search that finds it, while another workspace has thousands of documents waiting."""

from __future__ import annotations

import os
import time

import httpx

from tests.bench.figures import Figure, spread, told
from tests.bench.installations import Installations
from tests.bench.upload import once
from tests.installation import Installation

WAITING = int(os.environ.get("NORTH_WAITING", "5000"))
COUNT, PAUSE, GOAL = 7, 1.0, 5000
FILL = """
import hashlib
from north.documents import files
from north.documents.models import Document, Source
from north.workspaces.models import Workspace
bulk = Workspace.objects.create(slug="bulk", name="Bulk")
source = Source.objects.create(workspace=bulk, connector="folder", name="Bulk", config={"path": "/nowhere"}, schedule=0)
rows = [Document(workspace=bulk, source=source, external_id=str(number), name=f"{number}.txt") for number in range(%d)]
for row in rows:
    data = (f"Number {row.external_id} of many. " * 60).encode()
    row.sha256, row.bytes = hashlib.sha256(data).hexdigest(), len(data)
    path = files.path_of(f"{row.folder}/{row.sha256}")
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
Document.objects.bulk_create(rows, batch_size=500)
"""
LEFT = """
from north.documents.models import WORKING, Document
print(Document.objects.alive().filter(workspace__slug="bulk", status__in=WORKING).count())
"""


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("real")
    api = installation.api()
    idle = spread(timed(api, 0))
    installation.run_python(FILL % WAITING)
    before = left(installation)
    bulk, after = spread(timed(api, COUNT)), left(installation)
    if not after:
        raise RuntimeError("Nothing waited any more before the last upload was found: let more wait, by NORTH_WAITING.")
    notes = [f"idle: {told(idle)}; of the {WAITING:,} others {before:,} waited before the first and {after:,} after the last upload"]
    numbers = {"idle": idle, "bulk": bulk, "waiting": [before, after]}
    name = f"upload to searchable while another workspace has {WAITING:,} waiting"
    return [Figure(name, "p95 <= 5,000 ms", told(bulk), bulk["p95"] <= GOAL, numbers, notes)]


def timed(api: httpx.Client, first: int) -> list[float]:
    found = []
    for number in range(first, first + COUNT):
        time.sleep(PAUSE)
        found.append(once(api, 1000 + number)["found"])
    return found


def left(installation: Installation) -> int:
    return int(installation.run_python(LEFT).split()[-1])
