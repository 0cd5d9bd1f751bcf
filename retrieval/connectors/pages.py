"""Makes documents of what services hold as pages, issues and messages: HTML, which is known as such whatever the thing is called. Knows
no service. Two connectors or more use each of these."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import wraps
from html import escape
from typing import Any, Final, ParamSpec, TypeVar

from markdown_it import MarkdownIt

from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Answer, Finding
from retrieval.errors import ItemBroken, RateLimited, RightMissing, SourceError, SourceGarbled, SourceMissing, SourceUnreachable
from retrieval.types import Cursor, Fetched, Listing

P = ParamSpec("P")
One = TypeVar("One")
ONE_THING: Final = (SourceMissing, SourceUnreachable, SourceGarbled, RightMissing)
"""What may be the fault of the one thing that was asked for; the other refusals are the source's."""
NO_SENSE: Final = (KeyError, IndexError, TypeError, AttributeError, ValueError)
"""What comes of answers that lack what their documents promise."""
NEXT: Final = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel="?next"?')
MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def page(title: str, *parts: str) -> bytes:
    """A page of these parts, which are HTML."""
    head = f"<head><meta charset='utf-8'><title>{escape(title)}</title></head>"
    return f"<!doctype html><html>{head}<body>{''.join(parts)}</body></html>".encode(errors="replace")


def heading(text: str, level: int = 1) -> str:
    return f"<h{level}>{escape(text)}</h{level}>"


def facts(*pairs: tuple[str, object]) -> str:
    """One line of what is known of a thing, without what is not."""
    return "".join(f"<p>{escape(label)}: {escape(str(value))}</p>" for label, value in pairs if value)


def plain(text: str) -> str:
    return "".join(f"<p>{escape(part).strip().replace(chr(10), '<br>')}</p>" for part in re.split(r"\n\s*\n", text) if part.strip())


def markdown(text: str) -> str:
    return str(MARKDOWN.render(text))


def fetched(get: Callable[[], bytes]) -> Callable[[], bytes]:
    """The same, but what is this one thing's fault is said to be so."""

    def read() -> bytes:
        try:
            return get()
        except ONE_THING as error:
            raise ItemBroken(f"It could not be fetched. {error}") from error
        except NO_SENSE as error:
            raise ItemBroken(f"What its source tells of it makes no sense ({type(error).__name__}).") from error

    return read


def moment(said: object) -> datetime | None:
    """A time as services write it, ISO 8601; None where it is none."""
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def onward(answer: Answer) -> str:
    """The next page by the Link header (RFC 8288), or nothing."""
    found = NEXT.search(answer.headers.get("link", ""))
    return found[1] if found else ""


def linked(ask: Asker, path: str, params: Mapping[str, Any], where: str) -> Iterator[Mapping[str, Any]]:
    """All of a listing whose pages lead on by their Link headers."""
    answer, seen = ask.ask(path, params), set[str]()
    while True:
        yield from several(decoded(answer, where), "", where)
        path = onward(answer)
        if not path:
            return
        if path in seen:
            raise SourceGarbled(where, "a page that leads to itself")
        seen.add(path)
        answer = ask.ask(path)


def decoded(answer: Answer, where: str) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise SourceGarbled(where, "no JSON, or only a part of it") from error


def several(said: Any, name: str, where: str) -> list[Mapping[str, Any]]:
    """The list of things by this name in an answer (in the answer itself for ""). Raises SourceGarbled where there is none."""
    found = said if not name else said.get(name) if isinstance(said, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise SourceGarbled(where, "a page without its list")
    return found


def tried(works: str, call: Callable[[], object], missing: str = "") -> Finding:
    """Whether something that a sync needs can be done: `works` in words, else why not and `missing`, what comes of it."""
    try:
        call()
    except RateLimited as error:
        return Finding(None, str(error))
    except SourceError as error:
        return Finding(False, f"{error} {missing}".strip())
    return Finding(True, works)


def lacking(wanted: Iterable[str], there: Iterable[str], what: str) -> Iterable[Finding]:
    """A line for each that was named in the settings and that the account cannot see."""
    known = {one.casefold() for one in there}
    for name in wanted:
        if name.casefold() not in known:
            yield Finding(
                False, f'The {what} "{name}" is not there, or the account may not see it. Correct the name, or grant it the right.'
            )


def all_there(wanted: Iterable[str], there: Iterable[str], what: str) -> None:
    """Raises SourceMissing where one that was named is not to be seen, or none at all: then it is not known that its things are gone."""
    known = {one.casefold() for one in there}
    missing = [name for name in wanted if name.casefold() not in known]
    if missing or not known:
        raise SourceMissing(f"{what} {missing[0]}" if missing else f"any {what}")


def sensible(service: str) -> Callable[[Callable[P, Iterator[One]]], Callable[P, Iterator[One]]]:
    """A function of a connector that says so where the service's answers lack what its documents promise."""

    def around(told: Callable[P, Iterator[One]]) -> Callable[P, Iterator[One]]:
        @wraps(told)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Iterator[One]:
            try:
                yield from told(*args, **kwargs)
            except NO_SENSE as error:
                raise SourceGarbled(service, f"{type(error).__name__} in what it tells of a thing") from error

        return guarded

    return around


def in_parts(
    cursor: Mapping[str, Any] | None, parts: Mapping[str, Callable[[], Iterable[Fetched]]], people: Callable[[], Iterable[Fetched]]
) -> Iterator[Fetched]:
    """The passes of a source that is listed afresh each time, part by part; the cursor is the last part that was listed wholly.

    A listing that was interrupted comes to its end first, so that one too long for the source's patience does so some day; then there is
    another one, because its first parts may have changed meanwhile.
    """
    begun = str((cursor or {}).get("after", ""))
    for after in [begun, ""] if begun else [""]:
        if not after:
            yield Listing()
        for key in sorted(parts):
            if key > after:
                yield from parts[key]()
                yield Cursor({"after": key})
        yield from people()
        yield Cursor({}, complete=True)
