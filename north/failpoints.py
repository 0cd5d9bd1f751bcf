"""Goes wrong on purpose, for tests of what survives it: NORTH_FAILPOINT="upsert:2" kills this process the second time it reaches `upsert`,
"model-chat:5:hang" lets the fifth step of the chat model never end, "load:1:memory" has no memory left for the first model that is loaded.

The stages: fetch, parse, chunk, embed, upsert, commit (a document), generate (a run), propose, rest, rested, decide, act, acted, done (an
action that a person must approve), load, model-chat, model-embed. Without the variable this does nothing.
"""

from __future__ import annotations

import os
import signal
import time
from itertools import count

from django.conf import settings

STAGE, _, REST = settings.FAILPOINT.partition(":")
NTH, _, HOW = REST.partition(":")
REACHED = count(1)


def failpoint(stage: str) -> None:
    if stage == STAGE and next(REACHED) == int(NTH or 1):
        match HOW:
            case "hang":
                time.sleep(10**6)
            case "memory":
                raise MemoryError
            case _:
                os.kill(os.getpid(), signal.SIGKILL)
