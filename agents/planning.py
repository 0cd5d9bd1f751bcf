"""Which tools a question needs, told by rules: a small model plans badly, and a question that needs none must not wait for a plan.

Only a request of several parts is planned by the model, within what the tools allow. Knows no graph; what it makes are plain tasks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from agents import difficulty
from agents.charting import CHARTS
from agents.context import Sheets
from agents.errors import ToolFailed
from agents.matching import words_of
from agents.plans import CRITERION_CHARACTERS, INPUT_CHARACTERS, task
from agents.state import Plain
from agents.tools.calculate import value_of

MOST_TASKS = 5

_BEFORE = r"(?:^|[.!?:;,]\s*|\b(?:please|and|then|you|me|bitte|und|dann|mir|puis|et|y|luego|por favor)\s+)"
_MAKE = (
    r"write|draft|create|prepare|compose|produce|save|schreib\w*|erstelle?n?|verfasse?n?|entwirf|speichere?"
    r"|[ée]cri[st]\w*|r[ée]dige\w*|pr[ée]pare\w*|cr[ée]e[rz]?|enregistre\w*|escrib\w+|redacta\w*|prepar[ae]\w*|guarda\w*"
)
_PAPER = (
    r"report|document|memo(?:randum)?|note|letter|briefing|paper|bericht|dokument|vermerk|notiz|brief|protokoll"
    r"|rapport|lettre|mémo|informe|documento|nota|carta"
)
_ABOUT = r"about|on|of|that|which|with|for|comparing|über|zu[mr]?|mit|von|für|sur|qui|avec|pour|de|sobre|con|para|que"
_WRITES = re.compile(
    rf"{_BEFORE}(?P<order>(?:{_MAKE})\b[^.!?\n]{{0,60}}?\b(?:{_PAPER})\w{{0,2}}\b(?:[:,]?\s+(?:{_ABOUT})\b)?:?)", re.IGNORECASE
)
_EXPRESSION = re.compile(
    r"(?<![\w.,/-])(?:(?:min|max|round|sum|sqrt)\([\d\s.,()*+/-]+\)|[-(]*\d[\d.,]*\s*%?\)*(?:\s*(?:[*×·÷^+]|(?<=\s)[-−/](?=\s))\s*[-(]*\d[\d.,]*\s*%?\)*)+"
    r"|\d[\d.,]*\s*%\s*(?:of|von|de|di)\s+\d[\d.,]*\d|\d[\d.,]*\s*%\s*(?:of|von|de|di)\s+\d)(?![\w/-])",
    re.IGNORECASE,
)
_WORKS_OUT = re.compile(
    r"\b(?:calculate|compute|work out|in total|altogether|berechne\w*|rechne\w*|insgesamt|calcule\w*|au total|calcula\w*|en total)\b",
    re.IGNORECASE,
)
_COUNTS = re.compile(
    r"\b(?:how many|number of|count|average|the mean|mean (?:of|value)|median|sum|total|highest|lowest|largest|smallest|most|least"
    r"|maximum|minimum|top \d+|per"
    r"|wie ?viele?|anzahl|durchschnitt\w*|summe|gesamt\w*|höchste\w*|niedrigste\w*|größte\w*|kleinste\w*|je|pro"
    r"|combien|nombre de|moyenne|somme|maximum|minimum|le plus|le moins|par"
    r"|cuánt[oa]s|número de|promedio|media|suma|máximo|mínimo|más|menos|por)\b",
    re.IGNORECASE,
)
ADDRESS = re.compile(r"https?://[^\s<>\"“”]{4,2000}", re.IGNORECASE)
_FILE = re.compile(
    r"[“\"„«'](?P<quoted>[^”\"“»']{3,120})[”\"“»']|(?P<plain>[\w-][\w.()-]*\.(?:pdf|docx?|xlsx?|pptx?|md|txt|html?|csv|od[tsp]|eml|rtf|epub))\b"
)
_OPENS = re.compile(r"\b(?:summari[sz]e|read|open|fasse?|zusammen\w*|lies|öffne|résume\w*|lis|ouvre|resum\w+|lee|abre)\b", re.IGNORECASE)
_GRID = re.compile(r"\b(?:table|grid|matrix|side by side|tabelle|übersicht|gegenüber\w*|tableau|tabla)\b", re.IGNORECASE)
_ALL = re.compile(
    r"\b(?:all|each|every|alle[nr]?|jede[nrsm]?|tou(?:s|tes)|chaque|todos|todas|cada)\b"
    r"(?: (?:of )?(?:the|our|der|die|unsere[nr]?|les|nos|los|las))?"
    r"\s+(?P<group>\w+(?: (?!on\b|by\b|for\b|in\b|nach\b|sur\b)\w+)?)",
    re.IGNORECASE,
)
_ASPECTS = re.compile(
    r"(?::|\b(?:regarding|concerning|in terms of|with (?:regard|respect) to|according to|by(?: their)?|on|for(?: their)?"
    r"|hinsichtlich|bezüglich|in bezug auf|nach|bei|concernant|quant à|selon|sur|en cuanto a|según|por|respecto a))\s+(?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN_ASPECTS = re.compile(r"[,;?.\n]|\s+(?:and|und|et|y|or|oder|ou|sowie)\s+", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:their|the|its|das|die|der|den|dem|ihre[nr]?|les?|la|leurs?|los|las|el|sus?)\s+", re.IGNORECASE)
MANY_PARTS = re.compile(
    r"\b(?:first|zuerst|d['’]abord|primero)\b.+\b(?:then|dann|danach|ensuite|puis|luego|después)\b|(?:^|\n)\s*2[.)]\s|;\s*then\b",
    re.I | re.S,
)


def topic_of(question: str) -> str:
    """What a document shall be about: the request without "write a report on"; the question itself where nothing is to be written."""
    match = _WRITES.search(question)
    if match is None:
        return question
    rest = " ".join((question[: match.start("order")].rstrip() + " " + question[match.end("order") :]).split())
    return re.sub(r"^(?:please|can you|could you|bitte|kannst du|können sie)?[\s,:]*|[\s.,:!?]*$", "", rest, flags=re.IGNORECASE)


def writes(question: str) -> bool:
    return bool(_WRITES.search(question))


def holds_nothing(about: str) -> Sequence[Sheets]:
    return ()


def names_nothing(question: str) -> Sequence[str]:
    return ()


def tasks_of(
    question: str,
    sheets: Callable[[str], Sequence[Sheets]],
    tools: Collection[str],
    named: Callable[[str], Sequence[str]] = names_nothing,
) -> list[Plain]:
    """The tasks beside the search, in order; none for most questions. `sheets` is asked only where rows may be counted, `named` only where
    documents may be compared."""
    topic = topic_of(question)
    found = []
    if writes(question) and not words_of(topic).words:
        found.append(task("Ask what it should be about", "ask_user", "What should the document be about?"))
    for name in [one for one in tools if "." in one and f"@{one}".lower() in question.lower()]:
        found.append(task(f"Use {name}", name, topic))
    if address := ADDRESS.search(question):
        url = address[0].rstrip(".,;:!?)’'”\"")
        found.append(task("Read the page", "fetch_page", url, {"url": url}))
    without = ADDRESS.sub("", question)
    if "compare_documents" in tools and (documents := compared(without, named)):
        aspects = {"questions": said} if (said := aspects_of(topic, documents)) else {}
        found.append(task("Compare the documents", "compare_documents", topic, {"documents": documents, **aspects}))
    elif (file := _FILE.search(without)) and (file["plain"] or _OPENS.search(question)):
        found.append(task("Open the document", "read_document", file["plain"] or file["quoted"]))
    if expression := expression_in(question):
        found.append(task("Work out the numbers", "calculate", expression, {"expression": expression}))
    elif _WORKS_OUT.search(question) and any(map(str.isdigit, question)):
        found.append(task("Work out the numbers", "calculate", topic))
    if (
        "query_table" in tools
        and (_COUNTS.search(topic) or CHARTS.search(topic))
        and (fitting := [one for one in sheets(topic) if fits(topic, one)])
    ):
        found.append(task(f"Ask the table {fitting[0].name}", "query_table", topic, {"document": fitting[0].document}))
        if CHARTS.search(question):
            found.append(task("Draw the chart", "create_chart", title_of(topic), {"document": fitting[0].document}))
    if writes(question):
        found.append(task("Write the document", "write_document", title_of(topic)))
    return [one for one in found if one["tool"] in tools]


def compared(question: str, named: Callable[[str], Sequence[str]]) -> list[str]:
    """The documents that a question wants compared, two at least; none where it wants something else."""
    if not (difficulty.compares(question) or _GRID.search(question)):
        return []
    written = [match["plain"] or match["quoted"] for match in _FILE.finditer(question)]
    files = {name.lower(): name for name in (*named(question), *written)}
    names = [name for name in files.values() if not any(name != other and name in other for other in files.values())]
    return names if len(names) > 1 else []


def named_in(question: str, names: Sequence[str]) -> list[str]:
    """Of these documents those that the question names, in its order; else those that are "all" of what it speaks of."""
    said = f" {_words(question)} "
    places = {name: said.find(f" {words} ") for name in names if len(words := _words(spoken(name))) > 3}
    found = sorted((name for name, place in places.items() if place >= 0), key=lambda name: places[name])
    if len(found) < 2 and (match := _ALL.search(question)):
        wanted = _words(match["group"]).split()
        found = [name for name in names if all(any(_alike(word, one) for one in _words(spoken(name)).split()) for word in wanted)]
    return found


def _alike(one: str, other: str) -> bool:
    """Whether the two are one word but for its end, as "contracts" and "contract" are."""
    short, long = sorted((one, other), key=len)
    return len(short) > 2 and len(long) - len(short) <= 3 and long.startswith(short[: max(3, len(short) - 1)])


def _words(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+|_", " ", text.lower()).split())


def aspects_of(question: str, documents: Sequence[str]) -> list[str]:
    """What is to be compared, as the question says it: "notice period", "price"; nothing where it does not."""
    rest = question
    for name in sorted({part for document in documents for part in (document, spoken(document))}, key=len, reverse=True):
        rest = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", rest, flags=re.IGNORECASE)
    match = _ASPECTS.search(re.sub(r"[“”\"„«»']", " ", rest))
    parts = _BETWEEN_ASPECTS.split(match["rest"]) if match else []
    said = [_ARTICLE.sub("", " ".join(part.split())) for part in parts]
    return [one[:INPUT_CHARACTERS] for one in said if words_of(one).words]


def spoken(name: str) -> str:
    """A document's name as people say it: "supplier-contract_acme.pdf" is "supplier contract acme"."""
    return " ".join(re.sub(r"[_\-.]+", " ", re.sub(r"\.\w{2,5}$", "", name)).lower().split())


