"""What the REST API takes and gives: JSON by these shapes. Vectors, paths and other workspaces are in none of them."""

from __future__ import annotations

from typing import Annotated

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


def storable(text: str) -> str:
    """No database keeps a NUL or half a character."""
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise PydanticCustomError("not_text", "The text holds a NUL or half a character (a lone surrogate). Leave it out.")
    return text


Text = Annotated[str, AfterValidator(storable)]


class In(Schema):
    """What a caller sends. A field that does not exist is an error, so that a slip of the pen changes nothing by halves."""

    model_config = ConfigDict(extra="forbid")


class WrongField(Schema):
    field: str = Field(description="A JSON pointer into the body, or a parameter's name.")
    detail: str


class Problem(Schema):
    type: str = Field(description="An address that says what kind of problem this is.")
    title: str
    status: int
    detail: str = Field(description="What is wrong and what to do, in a sentence.")
    code: str = Field(description="The last part of `type`, for programs: not_found, invalid, too_large, overloaded, ...")
    errors: list[WrongField] = Field(default_factory=list)


class Page(Schema):
    next: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")
