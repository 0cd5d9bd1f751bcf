"""How far a document is, and from where each status may be reached."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    QUEUED = "queued", _("queued")
    FETCHING = "fetching", _("fetching")
    PARSING = "parsing", _("parsing")
    INDEXING = "indexing", _("indexing")
    READY = "ready", _("ready")
    FAILED = "failed", _("failed")
    SKIPPED = "skipped", _("skipped")


WORKING = [Status.QUEUED, Status.FETCHING, Status.PARSING, Status.INDEXING]
UNREAD = [Status.QUEUED, Status.FETCHING, Status.PARSING]
BEFORE = {
    Status.QUEUED: list(Status),
    Status.FETCHING: UNREAD,
    Status.PARSING: [Status.FETCHING],
    Status.INDEXING: [Status.PARSING, Status.READY],
    Status.READY: [Status.INDEXING],
    Status.FAILED: WORKING,
    Status.SKIPPED: [*WORKING, Status.FAILED],
}
"""From where each status may be reached; a killed attempt begins again at fetching."""
UNHELD = {"lease_token": None, "lease_until": None, "try_at": None, "attempts": 0}
"""Nobody's, due now, and not yet tried. Written from outside, it fences off the worker that holds the row."""
