"""What a person asked for and cannot have, in words fit to show.

WorkspaceError
├── Refused            a rule of the house forbids it; the message says which and what to do instead
│   ├── LastOwner
│   ├── LastAdmin
│   ├── Taken          a name or an address that must be unique is in use
│   ├── Unfit          a value cannot be what was given; `field` says which
│   └── Wider          a key would give more than it has itself
├── DeadLink           a one-time link that was used, has expired, was taken back, or never was
└── AppendOnly         somebody tried to change the audit log through the models
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _


class WorkspaceError(Exception):
    permanent = True


class Refused(WorkspaceError):
    permanent = True


class LastOwner(Refused):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("A workspace needs an owner. Make somebody else an owner first, or delete the workspace."))


class LastAdmin(Refused):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("This installation needs an administrator. Make somebody else one first."))


class Taken(Refused):
    permanent = True


class Unfit(Refused):
    permanent = True

    def __init__(self, field: str, words: str) -> None:
        self.field = field
        super().__init__(words)


class Wider(Refused):
    permanent = True


class DeadLink(WorkspaceError):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("This link does not work any more. Each link works once and for a limited time: ask for a new one."))


class AppendOnly(WorkspaceError):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("The audit log is only ever added to: its events cannot be changed or deleted."))
