"""Why a call to a model has no answer, in words for whoever called, with the HTTP status that says the same."""

from __future__ import annotations

import math

from north.inference.errors import ContextTooLong, Gone, ModelError, Overloaded, Unsupported

BUSY_SECONDS = 30
"""The longest that a caller is told to stay away: clients wait as long as they are told, in silence."""


class CallFailed(Exception):
    """`status`: 400 the call cannot be served as it is, 429 too much to do, 503 a part is away, 500 North's own fault. `retry_after`:
    seconds, 0 where trying again is of no use."""

    def __init__(self, status: int, message: str, *, code: str = "", retry_after: int = 0) -> None:
        self.status, self.message, self.code, self.retry_after = status, message, code, retry_after
        super().__init__(message)


class Silent(CallFailed):
    def __init__(self) -> None:
        super().__init__(503, "The model worker does not answer now: it is starting, busy or stopped.", code="unavailable", retry_after=5)


class TooLong(CallFailed):
    def __init__(self) -> None:
        super().__init__(503, "This took longer than a caller may wait. Ask for less at once.", code="timeout", retry_after=5)


def failed(error: ModelError) -> CallFailed:
    """What a caller is told of an engine's error."""
    match error:
        case Overloaded():
            return CallFailed(429, str(error), code="overloaded", retry_after=min(math.ceil(error.retry_after), BUSY_SECONDS))
        case ContextTooLong():
            return CallFailed(400, str(error), code="context_length_exceeded")
        case Unsupported():
            return CallFailed(400, str(error), code="unsupported")
        case Gone():
            return TooLong()
    return CallFailed(503, str(error), code="unavailable", retry_after=0 if error.permanent else 5)
