"""`manage.py demo`: a sample company to look at. Needs a running North, which reads and indexes the files."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from north.demo import company
from north.workspaces import actions
from north.workspaces.models import User


class Command(BaseCommand):
    help = "Makes the workspace `demo` with the files of a sample company, owned by admin@example.com."

    def handle(self, **options: Any) -> None:
        company.make(self.stdout.write)
        link = actions.sign_in_link(User.objects.get(email=company.OWNER), actor=None)
        self.stdout.write(f"Sign in as {company.OWNER} here (this link works once):\n    {link}")
        self.stdout.write(f"Then ask at {settings.PUBLIC_URL}/w/{company.SLUG}/")
