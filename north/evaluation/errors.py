"""What of a golden set cannot be had, in words fit to show.

EvaluationError
├── Refused          a mark, a file or a measurement that is not taken; the message says why and what to do
└── NothingToAsk     the set holds no question that can be asked just now
Stopped              somebody stopped the measurement
"""

from __future__ import annotations

from django.utils.translation import gettext as _


class EvaluationError(Exception):
    permanent = True


class Refused(EvaluationError):
    permanent = True


class NothingToAsk(EvaluationError):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("No question of the set can be asked: mark what answers a question, at a search hit or below an answer."))


class Stopped(Exception):
    """Somebody stopped the measurement."""
