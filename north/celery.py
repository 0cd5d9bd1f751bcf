"""The Celery application: what it runs stands in each app's tasks.py, how it runs in settings.py; and what a worker does as it starts."""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_ready
from django.conf import settings

from north import health

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "north.settings")

app = Celery("north")
app.config_from_object("django.conf:settings", namespace="CELERY")
if settings.TASK_ROOMS:  # none at all would mean all of them
    app.autodiscover_tasks(settings.TASK_ROOMS)

LOADERS = {"gpu": {"embed": "north.wiring.embedder", "score": "north.wiring.scorer", "chat": "north.wiring.chat_model"}}
"""What a worker loads as it starts, by dotted path, of what the settings name: nobody else loads it."""


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Django's logging settings hold in the workers, too."""
    logging.config.dictConfig(settings.LOGGING)


@worker_ready.connect
def report(sender: Any, **_: Any) -> None:
    """The worker takes work from now on: it loads its models and says every few seconds how it is."""
    name = sender.hostname.split("@")[0]
    health.Reporter(name, LOADERS.get(name, {})).start()


@task_prerun.connect
def note(task: Any, **_: Any) -> None:
    health.task_begun(task.request.hostname or "")
