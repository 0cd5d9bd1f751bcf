"""What a person asked of documents and cannot have, in words fit to show. What is wrong with a file's content: retrieval/errors.py.

    DocumentError
    ├── StorageFull       the disk has no room                        try again
    ├── FileLost          the stored bytes are not what was stored    permanent
    ├── NothingSent       an upload without a file                    permanent
    ├── NobodyChosen      an upload that must say who may read it     permanent
    ├── Refused           a setting that is not allowed or is taken   permanent
    ├── Crowded           so much of a source waits already           go on after `retry_after` seconds
    │   └── GaveWay           another source waits for its turn       go on afterwards
    ├── NoAnswer          the search worker is silent                 try again
    └── Busy              the search worker has too much to do        try again after `retry_after` seconds

`status_of` maps these and the errors of parsing to HTTP, once for pages and API.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from django.db import OperationalError
from django.utils.translation import gettext as _

from retrieval.errors import EmptyFile, IndexFault, ParseError, TooLarge, UnknownType

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DocumentError(Exception):
    permanent: ClassVar[bool] = True


class StorageFull(DocumentError):
    permanent = False

    def __init__(self) -> None:
        super().__init__(_("There is no room left on the disk, so nothing was stored. Tell your administrator, and try again afterwards."))


class FileLost(DocumentError):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("The stored file is missing or damaged. Delete the document and upload it again."))


class NothingSent(DocumentError):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("No file was sent. Choose one or more files, then upload them."))


class NobodyChosen(DocumentError):
    permanent = True

    def __init__(self) -> None:
        super().__init__(_("Choose the groups that may read the files: this workspace has no default for uploads."))


class Refused(DocumentError):
    permanent = True

    def __init__(self, words: str, *, field: str = "") -> None:
        """`field`: which of the things that were filled in it is about, where a form was."""
        self.field = field
        super().__init__(words)


class Crowded(DocumentError):
    """A sync waits, and goes on by itself."""

    permanent = False
    retry_after: float = 30

    def __init__(self, count: int) -> None:
        words = _("%(count)d documents of this source wait to be read. The sync goes on by itself when half of them are done.")
        super().__init__(words % {"count": count})


class GaveWay(Crowded):
    retry_after = 0

    def __init__(self) -> None:
        DocumentError.__init__(self, _("Another source has its turn. The sync goes on by itself from where it was."))


class NoAnswer(DocumentError):
    permanent = False

    def __init__(self) -> None:
        super().__init__(_("Search does not answer now: its worker is starting, busy or stopped. Try again in a moment."))


class Busy(DocumentError):
    permanent = False

    def __init__(self, retry_after: float) -> None:
        self.retry_after = math.ceil(retry_after)
        super().__init__(_("Search has too much to do just now. Try again in %(seconds)d seconds.") % {"seconds": self.retry_after})


HTTP_STATUS: dict[type[Exception], int] = {
    StorageFull: 507,
    FileLost: 410,
    TooLarge: 413,
    UnknownType: 415,
    EmptyFile: 422,
    NobodyChosen: 422,
    NothingSent: 422,
    Refused: 422,
    NoAnswer: 503,
    Busy: 503,
    ParseError: 422,
    IndexFault: 503,
}


def status_of(error: Exception) -> int:
    """The HTTP status of an error of documents; 500 for what is none."""
    return next((HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS), 500)


def is_full(error: OSError) -> bool:
    return error.errno in NO_ROOM


@contextmanager
def disk() -> Iterator[None]:
    """Says a full disk in words, whether a file or the database met it."""
    try:
        yield
    except OSError as error:
        raise (StorageFull() if is_full(error) else error) from error
    except OperationalError as error:
        raise (StorageFull() if "full" in str(error) or "No space" in str(error) else error) from error
