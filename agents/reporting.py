"""A report put together from notes: their texts under their questions, what was not found, and the table of its sources. Pure; the
citations and verdicts of the notes move with their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from agents.context import About
from agents.events import ClaimCheck
from agents.languages import language_of

Plain = dict[str, Any]

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {"summary": "Summary", "missing": "Not found in the documents", "sources": "Sources", "document": "Document", "date": "Date",
           "origin": "From", "cited": "Cited", "times": "{count} times"},
    "de": {"summary": "Zusammenfassung", "missing": "In den Dokumenten nicht gefunden", "sources": "Quellen", "document": "Dokument",
           "date": "Datum", "origin": "Von", "cited": "Zitiert", "times": "{count}-mal"},
    "fr": {"summary": "Résumé", "missing": "Non trouvé dans les documents", "sources": "Sources", "document": "Document", "date": "Date",
           "origin": "De", "cited": "Cité", "times": "{count} fois"},
    "es": {"summary": "Resumen", "missing": "No encontrado en los documentos", "sources": "Fuentes", "document": "Documento",
           "date": "Fecha", "origin": "De", "cited": "Citado", "times": "{count} veces"},
}  # fmt: skip
MARKUP = str.maketrans({character: f"\\{character}" for character in "\\|[]*_`<#"})


class Draft:
    """Text that grows, with what its words rest on."""

    def __init__(self) -> None:
        self.text = ""
        self.parts: dict[str, list[Plain]] = {"citations": [], "unsupported": [], "claims": []}

    def heading(self, words: str) -> None:
        self.line(f"## {' '.join(words.split()).translate(MARKUP)}")

    def line(self, words: str) -> None:
        self.text += ("\n\n" if self.text else "") + words

    def checked(self, said: Plain) -> None:
        """A text with its citations and verdicts, at the end."""
        self.line("")
        by, known = len(self.text), len(self.parts["citations"])
        self.text += said["text"]
        for name, found in self.parts.items():
            found += [{**one, "start": one["start"] + by, "end": one["end"] + by} for one in said[name]]
        for claim in self.parts["claims"][len(self.parts["claims"]) - len(said["claims"]) :]:
            claim["citation"] += known if claim["citation"] >= 0 else 0


def written(notes: Sequence[Plain], summary: Plain, missing: Sequence[str], about: Mapping[str, About], question: str) -> Plain:
    """`text`, `citations`, `unsupported` and `claims` of the report; offsets in code points."""
    words = WORDS.get(language_of(question) or "en", WORDS["en"])
    draft = Draft()
    if summary:
        draft.heading(words["summary"])
        draft.checked(summary)
    for note in notes:
        draft.heading(note["question"])
        draft.checked(note)
    if missing:
        draft.heading(words["missing"])
        draft.line("\n".join(f"- {one.translate(MARKUP)}" for one in missing))
    draft.heading(words["sources"])
    draft.line(table(draft.parts["citations"], about, words))
    return {"text": draft.text, **draft.parts}


def table(citations: Sequence[Plain], about: Mapping[str, About], words: Mapping[str, str]) -> str:
    """Each document with its date, where it is from, and in how many sentences it is cited; those cited most first."""
    cited = Counter(document for one in citations for document in {source["document"] for source in one["sources"]})
    names = {source["document"]: source["name"] for one in citations for source in one["sources"]}
    rows = [(names[document], about.get(document, About()), count) for document, count in cited.most_common()]
    head = f"| {words['document']} | {words['date']} | {words['origin']} | {words['cited']} |\n|---|---|---|---|"
    lines = [
        f"| {cell(name)} | {cell(one.date)} | {cell(one.origin)} | {words['times'].format(count=count)} |" for name, one, count in rows
    ]
    return "\n".join([head, *lines])


def cell(text: str) -> str:
    return " ".join(text.split()).translate(MARKUP)


def checks(report: Plain) -> list[ClaimCheck]:
    return [ClaimCheck(**{**claim, "reasons": tuple(claim["reasons"])}) for claim in report["claims"]]
