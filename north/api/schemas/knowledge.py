"""What we know: sources, documents, and what is found in them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from north.api.paging import Paging
from north.api.schemas import In, Page, Text
from north.documents import filtering
from retrieval.families import MEDIA_TYPES
from retrieval.parsers.recognition import CODES


class AccessIn(In):
    """Both left out or empty: nobody."""

    everyone: bool = False
    groups: list[Text] = Field(default_factory=list, max_length=1000, description="Names or ids.")


class WayIn(In):
    """What is left out is as usual."""

    recognise: Literal["auto", "always", "never"] = Field(
        "auto", description="Text recognition: for pages that are pictures, all, or none."
    )
    language: Literal["", *sorted(CODES)] = Field("", description="On the pictures, ISO 639-1.")  # type: ignore[valid-type]
    tables: bool = Field(True, description="Whether lines that are drawn part the words into rows and columns.")
    without: list[Annotated[int, Field(ge=1, le=5000)]] = Field(default_factory=list, max_length=5000, description="Pages to leave out.")


SETTINGS = "The connector's settings by their names, as `GET /connectors` lists them. A secret that is left out stays as it is."
AS_SOURCE = "Whoever may see a thing in the source may read it, nobody else; then `access` is empty. Where the connector tells rights."
SCOPE = "Patterns of paths, such as *.pdf or hr/; none: everything."
Patterns = Annotated[list[Annotated[Text, Field(max_length=200)]], Field(max_length=100)]


class SourceTried(In):
    connector: Text = Field("folder", max_length=40)
    path: Text | None = Field(None, max_length=1000, description="Of a folder of the server: the same as `settings.path`.")
    settings: dict[str, Any] = Field(default_factory=dict, description=SETTINGS)
    include: Patterns = Field(default_factory=list, description=SCOPE)
    exclude: Patterns = Field(default_factory=list)

    def given(self) -> dict[str, Any]:
        return {**self.settings, **({"path": self.path} if self.path is not None else {})}


class SourceIn(SourceTried):
    name: Text = Field(min_length=1, max_length=120)
    schedule: Literal[0, 900, 3600, 86400] = Field(3600, description="Seconds between two syncs; 0: paused, it syncs only when told to.")
    half_life: int = Field(0, ge=0, le=36_500, description="Days after which age has cost half of what it can; 0: age does not count.")
    as_source: bool = Field(False, description=AS_SOURCE)
    access: AccessIn


class SourceChange(In):
    name: Text | None = Field(None, min_length=1, max_length=120)
    path: Text | None = Field(None, min_length=1, max_length=1000)
    settings: dict[str, Any] | None = Field(None, description=SETTINGS)
    include: Patterns | None = None
    exclude: Patterns | None = None
    schedule: Literal[0, 900, 3600, 86400] | None = None
    half_life: int | None = Field(None, ge=0, le=36_500)
    as_source: bool | None = None
    access: AccessIn | None = None


class FindingOut(Schema):
    works: bool | None = Field(description="Null: neither, but worth knowing.")
    words: str


class PreviewOut(Schema):
    """What a source with these settings would bring; nothing is set up."""

    works: bool
    findings: list[FindingOut]
    count: int = Field(description="Documents that would come.")
    bytes: int
    left_out: int = Field(description="Documents that the patterns leave out.")
    whole: bool = Field(description="False: counting stopped after some seconds, or thousands.")
    examples: list[str]


class SourceBrowsed(SourceTried):
    at: Text = Field("", max_length=2000, description="The `path` of a branch; left out, the top.")
    around: Text = Field("", max_length=2000, description="The `around` of the same branch.")


class BranchOut(Schema):
    path: str
    name: str
    inner: bool = Field(description="There may be more in it: ask again with its `path` as `at`, and its `around`.")
    setting: str = Field(description="The connector's setting whose list takes it alone; empty: `include` does.")
    include: list[str] = Field(description="The lines for that list.")
    exclude: list[str] = Field(description="The patterns that leave it out.")
    around: str


class BranchPage(Schema):
    items: list[BranchOut]
    more: bool = Field(description="There are more than are told.")
    fault: str = Field(description="Why it cannot be looked into, and how to mend that; empty where it can.")


class SettingOut(Schema):
    name: str
    label: str
    help: str
    kind: Literal["text", "url", "secret", "number", "choice", "list", "switch", "long"]
    required: bool
    default: Any
    choices: list[str]


class ConnectorOut(Schema):
    connector: str
    title: str
    help: str
    rights: bool = Field(description="Whether it tells who may see a thing, so that `as_source` is possible.")
    settings: list[SettingOut]


class ConnectorList(Schema):
    items: list[ConnectorOut]


class SourceAccountOut(Schema):
    """An account of the source, and who that is here."""

    id: uuid.UUID
    key: str
    name: str
    email: str = Field(description="As the source vouches for it; else empty.")
    active: bool
    mapped: bool = Field(description="An owner said who it is; else its address does.")
    person: str | None = Field(description="The address of the member that it is; null: nobody.")


class SourceAccountPage(Page):
    items: list[SourceAccountOut]


class MappingIn(In):
    person: Text | None = Field(description="The address of a member; null: nobody here.")


class SyncOut(Schema):
    id: uuid.UUID
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    error: str
    new: int
    changed: int
    unchanged: int
    deleted: int
    skipped: list[dict[str, Any]] = Field(description="What could not be fetched: `name` and `reason`.")
    left_out: int = Field(description="Skipped, too, and not named.")
    speed: float = Field(description="Things a second: lately while it runs, then over all.")
    restarts: int = Field(description="How often it got no further and was begun again.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class SyncPage(Page):
    items: list[SyncOut]


class SourceOut(Schema):
    id: uuid.UUID
    name: str
    connector: str
    path: str
    settings: dict[str, Any] = Field(description="Without the secrets.")
    secrets: list[str] = Field(description="Names of the secret settings that are kept.")
    include: list[str]
    exclude: list[str]
    as_source: bool
    schedule: int
    half_life: int
    access: list[str] = Field(description='Who may read what comes from it: "everyone", names of groups; empty means nobody.')
    created_at: datetime
    synced_at: datetime | None


class SourcePage(Page):
    items: list[SourceOut]


class DocumentOut(Schema):
    id: uuid.UUID
    name: str
    status: Literal["queued", "fetching", "parsing", "indexing", "ready", "failed", "skipped"]
    error: str = ""
    media_type: str = ""
    author: str = ""
    language: str = ""
    folder: str = ""
    written_at: datetime | None = None
    changed_at: datetime | None = None
    bytes: int
    sha256: str
    source: uuid.UUID | None = None
    parent: uuid.UUID | None = Field(None, description="The mail or archive that it came in.")
    access: list[str] = Field(description='Who may read it: "everyone" in the workspace, names of groups; empty means nobody.')
    notes: list[str] = Field(default_factory=list)
    pages: int = 0
    verified_at: datetime | None = Field(None, description="Since when somebody who manages it vouches for it.")
    created_at: datetime
    ready_at: datetime | None = None


class DocumentsAsked(Paging):
    status: Literal["", "queued", "fetching", "parsing", "indexing", "ready", "failed", "skipped"] = ""
    name: Text = Field("", max_length=100, description="Words that stand in its name.")
    source: uuid.UUID | None = None


class DocumentPage(Page):
    items: list[DocumentOut]
    counts: dict[str, int] = Field(description="How many documents have each status.")


FURTHEST = (1 << 31) - 1


class Span(Schema):
    start: int = Field(0, ge=0, le=FURTHEST)
    end: int = Field(FURTHEST, ge=0, le=FURTHEST)


class TextOut(Schema):
    start: int
    end: int
    length: int = Field(description="Code points of the whole text.")
    text: str


class ChunkOut(Schema):
    ordinal: int
    start: int
    end: int
    text: str
    heading: str


class ChunkPage(Page):
    items: list[ChunkOut]


class VerifiedIn(In):
    verified: bool


TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": filtering.MOST}
FILTERS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(filtering.LISTS, TEXTS),
        "type": {**TEXTS, "items": {"enum": list(MEDIA_TYPES)}},
        "folder": {"type": "string"},
        **{name: {"type": "string", "description": "A date, or a time with its zone; the last is included."} for name in filtering.TIMES},
    },
}


class SearchIn(In):
    query: str = Field(max_length=100_000)
    top_k: int = Field(10, ge=1, le=100)
    filters: Any = Field(
        default_factory=dict,
        description="What narrows the search: all of them must hold, of one list any value is enough. `source`: names or ids, or "
        '"uploads"; `author`: a name or a word of it; `language`: codes such as de; `folder`: it and all below it.',
        json_schema_extra=FILTERS,
    )


class CutOut(Schema):
    document: uuid.UUID
    name: str
    start: int
    end: int
    score: float
    reason: Literal["duplicate", "document"] = Field(description="Nearly the same words, or one too many of its document.")


class PassageOut(Schema):
    start: int
    end: int
    text: str
    score: float
    heading: str = ""
    why: dict[str, float] = Field(
        description="The parts of the score that this search had: `sparse` (BM25), `dense` (cosine), `fused` (both, log-odds), "
        "`rerank` (the judging model's logit), `final` (blended with it, log-odds), "
        "`recency` (a factor), `verified` (1: somebody vouches for the document)."
    )
    cut: list[CutOut] = Field(description="What gave way to this passage.")


class ResultOut(Schema):
    document: uuid.UUID
    name: str
    score: float
    as_of: datetime | None = Field(
        None, description="It is as its source had it then, or newer; null for uploads, and where no sync came to its end yet."
    )
    passages: list[PassageOut]
    access: list[str] | None = Field(None, description="For owners and administrators: which of their own rights let them read it.")


class SearchOut(Schema):
    results: list[ResultOut]
    notice: str = Field("", description="What was missing for this search, in a sentence: without a model, words alone are compared.")


class FacetsIn(In):
    filters: Any = Field(default_factory=dict, json_schema_extra=FILTERS)


class FacetOut(Schema):
    value: str = Field(description="As filters name it.")
    words: str
    count: int


class FacetsOut(Schema):
    source: list[FacetOut]
    type: list[FacetOut]
    language: list[FacetOut]
    year: list[FacetOut]


class SavedSearchIn(In):
    name: Text = Field("", max_length=120, description="Without one, the question.")
    query: Text = Field(min_length=1, max_length=2000, description="The question.")
    filters: Any = Field(default_factory=dict, json_schema_extra=FILTERS)


class SavedSearchChange(In):
    name: Text = Field(min_length=1, max_length=120)


class SavedSearchOut(Schema):
    id: uuid.UUID
    name: str
    query: str
    filters: dict[str, Any]
    created_at: datetime


class SavedSearchPage(Page):
    items: list[SavedSearchOut]
