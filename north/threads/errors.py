"""What can go wrong with a question, in words fit to show.

ThreadError
├── Refused             the question was not taken; nothing was changed
│   ├── Unaskable       it is empty or too long
│   ├── Incomplete      what a run found then is not all there any more (409)
│   ├── StillWorking    the thread has an unanswered question
│   ├── Spent           a budget that refuses is used up (429)
│   ├── Outdated        somebody kept a newer version meanwhile (409)
│   ├── TooMany         this person waits for too many answers already (429)
│   └── Undecidable     a proposed action that cannot be decided (any more): nothing happens
├── RightsLost          whoever asked may no longer use this workspace
└── SourcesChanged      a document was taken away from the reader while the answer was written
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from north.usage.budgets import Budget


class ThreadError(Exception):
    permanent = True


class Refused(ThreadError):
    permanent = True
    status = 400


class Unaskable(Refused):
    permanent = True


class Incomplete(Refused):
    permanent = True
    status = 409


class StillWorking(Refused):
    permanent = True
    status = 409

    def __init__(self) -> None:
        super().__init__(_("North is still answering the question before. Wait for it, or stop it first."))


class TooMany(Refused):
    permanent = True
    status = 429

    def __init__(self, count: int) -> None:
        super().__init__(_("You are waiting for %(count)d answers already. Wait until one is there, or stop one.") % {"count": count})


class Outdated(Refused):
    permanent = True
    status = 409

    def __init__(self, number: int) -> None:
        said = _("Meanwhile version %(number)d was kept. Compare your text with it before you keep yours.")
        super().__init__(said % {"number": number})


class Undecidable(Refused):
    permanent = True
    status = 409


class Spent(Refused):
    permanent = True
    status = 429

    def __init__(self, budget: Budget) -> None:
        said = {"budget": budget, "ends": f"{budget.ends:%Y-%m-%d %H:%M} UTC"}
        super().__init__(_("%(budget)s You can ask again from %(ends)s on, or an owner allows you more.") % said)


class RightsLost(ThreadError):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("You may no longer use this workspace, so this question was stopped."))


class SourcesChanged(ThreadError):
    permanent = False

    def __init__(self) -> None:
        super().__init__(_("A document that this answer was built on is no longer open to you. Ask again for an answer without it."))
