"""`manage.py audit verify`: is the audit log what was written? Exit code 0: yes; 1: no, and where."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from north.workspaces import audit
from north.workspaces.models import AuditHead


def kept(text: str) -> tuple[int, str]:
    number, _colon, newest = text.partition(":")
    if not number.isdecimal() or not newest:
        raise ArgumentTypeError("NUMBER:HASH, as an earlier `audit verify` or a line of the log said")
    return int(number), newest


class Command(BaseCommand):
    help = "Checks that no event of the audit log was changed, deleted, inserted or moved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["verify"])
        parser.add_argument("--expect", type=kept, metavar="NUMBER:HASH", help="an event, as you kept it elsewhere, that must be there")

    def handle(self, *arguments: Any, expect: tuple[int, str] | None, **options: Any) -> None:
        problems = audit.verify(expect=expect)
        for problem in problems:
            self.stderr.write(str(problem))
        if problems:
            self.stderr.write(_("The audit log is not what was written: %(count)d problems.") % {"count": len(problems)})
            raise SystemExit(1)
        head = AuditHead.objects.filter(only=1).first() or AuditHead()
        self.stdout.write(_("The audit log is whole: %(count)d events.") % {"count": head.number})
        state = {"number": head.number, "hash": head.hash}
        self.stdout.write(_("Keep this to find a database that was put back: %(number)d:%(hash)s") % state)