def expression_in(question: str) -> str:
    """The arithmetic that stands in the question, if it can be worked out; a date, a range of years and a phone number are none."""
    match = _EXPRESSION.search(question)
    if match is None:
        return ""
    expression = match[0].strip().rstrip(".,")
    try:
        value_of(expression)
    except ToolFailed:
        return ""
    return expression


def fits(question: str, sheets: Sheets) -> bool:
    """Whether a question about numbers is one to these tables: it names the file, or two of their columns, table names or values."""
    asked = words_of(question).words
    if sheets.name.lower().rpartition(".")[0] in question.lower():
        return True
    said = [words_of(f"{table['name']} {one['name']} {' '.join(map(str, one['samples']))}".replace("_", " ")).words
            for table in sheets.tables for one in table["columns"]]  # fmt: skip
    return sum(bool(words & asked) for words in said) >= 2


def title_of(topic: str) -> str:
    title = " ".join(topic.split())[:100].rstrip(".,:;!? ")
    return title[:1].upper() + title[1:] if title else "Document"


def planned(said: Mapping[str, Any], tools: Collection[str]) -> tuple[list[Plain], int]:
    """The steps of a model's plan, and how many of them were left out: unknown tools, empty or said before."""
    steps = said.get("steps")
    tasks: list[Plain] = []
    seen: set[tuple[str, str]] = set()
    steps = steps if isinstance(steps, list) else []
    for step in steps[:MOST_TASKS]:
        parts = [step.get(name) for name in ("name", "tool", "input")] if isinstance(step, dict) else [None]
        if not all(isinstance(part, str) and part.strip() for part in parts):
            continue
        name, tool, input = (" ".join(str(part).split())[:INPUT_CHARACTERS] for part in parts)
        if (tool, input.lower()) in seen or tool not in {*tools, "search"}:
            continue
        seen.add((tool, input.lower()))
        done_when = step.get("done_when")
        criterion = " ".join(done_when.split())[:CRITERION_CHARACTERS] if isinstance(done_when, str) else ""
        tasks.append(task(name, tool, input, criterion=criterion))
    return tasks, len(steps) - len(seen)


def ordered(tasks: Sequence[Plain], searches: int, late: Collection[str]) -> list[Plain]:
    """The same with at most so many searches, and what must wait: what is worked out for what is looked up before it, and whatever a tool
    of `late` does for the answer."""
    over = [place for place, one in enumerate(tasks) if one["tool"] == "search"][max(0, searches) :]
    kept = [one for place, one in enumerate(tasks) if place not in over]
    return [
        {**one, "after": list(range(place)) if one["tool"] == "calculate" and not one["arguments"] else [], "late": one["tool"] in late}
        for place, one in enumerate(kept)
    ]
