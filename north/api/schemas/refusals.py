"""When a workspace refuses: marks, the curve that comes of them, and the threshold."""

from __future__ import annotations

import uuid

from ninja import Schema
from pydantic import Field

from north.api.schemas import In


class PointOut(Schema):
    threshold: float
    marks: int
    answered: int = Field(description="Of the marked questions, at this threshold.")
    wrong: int = Field(description="Of these: the passages do not answer it.")
    refused: int = Field(description="Refused although the passages answer it.")
    coverage: float
    risk: float
    interval: tuple[float, float] = Field(description="Where the risk lies with 95 % confidence.")


class FitOut(Schema):
    chosen: PointOut
    held: tuple[int, int] = Field(description="Wrong, and answered, of questions that each threshold was chosen without.")
    held_interval: tuple[float, float]


class RefusalsOut(Schema):
    threshold: float = Field(description="Below which evidence, 0 to 1, questions are refused; 0: the chat model alone decides.")
    judge: str = Field(description="The model that judges passages; empty: none does, and no threshold holds.")
    marks: int
    needed: int = Field(description="Marks from which on a threshold is fitted; at least 5 of each kind.")
    curve: list[PointOut] = Field(description="By marks of the model that judges now; empty while they are too few.")
    fitted: FitOut | None = Field(description="For the risk that was asked for; null: too few marks, or no threshold keeps it.")


class QuoteOut(Schema):
    document: uuid.UUID
    name: str
    start: int
    end: int
    text: str


class ProposalOut(Schema):
    id: uuid.UUID
    question: str
    evidence: float
    quotes: list[QuoteOut]


class EvidenceMarkIn(In):
    id: uuid.UUID = Field(description="Of a proposal.")
    answers: bool = Field(description="Its passages answer the question.")


class EvidenceMarkOut(Schema):
    id: uuid.UUID
    question: str
    evidence: float
    answers: bool


class ThresholdIn(In):
    risk: float = Field(description="The share of wrong answers to fit to: 0.01, 0.02, 0.05, 0.1 or 0.2.")
