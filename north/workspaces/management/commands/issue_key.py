"""`manage.py issue_key --workspace W --user U`: makes an API key and prints it, and nothing else."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from north.workspaces import keys
from north.workspaces.errors import WorkspaceError
from north.workspaces.models import KeyScope, Membership, UserManager

DAYS = 3650


class Command(BaseCommand):
    help = "Makes an API key that acts as one member of one workspace, and prints it. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG", help="as in the workspace's address, /w/SLUG/")
        parser.add_argument("--user", required=True, metavar="EMAIL")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument("--scope", action="append", choices=KeyScope.values, help="may be given again; without it: all")
        parser.add_argument("--days", type=int, help="until it expires; without it: never")

    def handle(
        self,
        *arguments: Any,
        workspace: str,
        user: str,
        name: str = "",
        scope: list[str] | None = None,
        days: int | None = None,
        **options: Any,
    ) -> None:
        members = Membership.objects.select_related("user", "workspace")
        member = members.filter(workspace__slug=workspace, user__email=UserManager.normalise(user)).first()
        if member is None:
            asked = {"user": user, "workspace": workspace}
            raise CommandError(_("%(user)s is no member of a workspace with the address %(workspace)s.") % asked)
        if days is not None and not 0 < days <= DAYS:
            raise CommandError(_("--days takes 1 to %(most)d.") % {"most": DAYS})
        expires_at = timezone.now() + timedelta(days=days) if days else None
        try:
            self.stdout.write(keys.issue_key(member, name=name, scopes=scope or None, expires_at=expires_at, actor=None)[1])
        except WorkspaceError as error:
            raise CommandError(str(error)) from error
