"""A golden set as a file: one JSON object a line, in the manner of BEIR's queries, with what BEIR keeps in qrels beside each. No corpus:
documents are named by their id or their name.

    {"_id": "...", "text": "How many days of leave?", "answers": [{"document": id, "name": "leave.docx", "score": 1}]}
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from north.documents.filtering import plain
from north.evaluation import golden
from north.evaluation.errors import Refused
from north.workspaces.models import Membership

BYTES = 5_000_000
NAMES = 500
"""Names of one query to the database."""
GRADES = range(1, 11)


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    answers: Sequence[tuple[str, int]]
    """Ids or names of documents, with grades."""


def exported(reader: Membership) -> Iterator[str]:
    """Line by line, with the documents that whoever exports may read themselves; a question without any is left out."""
    for question in golden.questions_of(reader).prefetch_related("answers").order_by("created_at", "pk"):
        answers = question.answers.all()
        names = golden.names_of([one.document_id for one in answers], reader)
        told = [
            {"document": str(one.document_id), "name": names[one.document_id], "score": one.grade}
            for one in answers
            if one.document_id in names
        ]
        if told:
            yield json.dumps({"_id": str(question.pk), "text": question.text, "answers": told}, ensure_ascii=False) + "\n"


@transaction.atomic
def imported(data: bytes, *, actor: Membership) -> int:
    """The number of questions that were taken: all of the file, or none. They become questions of whoever imports. Raises Refused, with the
    line."""
    lines = list(parsed(data))
    if not lines:
        raise Refused(_("The file holds no question."))
    known = documents_of({name for line in lines for name, _grade in line.answers}, actor)
    for line in lines:
        try:
            golden.write(line.text, {found(name, known): grade for name, grade in line.answers}, actor=actor)
        except Refused as refusal:
            raise at(line.number, str(refusal)) from None
    return len(lines)


def parsed(data: bytes) -> Iterator[Line]:
    if len(data) > BYTES:
        raise Refused(_("The file is larger than %d MB.") % (BYTES // 1_000_000))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(_("The file is not written in UTF-8 (byte %d).") % error.start) from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield parsed_line(number, line)


def parsed_line(number: int, line: str) -> Line:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise at(number, _("no JSON.")) from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise at(number, _('an object with "text" is needed.'))
    answers = row.get("answers")
    if not isinstance(answers, list) or not answers:
        raise at(number, _('"answers" must be a list with at least one document.'))
    return Line(number, row["text"], [answer_of(number, one) for one in answers])


def answer_of(number: int, given: Any) -> tuple[str, int]:
    given = {"document": given} if isinstance(given, str) else given
    if not isinstance(given, dict):
        raise at(number, _("an answer is a document's id or name, or an object with one of them."))
    name, grade = given.get("document") or given.get("name"), given.get("score", 1)
    if not isinstance(name, str) or not name.strip() or not plain(name):
        raise at(number, _('an answer has no "document" and no "name".'))
    if isinstance(grade, bool) or not isinstance(grade, int | float) or grade not in GRADES:
        raise at(number, _('"score" must be a whole number from 1 to 10; leave out what does not answer.'))
    return name.strip(), int(grade)


def documents_of(names: set[str], actor: Membership) -> dict[str, set[UUID]]:
    """By id and by name, the documents that are meant among those that the actor may read."""
    known: dict[str, set[UUID]] = defaultdict(set)
    ids = {name: UUID(name) for name in names if is_id(name)}
    wanted = sorted(names)
    for start in range(0, len(wanted), NAMES):
        some = wanted[start : start + NAMES]
        for pk in golden.readable(actor).filter(pk__in=[ids[name] for name in some if name in ids]).values_list("pk", flat=True):
            known[str(pk)].add(pk)
        for pk, name in golden.readable(actor).filter(name__in=some).values_list("pk", "name"):
            known[name].add(pk)
    return known


def found(name: str, known: dict[str, set[UUID]]) -> UUID:
    meant = known.get(str(UUID(name)) if is_id(name) else name, set())
    if not meant:
        raise Refused(_("you may read no document “%s” here.") % name[:100])
    if len(meant) > 1:
        raise Refused(_("%(count)d documents are called “%(name)s”: give the id.") % {"count": len(meant), "name": name[:100]})
    return next(iter(meant))


def is_id(name: str) -> bool:
    try:
        return bool(UUID(name))
    except ValueError:
        return False


def at(number: int, words: str) -> Refused:
    return Refused(_("Line %(number)d: %(words)s Nothing was taken over.") % {"number": number, "words": words})
