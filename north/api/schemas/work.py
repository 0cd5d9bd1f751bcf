"""What was asked, done and used."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from north.api.paging import Paging
from north.api.schemas import In, Page, Text


class AgentOut(Schema):
    id: uuid.UUID
    name: str
    about: str = Field(description="What it is for.")
    questions: list[str] = Field(description="Good example questions.")
    shared: bool = Field(description="With the workspace; else it is its maker's alone.")
    version: int = Field(description="Of how it is set up; 0: it was never changed by a person.")


class AgentLimits(In):
    searches: int | None = Field(None, ge=1, le=8)
    steps: int | None = Field(None, ge=1, le=20, description="Uses of tools.")
    seconds: int | None = Field(None, ge=30, le=900)


class AgentIn(In):
    name: Text = Field(min_length=1, max_length=80)
    about: Text = Field("", max_length=200)
    instructions: Text = Field("", max_length=4000)
    questions: list[Annotated[Text, Field(max_length=300)]] = Field(default_factory=list, max_length=8)
    sources: list[uuid.UUID | Literal[""]] = Field(
        default_factory=list, max_length=100, description='It knows only these; "" is what was uploaded. None: all that the asker may read.'
    )
    rules: dict[str, Literal["", "ask", "deny"]] = Field(default_factory=dict, description="By tool: stricter than the workspace.")
    confirms: Literal["never", "writes", "always"] = Field("never", description="Which plans whoever asks sees, and may change, first.")
    limits: AgentLimits = Field(default_factory=lambda: AgentLimits.model_validate({}))
    language: str = Field("", max_length=8, description='A code such as "de"; empty: the question\'s language.')
    length: Literal["short", "", "long"] = ""
    form: Literal["", "prose", "list", "table"] = ""


class AgentNew(AgentIn):
    shared: bool = True


class AgentDetail(AgentOut, AgentIn):
    """Editors see how it is set up."""

    model_config = ConfigDict(extra="ignore")


class AgentVersionOut(Schema):
    number: int
    values: dict[str, Any]
    saved_by: str = Field(description="An e-mail address.")
    created_at: datetime


class AgentVersions(Schema):
    items: list[AgentVersionOut]


class AgentSharing(In):
    shared: bool


class AgentPage(Page):
    items: list[AgentOut]


class ModelOut(Schema):
    role: str = Field(description="chat, embed or score.")
    name: str
    notes: list[str] = Field(description="What a chat model was found to be good and bad at.")


class ModelsOut(Schema):
    items: list[ModelOut]


class ThreadIn(In):
    title: Text = Field("", max_length=200)


class ThreadChange(In):
    title: Text = Field(min_length=1, max_length=200)


class ThreadOut(Schema):
    id: uuid.UUID
    title: str
    created_at: datetime
    asked_at: datetime | None = None


class ThreadsAsked(Paging):
    q: Text = Field("", max_length=200, description="Words that stand in titles, questions or answers.")


class ThreadPage(Page):
    items: list[ThreadOut]


class RunIn(In):
    question: str = Field(min_length=1, max_length=8000)
    agent: uuid.UUID | None = Field(None, description="Whom; null: the one that answered before in this thread.")
    thorough: bool = Field(False, description="As a report from many searches, which is kept as an artifact, too.")


class ReplayIn(In):
    anyway: bool = Field(False, description="Also where something of then is missing: with what is left.")


class RetryIn(In):
    step: str = Field(min_length=1, max_length=60, description="The key of the step from which on it is done again.")


class QueuedOut(Schema):
    id: uuid.UUID = Field(description="The run has the same id once it is asked.")
    thread: uuid.UUID
    question: str
    agent: uuid.UUID | None = Field(description="Whom it is for; null: the one that answered before.")
    words: str = Field(description="Why it still waits, though nothing runs.")
    created_at: datetime


class StepOut(Schema):
    key: str
    kind: str
    detail: dict[str, Any]
    error: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    tokens_in: int = 0
    tokens_out: int = 0


class PlanStepOut(Schema):
    number: int
    name: str
    tool: str
    input: str
    criterion: str = Field(description="When it has succeeded.")
    met: Literal["", "yes", "no"] = Field(description="Whether it has; empty: not compared.")
    after: list[int] = Field(description="The numbers of the steps that must be over first.")
    status: Literal["waiting", "running", "done", "failed"]
    error: str
    seconds: float | None
    tokens_in: int
    tokens_out: int


class CitationOut(Schema):
    start: int
    end: int
    text: str
    sources: list[dict[str, Any]] = Field(
        description="The words that it rests on: `document`, `name`, `start`, `end`, `text`; of a page of the web that an agent read also "
        "its `url` and when it was `fetched_at`."
    )


class ClaimOut(Schema):
    """One sentence of the answer; offsets are code points of `answer`."""

    start: int
    end: int
    text: str
    support: Literal["supported", "partly", "unsupported", "contradicted", "not verified"]
    reasons: list[str] = Field(description="What speaks against it, or is missing, in words.")
    citations: list[dict[str, Any]] = Field(description="The sources that it rests on, as in the run's citations.")


class ValueOut(Schema):
    document: uuid.UUID
    name: str
    start: int
    end: int
    text: str
    dated: datetime | None = Field(description="When the document changed last.")


class NearestOut(Schema):
    document: uuid.UUID
    name: str
    owner: str = Field(description="Whom to ask about it; empty where nobody is known.")


class RunOut(Schema):
    id: uuid.UUID
    thread: uuid.UUID
    agent: uuid.UUID | None = Field(description="Whom it was asked; null: whoever answers here.")
    agent_version: int | None
    question: str
    status: Literal["pending", "running", "done", "failed", "cancelled"]
    answer: str
    citations: list[CitationOut]
    unsupported: list[dict[str, Any]]
    claims: list[ClaimOut]
    refused: bool
    thorough: bool = Field(description="It asks for a report from many searches.")
    searched: list[str]
    nearest: list[NearestOut] = Field(description="Of a refusal: the documents that came nearest, as far as you may open them now.")
    conflicts: list[list[ValueOut]] = Field(description="Where documents do not agree on what the answer says: each, the newest first.")
    cut_short: str = Field("", description="Why it ended before everything was done: the answer is the best that there was by then.")
    plan: list[PlanStepOut] = Field(description="The named steps of a larger question; empty for others.")
    steps: list[StepOut]
    approvals: list[uuid.UUID] = Field(description="What the run waits for: /api/v1/approvals has each.")
    error: str = ""
    usage: dict[str, int]
    created_at: datetime
    started_at: datetime | None = None
    first_token_at: datetime | None = None
    ended_at: datetime | None = None


class TraceStepOut(Schema):
    key: str
    kind: str
    detail: dict[str, Any]
    error: str
    started_at: datetime
    ended_at: datetime | None
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    milliseconds: int = Field(description="That its calls held the model.")
    calls: list[dict[str, Any]] = Field(description="Of the model: messages as sent, settings, reply, tokens, seconds.")
    passages: list[dict[str, Any]] = Field(description="Whole, with their scores; without words where you may no longer open the document.")
    decisions: list[dict[str, Any]] = Field(description="What was decided, and why.")
    hidden: int = Field(description="Documents whose words were left out, since you may no longer open them.")
    kept: bool = Field(description="false: no more than the step itself is kept.")
    left_out: bool = Field(description="The run's room was used up: not all of it was kept.")


class TraceOut(Schema):
    run: uuid.UUID
    question: str
    status: str
    model: str
    seed: int
    agent: uuid.UUID | None
    agent_version: int | None
    repeats: uuid.UUID | None = Field(description="The run that it asks again.")
    as_then: bool
    usage: dict[str, int]
    steps: list[TraceStepOut]
    missing: list[str] = Field(description="What stands in the way of running it again as then, in words.")


class PieceOut(Schema):
    text: str
    differs: bool


class StepPairOut(Schema):
    key: str
    change: Literal["same", "changed", "gone", "new"]
    differences: list[str]


class ComparisonOut(Schema):
    then: uuid.UUID
    now: uuid.UUID
    status: str = Field(description="Of the newer run.")
    same: bool = Field(description="Both answers are the same, word for word.")
    old: list[PieceOut]
    new: list[PieceOut]
    steps: list[StepPairOut]


class RunPage(Page):
    items: list[RunOut]


# --- what agents wrote ----------------------------------------------------------------------------------------------------------------
class ArtifactOut(Schema):
    id: uuid.UUID
    title: str
    thread: uuid.UUID | None = Field(description="That it comes from; null where it was deleted.")
    newest: int = Field(description="The number of its newest version.")
    created_at: datetime


class ArtifactPage(Page):
    items: list[ArtifactOut]


class VersionOut(Schema):
    number: int
    run: uuid.UUID | None = Field(description="That wrote it; null where it was deleted.")
    created_at: datetime


class VersionPage(Page):
    items: list[VersionOut]


class VersionText(VersionOut):
    text: str = Field(description="Markdown.")
    citations: list[CitationOut] = Field(description="Offsets are code points of `text`.")


# --- what was done and used -----------------------------------------------------------------------------------------------------------
class AuditEventOut(Schema):
    number: int
    at: datetime
    actor: str = Field(description="An e-mail address; empty: North itself.")
    action: str
    thing: str
    thing_id: str
    detail: dict[str, Any]
    trace: str = Field(description="The X-Request-ID under which it was done.")


class AuditAsked(Paging):
    action: Text = Field("", max_length=60, description="Such as document.delete.")
    actor: Text = Field("", max_length=254, description="An e-mail address.")


class AuditPage(Page):
    items: list[AuditEventOut]


class Figures(Schema):
    count: int = Field(description="Questions, searches and documents.")
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    milliseconds: int = Field(description="That calls held the models.")


class NamedFigures(Figures):
    id: str | None = Field(description="null: North itself, or no key.")
    name: str


class DayFigures(Figures):
    day: date
    model: str


class UsageAsked(Schema):
    days: int = Field(30, ge=1, le=366)


class UsageOut(Schema):
    total: Figures
    days: list[DayFigures]
    kinds: list[NamedFigures]
    models: list[NamedFigures]
    users: list[NamedFigures]
    keys: list[NamedFigures]
