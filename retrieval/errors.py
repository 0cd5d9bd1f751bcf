"""What can go wrong between a source and a passage. `str(error)` is shown to people: what is wrong, and what to do.

    RetrievalError
    ├── IndexFault            the vector index
    │   ├── IndexUnavailable      not reachable now                      try again
    │   ├── IndexMismatch         made with another embedding model      permanent
    │   └── IndexCorrupt          its files or answers make no sense     permanent
    ├── EmbeddingFault        the model's vectors are not what was asked for   permanent
    ├── ParseError            one thing's bytes; all are `permanent`: the same bytes fail again
    │   ├── Unreadable            broken, or not what its name says
    │   ├── Encrypted             needs a password
    │   ├── TooLarge              over a limit on size or memory
    │   ├── TooSlow               over the limit on time
    │   ├── EmptyFile             0 bytes
    │   ├── UnknownType           no parser for it
    │   └── NoText                read, and nothing in it to read
    ├── ReaderUnavailable     the child process that reads cannot start    try again
    └── SourceError           where things come from
        ├── SourceNotAllowed      outside what the administrator allows  permanent
        ├── SourceMissing         not there                              try again: a disk may come back
        ├── SourceUnreadable      there, and does not let itself be read try again
        ├── SourceUnreachable     no answer, or one that is broken off   try again
        ├── SourceGarbled         an answer that makes no sense          try again
        ├── RateLimited           asks to wait `retry_after` seconds     try again then
        ├── TokenRefused          credentials that are wrong or expired  permanent
        ├── RightMissing          credentials that may not do this       permanent
        ├── CursorExpired         does not know the cursor any more      begin afresh, without one
        ├── SettingWrong          a setting of the source that cannot be permanent
        └── ItemBroken            one thing's fault: the others go on    permanent

A leaf says in `permanent` whether trying again with the same input is in vain. Errors cross process borders, so each is rebuilt from its
message alone: `Leaf.from_message(str(error))`, and pickling works the same way.
"""

from __future__ import annotations

from typing import ClassVar, Self


class RetrievalError(Exception):
    permanent: ClassVar[bool] = True

    def __init__(self, message: str) -> None:
        super().__init__(message)

    @classmethod
    def from_message(cls, message: str) -> Self:
        """The error with this very message, whatever the leaf's own constructor takes."""
        error = cls.__new__(cls)
        Exception.__init__(error, message)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).from_message, (str(self),)


class IndexFault(RetrievalError):
    pass


class IndexUnavailable(IndexFault):
    permanent = False

    def __init__(self, detail: str) -> None:
        super().__init__(f"The search index does not answer ({detail}). It is tried again; if this lasts, start the vector service.")


class IndexMismatch(IndexFault):
    permanent = True

    def __init__(self, collection: str, made_with: str, wanted: str) -> None:
        super().__init__(
            f'The search index "{collection}" was made with {made_with}, but the settings ask for {wanted}. '
            "North makes a new one beside it within a minute, and the old one answers meanwhile: see Administration, Index, or run "
            "`python manage.py reindex`."
        )


class IndexCorrupt(IndexFault):
    permanent = True

    def __init__(self, detail: str) -> None:
        super().__init__(f"The search index is damaged ({detail}). Move its folder away, start again, and index all documents again.")


class EmbeddingFault(RetrievalError):
    permanent = True

    def __init__(self, detail: str) -> None:
        super().__init__(f"The embedding model gave vectors that cannot be used ({detail}). Check which embedding model the settings name.")


class ParseError(RetrievalError):
    pass


class Unreadable(ParseError):
    permanent = True

    def __init__(self, detail: str = "") -> None:
        because = f" ({detail})" if detail else ""
        super().__init__(f"The file is broken or is not what its name says{because}. Save it again with its own program, and upload that.")


class Encrypted(ParseError):
    permanent = True

    def __init__(self) -> None:
        super().__init__("The file is protected by a password. Save a copy without the password, and upload that.")


