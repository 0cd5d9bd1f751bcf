"""What a caller sent, read field by field: null is the same as nothing, what nobody asks for is not looked at, and what has the wrong type
or lies outside its range is a 400 that names the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from north.api.faults import Fault


class Given:
    """`within`: the name of the field that holds this object, for what is said of faults."""

    def __init__(self, body: Mapping[str, Any], within: str = "") -> None:
        self.body, self.within = body, within

    def wrong(self, name: str, words: str) -> Fault:
        place = f"{self.within}.{name}" if self.within else name
        return Fault(400, f"invalid request: {place} {words}", param=place)

    def has(self, name: str) -> bool:
        return self.body.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Without a default it must be there."""
        value = self.body.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise self.wrong(name, "is required")
        if not isinstance(value, str):
            raise self.wrong(name, "must be a string")
        return value

    def flag(self, name: str) -> bool:
        value = self.body.get(name)
        if value in (None, "false", "true"):  # as clients write it behind a question mark
            return value == "true"
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        value = self.body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "must be a number")
        if not least <= value <= most:
            raise self.wrong(name, f"must be between {least:g} and {most:g}")
        return value

    def whole(self, name: str, least: int = 1, most: int = 2**31 - 1) -> int | None:
        value = self.body.get(name)
        if isinstance(value, str) and value.isdecimal() and len(value) < 10:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "must be a whole number")
        if not least <= value <= most:
            raise self.wrong(name, f"must be at least {least}" if value < least else f"must be at most {most}")
        return value

    def one_of(self, name: str, options: Sequence[str], default: str = "") -> str:
        """In the options' own case. Without a default it must be there."""
        value = self.text(name, default or None)
        for option in options:
            if value.casefold() == option.casefold():
                return option
        raise self.wrong(name, f"must be one of {', '.join(options)}")

    def listed(self, name: str) -> list[Any]:
        value = self.body.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        return value

    def texts(self, name: str) -> list[str]:
        values = self.listed(name)
        for place, value in enumerate(values):
            if not isinstance(value, str):
                raise self.wrong(f"{name}[{place}]", "must be a string")
        return values

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return value

    def part(self, name: str) -> Given:
        """An object in it; an empty one where there is none."""
        return Given(self.mapping(name) or {}, self.place(name))

    def parts(self, name: str) -> list[Given]:
        """A list of objects in it."""
        found = []
        for number, value in enumerate(self.listed(name)):
            if not isinstance(value, dict):
                raise self.wrong(f"{name}[{number}]", "must be an object")
            found.append(Given(value, self.place(f"{name}[{number}]")))
        return found

    def place(self, name: str) -> str:
        return f"{self.within}.{name}" if self.within else name
