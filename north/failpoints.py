"""Dies on purpose, for tests of what survives it: NORTH_FAILPOINT="upsert:2" kills this process the second time it reaches `upsert`.

The stages: fetch, parse, chunk, embed, upsert, commit (a document), generate (a run). Without the variable this does nothing.
"""

from __future__ import annotations

import os
import signal
from itertools import count

from django.conf import settings

STAGE, _, NTH = settings.FAILPOINT.partition(":")
REACHED = count(1)


def failpoint(stage: str) -> None:
    if stage == STAGE and next(REACHED) == int(NTH or 1):
        os.kill(os.getpid(), signal.SIGKILL)
