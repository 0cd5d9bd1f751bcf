"""`manage.py doctor`: looks at every part and ends with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from north import health
from north.documents import reconciling
from north.inference import catalogue, installed
from north.inference.errors import ModelError
from north.workspaces import audit
from retrieval.errors import RetrievalError
from retrieval.parsers import recognition


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    ok: bool
    message: str
    mend: str = ""


class Command(BaseCommand):
    help = "Checks every part of this installation and says what to do."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def handle(self, **options: Any) -> None:
        mends = []
        for finding in findings():
            mark = self.style.SUCCESS("ok  ") if finding.ok else self.style.ERROR("FAIL")
            self.stdout.write(f"{mark} {finding.name:22} {finding.message}")
            if not finding.ok and finding.mend and finding.mend not in mends:
                mends.append(finding.mend)
        if not mends:
            self.stdout.write(self.style.SUCCESS("\nEverything is well."))
            return
        self.stdout.write("\nWhat to do:")
        for number, mend in enumerate(mends, 1):
            self.stdout.write(f"  {number}. {mend}")
        raise SystemExit(1)


def findings() -> Iterator[Finding]:
    yield from settings_findings()
    yield from model_files()
    yield recognition_finding()
    reachable = list(part_findings())
    yield from reachable
    if all(finding.ok for finding in reachable if finding.name == "database"):
        yield from row_findings(vectors=all(finding.ok for finding in reachable if finding.name == "vectors"))


def settings_findings() -> Iterator[Finding]:
    problems = [problem for problem in run_checks() if problem.level >= WARNING]
    yield from (Finding(str(problem.id), False, str(problem.msg), str(problem.hint or "")) for problem in problems)
    if not problems:
        yield Finding("settings", True, f"data in {settings.DATA_DIR}")


def recognition_finding() -> Finding:
    """Text recognition is optional, so it is never amiss, but what it lacks is said."""
    lacking = recognition.missing(settings.OCR_LANGUAGES) if settings.OCR_SECONDS else "switched off (NORTH_OCR_SECONDS=0)"
    return Finding("text recognition", True, lacking or f"tesseract reads {', '.join(sorted(recognition.installed()))}")


def model_files() -> Iterator[Finding]:
    for model in catalogue.used(settings.MODELS, *settings.MODEL_FOLDERS):
        problem = ""
        try:
            installed.where(model.name, settings.MODELS_DIR)
        except ModelError as error:
            problem = str(error)
        yield Finding(
            model.role + " model",
            not problem,
            problem or f"{model.name}, its checksum is right",
            f"python manage.py models pull {model.name} --again",
        )


def part_findings() -> Iterator[Finding]:
    for part in health.read()["parts"]:
        yield Finding(
            part["name"],
            part["ok"],
            part["message"],
            part["mend"]
            or (part["message"] if part["kind"] in {"failed", "hung", "memory"} else "")
            or f"Start North with `make run`; if it runs, read the logs in {settings.DATA_DIR / 'logs'}.",
        )


def row_findings(*, vectors: bool) -> Iterator[Finding]:
    try:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        yield Finding("migrations", False, str(error), "Mend the database first.")
        return
    yield Finding("migrations", not waiting, f"{waiting} wait to be applied" if waiting else "all applied", "python manage.py migrate")
    if waiting:
        return
    problems = audit.verify()
    yield Finding(
        "audit log",
        not problems,
        "; ".join(map(str, problems[:3])) or "its chain is whole",
        "Find out who changed the audit table; `python manage.py audit verify` lists every break.",
    )
    if vectors:
        try:
            lost = reconciling.lost()
        except RetrievalError as error:
            yield Finding("index", False, str(error), "Start the vector service with `make run`.")
            return
        yield Finding(
            "index",
            not lost,
            f"{len(lost)} documents lack their passages" if lost else "every document has its passages",
            "Nothing by hand: the sweeper rebuilds them from their text; ask again in a minute.",
        )
