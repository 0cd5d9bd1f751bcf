"""What sources are doing now."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import Field

Stage = Literal["paused", "waiting", "resting", "connecting", "listing", "reading", "indexing", "failed", "stopped", "fresh", "new"]


class TroubleOut(Schema):
    words: str = Field(description="What went wrong, in a sentence.")
    mend: str = Field(description="What to do about it; may be empty.")
    code: str = Field(description="The kind of fault, such as `TokenRefused`; may be empty.")


class PositionOut(Schema):
    done: int
    of: int = Field(description="While a source is listed, about so many: as there were the last time.")


class DoingOut(Schema):
    """What a source is doing now."""

    source: uuid.UUID
    name: str
    stage: Stage = Field(
        description="`waiting`: its sync waits for a worker; `resting`: it goes on by itself later, `error` says why; `fresh`: all done; "
        "`new`: it was never synced."
    )
    at_work: bool = Field(description="Something goes on by itself.")
    position: PositionOut | None = Field(description="How far the stage is; null where that cannot be told.")
    place: int | None = Field(description="The place of its sync among all that wait for a worker.")
    speed: float = Field(description="Things or documents a second, lately.")
    seconds_left: int | None = Field(description="An estimate; null where there is none.")
    documents: dict[str, int] = Field(description="How many have each status.")
    error: TroubleOut | None = Field(description="What went wrong last in its newest sync.")
    as_of: datetime | None = Field(description="What is known is as the source was then, or newer; null: no sync came to its end yet.")
    progress_at: datetime | None = Field(description="When its running sync got on last.")
    paused_at: datetime | None
    restarts: int = Field(description="How often its newest sync got no further and was begun again.")


class DoingList(Schema):
    items: list[DoingOut]
    waiting: int = Field(description="Documents of all sources that are not read or indexed yet.")
    seconds_left: int | None


class RetriedOut(Schema):
    documents: int = Field(description="How many begin again.")
