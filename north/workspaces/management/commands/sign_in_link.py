"""`manage.py sign_in_link EMAIL`: prints a link that signs this person in once, and nothing else."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from north.workspaces import actions
from north.workspaces.models import User, UserManager


class Command(BaseCommand):
    help = "Prints a link that signs this person in once, within a day; for instance after a forgotten password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *arguments: Any, email: str, **options: Any) -> None:
        user = User.objects.filter(email=UserManager.normalise(email), is_active=True).first()
        if user is None:
            raise CommandError(_("There is no user %(email)s who is not suspended.") % {"email": email})
        self.stdout.write(actions.sign_in_link(user, actor=None))