class TooLarge(ParseError):
    permanent = True

    def __init__(self, what: str, limit: str) -> None:
        """`what` is too large and `limit` the most that is allowed, e.g. ("The file has 2.1 GB", "200 MB")."""
        super().__init__(f"{what}; at most {limit} is allowed. Split it, and upload the parts.")


class TooSlow(ParseError):
    permanent = True

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Reading the file took longer than {seconds:g} seconds, so it was given up. Split it, or change its format.")


class EmptyFile(ParseError):
    permanent = True

    def __init__(self) -> None:
        super().__init__("The file is empty (0 bytes). Check the original, and upload it again.")


class UnknownType(ParseError):
    permanent = True

    def __init__(self, name: str, known: str = "") -> None:
        """`known`: the kinds that can be read, for the reader, e.g. "PDF, Word, Excel"."""
        which = f" These can be read: {known}." if known else " Save it as PDF or plain text, and upload that."
        super().__init__(f'"{name}" is of a kind that cannot be read.{which}')


class NoText(ParseError):
    permanent = True

    def __init__(self, detail: str = "") -> None:
        because = f" ({detail})" if detail else ""
        super().__init__(f"There is no text in the file{because}. If it is a scan, run text recognition on it, and upload the result.")


class ReaderUnavailable(RetrievalError):
    permanent = False

    def __init__(self, detail: str) -> None:
        super().__init__(f"The file could not be read now ({detail}). It is tried again; if this lasts, run the doctor on the server.")


class SourceError(RetrievalError):
    pass


class SourceNotAllowed(SourceError):
    permanent = True

    def __init__(self, where: str, mend: str = "Ask an administrator to allow it, or choose another.") -> None:
        super().__init__(f'"{where}" is not among the places that may be read. {mend}')


class SourceMissing(SourceError):
    permanent = False

    def __init__(self, where: str) -> None:
        super().__init__(f'"{where}" is not there. Nothing was deleted; check that it exists, is mounted, and may be seen.')


class SourceUnreadable(SourceError):
    permanent = False

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f'"{where}" could not be read ({detail}). Nothing was deleted; check its permissions.')


class SourceUnreachable(SourceError):
    permanent = False

    def __init__(self, where: str, detail: str = "it does not answer") -> None:
        super().__init__(f'"{where}" cannot be reached ({detail}). Nothing was deleted; it is tried again with the next sync.')


class SourceGarbled(SourceError):
    permanent = False

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f'"{where}" gave an answer that makes no sense ({detail}). Nothing was deleted; check that the address is right.')


class RateLimited(SourceError):
    permanent = False
    retry_after: float = 60.0

    def __init__(self, where: str, seconds: float = 60.0) -> None:
        super().__init__(f'"{where}" asks to wait {seconds:,.0f} seconds. The sync goes on by itself then, from where it was.')
        self.retry_after = seconds


class TokenRefused(SourceError):
    permanent = True

    def __init__(self, where: str, mend: str = "Enter new ones in the source's settings.") -> None:
        super().__init__(f'"{where}" does not take these credentials: they are wrong, were revoked, or have expired. {mend}')


class RightMissing(SourceError):
    permanent = True

    def __init__(self, where: str, right: str) -> None:
        """`right`: what must be granted, as the source's own administrators call it."""
        super().__init__(
            f'"{where}" does not allow this: the right "{right}" is missing. Ask its administrator to grant it to the source\'s account.'
        )


class CursorExpired(SourceError):
    permanent = False

    def __init__(self, where: str) -> None:
        super().__init__(f'"{where}" does not know any more what changed since the last sync. Everything is listed afresh.')


class SettingWrong(SourceError):
    permanent = True
    setting: str = ""

    def __init__(self, setting: str, what: str) -> None:
        """`setting`: its name in the schema; `what`: a sentence on what is wrong and how to write it."""
        super().__init__(what)
        self.setting = setting


class ItemBroken(SourceError):
    permanent = True

    def __init__(self, reason: str) -> None:
        """`reason`: a sentence."""
        super().__init__(reason)
