"""The last passes over a source as plots, and as tables for who cannot see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from north.documents.models import SyncRun
from north.exports import charts

LEAST = 2
"""With fewer there is nothing to compare."""


def pictures(runs: Sequence[SyncRun]) -> list[dict[str, Any]]:
    """`runs`, newest first: what each brought, how long it took, what went wrong."""
    over = [run for run in reversed(runs) if run.ended_at]
    if len(over) < LEAST:
        return []
    return [
        picture(over, _("Documents of each sync"), [(_("new"), new), (_("changed"), changed), (_("deleted"), deleted)]),
        picture(over, _("Seconds that each sync took"), [(_("seconds"), seconds)]),
        picture(over, _("What went wrong"), [(_("skipped things"), skipped), (_("failed syncs"), failed)]),
    ]


def picture(runs: Sequence[SyncRun], title: str, series: Sequence[tuple[str, Callable[[SyncRun], float]]]) -> dict[str, Any]:
    """As `threads/chart.html` draws it."""
    labels = [timezone.localtime(run.created_at).strftime("%d.%m. %H:%M") for run in runs]
    named = [{"name": name, "values": [value(run) for run in runs]} for name, value in series]
    chart = {"kind": "bar", "title": title, "labels": labels, "series": named, "origin": ""}
    return {"chart": chart, "plot": charts.plot(chart), "rows": charts.rows_of(chart)}


def new(run: SyncRun) -> int:
    return run.new


def changed(run: SyncRun) -> int:
    return run.changed


def deleted(run: SyncRun) -> int:
    return run.deleted


def seconds(run: SyncRun) -> float:
    return round((run.ended_at - (run.started_at or run.created_at)).total_seconds(), 1) if run.ended_at else 0


def skipped(run: SyncRun) -> int:
    return len(run.skipped) + run.left_out


def failed(run: SyncRun) -> int:
    return int(run.status == SyncRun.Status.FAILED)
