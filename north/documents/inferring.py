"""What a question says of filters by itself: "pdf from 2024 about leave", "by Anna", "in the last month". Pure; few rules, and careful
ones: what may as well be about the content ("revenue in 2024", "email policy") says nothing. Each is shown, and one click takes it back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from north.documents import wordings

TONGUE: Final = "|".join(sorted(map(re.escape, wordings.LANGUAGES), key=len, reverse=True))
KINDS: Final = "|".join(f"(?P<{name}>{words})" for name, words in wordings.TYPES.items())
DIRECTION: Final = f"(?P<during>{wordings.DURING})|(?P<since>{wordings.SINCE})|(?P<before>{wordings.BEFORE})|(?P<after>{wordings.AFTER})"
THE_YEAR: Final = r"(?P<year>(?:19|20)\d\d)"
HEAD: Final = re.compile(
    rf"\s*{wordings.BEGIN}(?:(?P<tongue>{TONGUE}){wordings.ENDING} )?(?:{KINDS}|(?P<any>{wordings.DOCUMENTS}))(?=\s|$)", re.IGNORECASE
)
ABOUT: Final = re.compile(rf"\s*(?:(?:{wordings.ABOUT})\s+(?=\S)|[.?!]*\s*$)", re.IGNORECASE)
YEAR: Final = re.compile(rf"\s+(?:{DIRECTION})\s+{THE_YEAR}(?![\w.,]\d)\b", re.IGNORECASE)
BETWEEN: Final = re.compile(
    rf"\s+(?:{wordings.BETWEEN[0]})\s+(?P<first>(?:19|20)\d\d)\s+(?:{wordings.BETWEEN[1]})\s+(?P<last>(?:19|20)\d\d)\b", re.IGNORECASE
)
IN_TONGUE: Final = re.compile(rf"\s+(?:{wordings.IN})\s+(?P<tongue>{TONGUE})\b", re.IGNORECASE)
LATELY: Final = [re.compile(rf"(?:^|\s+){said}\b", re.IGNORECASE) for said in wordings.LATELY]
CHANGED: Final = re.compile(rf"(?:^|\s+)(?P<verb>{wordings.CHANGED})\s+(?:{DIRECTION})\s+{THE_YEAR}\b", re.IGNORECASE)
NAME: Final = r"(?P<name>[^\W\d_a-z][\w'’.-]*(?:\s+[^\W\d_a-z][\w'’.-]*){0,2})"
BY: Final = re.compile(rf"(?:^|\s+)(?:{wordings.WROTE})\s+{NAME}")
FROM_PERSON: Final = re.compile(rf"\s+from\s+{NAME}")
OF_PERSON: Final = re.compile(rf"\s+(?:{wordings.OF_PERSON})\s*{NAME}")


@dataclass
class Inferred:
    """`given`: filters as people give them (filtering.py); `rest`: the question without the words that said them, or all of it where
    nothing else is left."""

    question: str
    given: dict[str, object] = field(default_factory=dict)
    rest: str = ""

    def take(self, found: re.Match[str], **given: object) -> None:
        """This part of the question said these filters: it goes out, unless one of them is there already."""
        if not given.keys() & self.given.keys():
            self.given |= given
            self.rest = f"{self.rest[: found.start()]} {self.rest[found.end() :]}".strip()


def infer(
    question: str,
    *,
    today: date,
    sources: Collection[str] = (),
    is_author: Callable[[str], bool] = lambda name: False,
    ignored: Collection[str] = (),
) -> Inferred:
    """`sources`: the names that this person may know; `is_author`: whether somebody of this name wrote something; `ignored`: filters that
    the person took back, by name."""
    found = Inferred(question, rest=question)
    for rule in (in_japanese, by_source, by_head, by_person, by_change, lately):
        rule(found, today, sources, is_author)
    given = {name: value for name, value in found.given.items() if name not in ignored}
    if len(given) < len(found.given):
        return Inferred(question, given, question)
    found.rest = found.rest if found.rest.strip(" ,.?!") else question
    return found


def by_source(found: Inferred, today: date, sources: Collection[str], is_author: Callable[[str], bool]) -> None:
    """ "from Handbook", "in the Handbook source"; the longest name first."""
    for name in sorted(sources, key=len, reverse=True):
        exact = re.escape(name)
        said = rf"(?:^|\s+)(?:from\s+(?:the\s+)?{exact}(?:\s+(?:source|folder))?|in\s+(?:the\s+)?{exact}\s+(?:source|folder))\b"
        if match := re.search(said, found.rest, re.IGNORECASE):
            found.take(match, source=[name])
            return


def by_head(found: Inferred, today: date, sources: Collection[str], is_author: Callable[[str], bool]) -> None:
    """ "pdf from 2024 by Anna about ...": a kind of document, what is said of it, and then its topic or nothing. Anything else may be a
    part of the topic."""
    head = HEAD.match(found.rest)
    if not head:
        return
    kind = next((name for name in wordings.TYPES if head[name]), "")
    given: dict[str, object] = {"type": [kind]} if kind else {}
    if head["tongue"]:
        given["language"] = [wordings.LANGUAGES[head["tongue"].casefold()]]
    end = head.end()
    while more := _more(found.rest, end, kind, today, is_author):
        given = {**more[0], **given}
        end = more[1]
    about = ABOUT.match(found.rest, end)
    rest = found.rest[end:]
    if given and (about or any(one.match(rest) for one in LATELY) or CHANGED.match(rest)):
        found.given |= {name: value for name, value in given.items() if name not in found.given}
        found.rest = found.rest[about.end() if about else end :].strip()


def _more(text: str, start: int, kind: str, today: date, is_author: Callable[[str], bool]) -> tuple[dict[str, object], int] | None:
    if match := BETWEEN.match(text, start):
        return years("updated", match["first"], match["last"]), match.end()
    if match := YEAR.match(text, start):
        return year_of("updated", direction(match), match["year"]), match.end()
    if match := IN_TONGUE.match(text, start):
        return {"language": [wordings.LANGUAGES[match["tongue"].casefold()]]}, match.end()
    for rule in (BY, OF_PERSON, FROM_PERSON):
        match = rule.match(text, start)
        if match and (rule is not FROM_PERSON or kind == "mail") and (name := _author(match["name"], is_author)):
            return {"author": [name]}, match.start("name") + len(name)
    return None


def _author(name: str, is_author: Callable[[str], bool]) -> str:
    """The longest beginning of the words that is an author's name."""
    words = name.split()
    options = (re.match(r"\s+".join(map(re.escape, words[:count])), name) for count in range(len(words), 0, -1))
    return next((option.group() for option in options if option and is_author(option.group())), "")


