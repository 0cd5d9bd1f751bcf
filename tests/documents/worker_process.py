"""Worker processes that may be killed at a failpoint: `python -m tests.documents.worker_process`.

Imports once, then forks a worker for each line of JSON on stdin ({"failpoint", "files", "roots"}), which does what is due; answers with the
worker's exit code (negative: killed by that signal).
"""

import importlib
import json
import os
import sys

import django
from django.conf import settings

settings.DATABASES["default"]["NAME"] = os.environ["NORTH_TEST_DATABASE"]
settings.MODELS["embed"]["engine"] = "tests.hashing.load"
django.setup()

from north import failpoints  # noqa: E402
from north.documents import tasks  # noqa: E402
from north.documents.models import SyncRun  # noqa: E402


def work(order: dict) -> None:
    settings.FILES_DIR, settings.FOLDER_ROOTS = order["files"], order["roots"]
    settings.FAILPOINT = order["failpoint"]
    importlib.reload(failpoints)
    for run in SyncRun.objects.filter(status__in=SyncRun.WORKING):
        tasks.sync(str(run.pk))
    tasks.prepare()
    tasks.index()


for line in sys.stdin:
    pid = os.fork()
    if not pid:
        try:
            work(json.loads(line))
        finally:
            os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
