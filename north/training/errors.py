"""What can go wrong in training, in words for a person.

TrainingError
├── BadData         the examples are not what they should be
├── Leak            the examples hold what the model will be judged by
├── BadPlan         settings that cannot go together, or a number out of its range
├── BadBase         a folder holds no model that can be trained or merged
├── NotAlike        two models that cannot be merged
├── NotResumable    there is nothing to go on from, or it is another run's
└── NoRoom          the disk is too small
"""

from __future__ import annotations


class TrainingError(Exception):
    permanent = True


class BadData(TrainingError):
    pass


class Leak(TrainingError):
    pass


class BadPlan(TrainingError):
    pass


class BadBase(TrainingError):
    pass


class NotAlike(TrainingError):
    pass


class NotResumable(TrainingError):
    pass


class NoRoom(TrainingError):
    pass