def by_person(found: Inferred, today: date, sources: Collection[str], is_author: Callable[[str], bool]) -> None:
    for match in BY.finditer(found.rest):
        if name := _author(match["name"], is_author):
            cut = re.compile(re.escape(found.rest[match.start() : match.start("name") + len(name)])).search(found.rest, match.start())
            if cut:
                found.take(cut, author=[name])
            return


def by_change(found: Inferred, today: date, sources: Collection[str], is_author: Callable[[str], bool]) -> None:
    """ "changed since 2023": said of a document, not of what it says."""
    if match := CHANGED.search(found.rest):
        kind = "created" if wordings.CREATED.fullmatch(match["verb"]) else "updated"
        found.take(match, **year_of(kind, direction(match), match["year"]))


def lately(found: Inferred, today: date, sources: Collection[str], is_author: Callable[[str], bool]) -> None:
    """ "in the last month"."""
    match = next((match for said in LATELY if (match := said.search(found.rest))), None)
    if match and "updated_to" not in found.given:
        unit = next(days for name, (days, _words) in wordings.UNITS.items() if match[name])
        found.take(match, updated_from=before(today, int(match["count"] or 1) * unit))


def in_japanese(found: Inferred, today: date, sources: Collection[str], is_author: Callable[[str], bool]) -> None:
    """ "出張費についての2024年のPDF": the topic comes first, and the kind of document last."""
    match = wordings.JAPANESE.fullmatch(found.rest.strip())
    if not match:
        return
    kinds = [kind for kind in wordings.JAPANESE_TYPES if match[kind]]
    given: dict[str, object] = {"type": kinds} if kinds else {}
    if match["name"] and not is_author(match["name"]):
        return
    if match["name"]:
        given["author"] = [match["name"]]
    if match["year"]:
        how = {"以降": "since", "以前": "until"}.get(match["how"] or "", "during")
        given |= year_of("updated", how, match["year"])
    if days := wordings.JAPANESE_LATELY.get(match["lately"] or ""):
        given["updated_from"] = before(today, days)
    if match["count"]:
        given["updated_from"] = before(today, int(match["count"]) * wordings.JAPANESE_UNITS[match["unit"]])
    if given:
        found.given, found.rest = given, (match["topic"] or "").strip()


def before(today: date, days: int) -> str:
    return (today - timedelta(days=min(days, 36_500))).isoformat()


def direction(match: re.Match[str]) -> str:
    return next(name for name in ("during", "since", "before", "after") if match[name])


def year_of(kind: str, how: str, year: str) -> dict[str, object]:
    match how:
        case "since":
            return {f"{kind}_from": f"{year}-01-01"}
        case "after":
            return {f"{kind}_from": f"{int(year) + 1}-01-01"}
        case "until":
            return {f"{kind}_to": f"{year}-12-31"}
        case "before":
            return {f"{kind}_to": f"{int(year) - 1}-12-31"}
    return years(kind, year, year)


def years(kind: str, first: str, last: str) -> dict[str, object]:
    first, last = sorted((first, last))
    return {f"{kind}_from": f"{first}-01-01", f"{kind}_to": f"{last}-12-31"}


def names_in(question: str) -> list[str]:
    """What may be an author's name in it: whoever knows the authors looks for these."""
    found = [match["name"].split() for rule in (BY, OF_PERSON, FROM_PERSON) for match in rule.finditer(question)]
    found += [[match["name"]] for match in [wordings.JAPANESE.fullmatch(question.strip())] if match and match["name"]]
    return list(dict.fromkeys(" ".join(words[:count]) for words in found for count in range(len(words), 0, -1)))
