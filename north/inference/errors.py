"""What can go wrong with a model, in words for a person.

ModelError
├── ModelMissing        permanent: not on this machine
├── ModelBroken         permanent: its file is not what the catalogue says
├── UnknownModel        permanent: not in the catalogue
├── BadDescription      permanent: a model.json that describes no model
├── NoModel             permanent: a folder that is to be added, and what it lacks
├── ModelUnavailable    its server is down, slow, or says what it should not
├── Overloaded          too much to do; `retry_after` seconds
├── OutOfMemory         one text alone needs more memory than there is
├── Gone                whoever asked does not wait any more
├── ContextTooLong      permanent: the prompt is longer than the model can read
├── Unsupported         permanent: this engine cannot do what was asked for
└── PullFailed          no source gave the files
    ├── AlreadyPulling  another process is at it
    └── NoSpace         the disk is too small
"""

from __future__ import annotations

MEND = "Run: python manage.py models pull"


class ModelError(Exception):
    permanent = False


class ModelMissing(ModelError):
    permanent = True

    def __init__(self, name: str) -> None:
        super().__init__(f"The model {name} is not on this machine. {MEND} {name}")


class ModelBroken(ModelError):
    permanent = True

    def __init__(self, name: str, file: str) -> None:
        super().__init__(f"The file {file} of the model {name} is damaged or not the right one. {MEND} {name} --again")


class UnknownModel(ModelError):
    permanent = True


class BadDescription(ModelError):
    permanent = True

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} does not describe a model ({why}). Write it anew: python manage.py models add FOLDER --role ROLE")


class NoModel(ModelError):
    permanent = True


class ModelUnavailable(ModelError):
    permanent = False


class Overloaded(ModelError):
    permanent = False

    def __init__(self, retry_after: float = 5.0) -> None:
        super().__init__("The model has too much to do just now. Try again in a moment.")
        self.retry_after = retry_after


class OutOfMemory(ModelError):
    permanent = False

    def __init__(self, name: str = "") -> None:
        super().__init__(f"The model {name or 'in use'} ran out of memory. Free some, choose a smaller model, or give it another machine.")


class Gone(ModelError):
    permanent = False

    def __init__(self) -> None:
        super().__init__("Nobody waits for this any more, so it was left.")


class ContextTooLong(ModelError):
    permanent = True


class Unsupported(ModelError):
    permanent = True


class PullFailed(ModelError):
    permanent = False


class AlreadyPulling(PullFailed):
    permanent = False


class NoSpace(PullFailed):
    permanent = False
