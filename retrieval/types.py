"""The states of text on its way from a source to an answer: fetched, read, cut, found. Frozen, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # The reading child imports these types for every file, and numpy would be three quarters of its start.
    import numpy as np


LAYOUT = 2
"""Of a point's payload. Raised when a search could no longer read what an older North has written. (A point without the facts that filters
ask for is found as ever, only by no filter; `describe` brings them.)"""
VECTOR_KINDS = ("full", "int8", "binary", "hnsw", "hnsw-int8")
"""How dense vectors are kept: `vectors.py` says what each is."""


class Embed(Protocol):
    """Texts in, float32 vectors out: shape (len(texts), dimensions), each of length 1."""

    def __call__(self, texts: Sequence[str], /) -> np.ndarray: ...


# A query and the texts to judge it against; one relevance score a text, higher is better.
Score = Callable[[str, Sequence[str]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may see a thing in its source: the accounts `users`, whoever is in one of the `groups`, by the source's own keys; everybody of
    the workspace only where the source itself says so (`public`). Nobody named means nobody.

    `within`: rights that must hold as well, such as those of the space or the folders around the thing: who sees it is allowed by each.
    """

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    public: bool = False
    within: tuple[Rights, ...] = ()


PUBLIC = Rights(public=True)


@dataclass(frozen=True, slots=True)
class Item:
    """Fetched: one thing as its source holds it now, new or not.

    `external_id` stays the same while the thing lives, also where it is renamed or moved, if the source knows such an id. `data`: its
    bytes, or how to get them; that is called only where `revision` is new, and raises ItemBroken where this one thing is at fault.
    """

    external_id: str
    name: str
    data: bytes | Callable[[], bytes]
    modified_at: datetime | None = None
    rights: Rights | None = None
    """None: they could not be read, or the source has none. Where documents are as open as in their source, nobody sees it then."""
    folder: str = ""
    """Where the source keeps it, e.g. "hr/policies"; empty for the top, and where a source knows no folders."""
    revision: str = ""
    """Another one whenever the bytes are others (an etag, a version, time and size); empty where the source has nothing of the kind."""
    size: int | None = None
    """Bytes, where that is known before they are fetched."""
    link: str = ""
    """Where people open it in its source: http or https."""

    def read(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else self.data()


@dataclass(frozen=True, slots=True)
class Deleted:
    """The source says that this thing is gone."""

    external_id: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A thing that the source holds and that could not be fetched; it stays as it was. `reason` is a sentence for a person. `folder`: where
    the source keeps it, if that is known; then what nobody wants of the source is not told."""

    external_id: str
    name: str
    reason: str
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody whom the source knows, by the key that `Rights.users` uses. `email` only where the source vouches that it is theirs.
    One that is not `active` opens nothing."""

    key: str
    name: str = ""
    email: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Members:
    """All who are in a group now: accounts, and groups whose members are in it, too. Both None where they could not be read: then nobody
    is known to be in it, and it opens nothing."""

    group: str
    users: frozenset[str] | None = frozenset()
    groups: frozenset[str] | None = frozenset()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """From here on the source is listed afresh and from its beginning. It ends with the next Cursor that is `complete`, perhaps in a later
    pass; what was not named in between is gone."""

    of: Literal["items", "people"] = "items"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on, next time or after a crash: all that was yielded before it is settled. `complete`: each Listing since the last
    such Cursor has come to its end, and named everything."""

    value: Mapping[str, object]
    complete: bool = False


Fetched = Listing | Item | Deleted | Skipped | Account | Members | Cursor


@dataclass(frozen=True, slots=True)
class Way:
    """How to read a file, as far as a person may choose. `recognise`: text in pictures, where there is no other (auto), on every page, or
    never; in these `languages` (ISO 639-1), for so many `seconds` in all. `tables`: whether lines that are drawn make tables. `without`:
    the pages (1 is the first) to leave out."""

    recognise: Literal["auto", "always", "never"] = "auto"
    languages: tuple[str, ...] = ("en",)
    seconds: float = 60
    tables: bool = True
    without: frozenset[int] = frozenset()


AS_USUAL = Way()


@dataclass(frozen=True, slots=True)
class Place:
    """Where characters `start` to `end` (exclusive, code points of `Parsed.text`) stand in the source.

    `kind` says what `label` counts: page 3, slide 2, sheet "Prices" row 7 (`label="Prices!7"`), heading "4.2 Leave"; a table, whose rows
    are lines, is labelled by its first. `level`: of a heading, 1 the highest; 0 where that is not known.
    """

    start: int
    end: int
    kind: Literal["page", "slide", "row", "heading", "table"]
    label: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """One word's box on a page (from 1): left, top, right, bottom as fractions of the page's width and height, from its top left."""

    start: int
    end: int
    page: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Attached:
    """A file in a file: a mail's attachment, an archive's member. `folder`: where in it, e.g. "2026/may"; both are clean names."""

    name: str
    data: bytes
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Read: plain text, and where its characters stand. `text` holds no NUL, no lone surrogate, and only `\\n` as line end."""

    text: str
    media_type: str
    title: str = ""
    places: tuple[Place, ...] = ()
    words: tuple[Word, ...] = ()
    pages: int = 0
    """Pages that can be drawn (a PDF's); 0 for what has none."""
    notes: tuple[str, ...] = ()
    """Sentences for a person on what could not be read, e.g. "Pages 3-5 hold no text (scans)."."""
    author: str = ""
    """As the file itself says, like the two times; several names are parted by "; "."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    language: str = ""
    """ISO 639-1 of most of the text, e.g. "de"; empty where it cannot be told."""
    attached: tuple[Attached, ...] = ()
    """Files in it, which are documents of their own."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Cut: characters `start` to `end` of a document's text. `text` is exactly those characters; `heading` is context for
    embedding only."""

    ordinal: int
    start: int
    end: int
    text: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index must know of a document beside its chunks. An empty `principals` matches nobody; what is not known of the facts that
    a search is narrowed by is empty, and no filter on it matches."""

    workspace: str
    document: str
    source: str
    sha256: str
    name: str
    principals: frozenset[str]
    type: str = ""
    """A family of media types, as `families.py` names them."""
    author: str = ""
    language: str = ""
    folder: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    names: frozenset[str] = frozenset()
    """What it is called, as `naming.py` has it."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a search beside who asks. An empty part narrows nothing; of one part any value is enough, and all parts must hold.

    `sources`: ids, "" being uploads. `authors`: a whole name or a word of it, whatever its case. `folder`: it and all below it. Times are
    aware; `_from` belongs to the range, `_before` does not.
    """

    sources: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    folder: str = ""
    created_from: datetime | None = None
    created_before: datetime | None = None
    updated_from: datetime | None = None
    updated_before: datetime | None = None


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, and where: the clause that every query carries. Empty `principals` match nothing; `sources=None` means all. `filters`
    only ever narrow what that clause lets through."""

    workspace: str
    principals: frozenset[str]
    sources: frozenset[str] | None = None
    filters: Filters = EVERYTHING


@dataclass(frozen=True, slots=True)
class Cut:
    """What was found and not shown, for the sake of a better passage: nearly the same words, or one too many of its document."""

    document: str
    name: str
    start: int
    end: int
    score: float
    reason: Literal["duplicate", "document"]


@dataclass(frozen=True, slots=True)
class Passage:
    """Found: a chunk with its document and why it was found. `score` in [0, 1] orders the passages of one search only;
    `why` holds its parts by name, e.g. dense, sparse, named, fused, rerank, linked, recency; `cut` what gave way to it."""

    document: str
    name: str
    ordinal: int
    start: int
    end: int
    text: str
    score: float
    heading: str = ""
    sha256: str = ""
    why: Mapping[str, float] = field(default_factory=dict)
    cut: tuple[Cut, ...] = ()
    edition: str = ""
    """The newest of the documents found that nearly equal this one, itself included; empty where there is no other."""
    names: tuple[str, ...] = ()
    """What its document is called, as `naming.py` has it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first; `notice` says in words what was missing while it searched, such as a model."""

    passages: Sequence[Passage]
    notice: str = ""


# What the index found, for whom; back come those that the rows still allow, in the same order, with `text` and `name` from the rows.
# A passage whose `sha256` is not the row's revision is left out: its span would point into another text.
Recheck = Callable[[Scope, Sequence[Passage]], Sequence[Passage]]
