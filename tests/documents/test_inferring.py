from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from north.documents.inferring import Inferred, infer, names_in

TODAY = date(2026, 11, 22)
SOURCES = ["HR handbook", "Handbook", "Wiki"]
AUTHORS = {"anna", "anna berg", "bo", "田中"}


def ask(question: str, ignored: tuple[str, ...] = ()) -> Inferred:
    return infer(question, today=TODAY, sources=SOURCES, is_author=lambda name: name.casefold() in AUTHORS, ignored=ignored)


YEAR = {"updated_from": "2024-01-01", "updated_to": "2024-12-31"}


@pytest.mark.parametrize(
    ("question", "expected", "rest"),
    [
        ("pdf from 2024 about parental leave", {"type": ["pdf"], **YEAR}, "parental leave"),
        ("PDFs about leave", {"type": ["pdf"]}, "leave"),
        ("show me all presentations on safety", {"type": ["slides"]}, "safety"),
        ("travel costs by Anna", {"author": ["Anna"]}, "travel costs"),
        ("documents by Anna Berg about travel", {"author": ["Anna Berg"]}, "travel"),
        ("email from Bo about prices", {"type": ["mail"], "author": ["Bo"]}, "prices"),
        ("news in the last month", {"updated_from": "2026-10-23"}, "news"),
        ("price list from the past 2 weeks", {"updated_from": "2026-11-08"}, "price list"),
        ("sick leave from HR handbook source", {"source": ["HR handbook"]}, "sick leave"),
        ("sick leave from the handbook", {"source": ["Handbook"]}, "sick leave"),
        ("overtime in the Wiki folder", {"source": ["Wiki"]}, "overtime"),
        ("german documents about notice", {"language": ["de"]}, "notice"),
        ("documents in French on remote work", {"language": ["fr"]}, "remote work"),
        ("excel sheets since 2023 about budget", {"type": ["sheet"], "updated_from": "2023-01-01"}, "budget"),
        ("files before 2020 about pensions", {"updated_to": "2019-12-31"}, "pensions"),
        ("pdf between 2022 and 2024 on leave", {"type": ["pdf"], "updated_from": "2022-01-01", "updated_to": "2024-12-31"}, "leave"),
        ("contracts written in 2024", {"created_from": "2024-01-01", "created_to": "2024-12-31"}, "contracts"),
        ("policies changed after 2024", {"updated_from": "2025-01-01"}, "policies"),
        ("pdf", {"type": ["pdf"]}, "pdf"),
        ("pdfs from 2024", {"type": ["pdf"], **YEAR}, "pdfs from 2024"),
        ("PDFs von 2024 über Elternzeit", {"type": ["pdf"], **YEAR}, "Elternzeit"),
        ("Zeige mir alle Präsentationen zum Thema Arbeitssicherheit", {"type": ["slides"]}, "Arbeitssicherheit"),
        ("Dokumente von Anna Berg über Reisekosten", {"author": ["Anna Berg"]}, "Reisekosten"),
        ("deutsche Dokumente über Kündigung", {"language": ["de"]}, "Kündigung"),
        ("Dateien auf Französisch über Telearbeit", {"language": ["fr"]}, "Telearbeit"),
        ("Richtlinien geändert seit 2023", {"updated_from": "2023-01-01"}, "Richtlinien"),
        ("Verträge verfasst vor 2020", {"created_to": "2019-12-31"}, "Verträge"),
        ("Neuigkeiten im letzten Monat", {"updated_from": "2026-10-23"}, "Neuigkeiten"),
        ("Preisliste aus den letzten 2 Wochen", {"updated_from": "2026-11-08"}, "Preisliste"),
        (
            "Excel-Dateien zwischen 2022 und 2024 über Budget",
            {"type": ["sheet"], "updated_from": "2022-01-01", "updated_to": "2024-12-31"},
            "Budget",
        ),
        ("pdf de 2024 sur les congés", {"type": ["pdf"], **YEAR}, "les congés"),
        ("documents d’Anna Berg sur le télétravail", {"author": ["Anna Berg"]}, "le télétravail"),
        ("Montre-moi les présentations sur la sécurité", {"type": ["slides"]}, "la sécurité"),
        ("fichiers en allemand concernant les retours", {"language": ["de"]}, "les retours"),
        ("contrats modifiés depuis 2023", {"updated_from": "2023-01-01"}, "contrats"),
        ("prix du mois dernier", {"updated_from": "2026-10-23"}, "prix"),
        ("nouvelles des 3 dernières semaines", {"updated_from": "2026-11-01"}, "nouvelles"),
        ("courriels de Bo sur les prix", {"type": ["mail"], "author": ["Bo"]}, "les prix"),
        ("出張費についての2024年のPDF", {"type": ["pdf"], **YEAR}, "出張費"),
        ("休暇に関する先月の資料", {"updated_from": "2026-10-23"}, "休暇"),
        ("過去2週間のメール", {"type": ["mail"], "updated_from": "2026-11-08"}, "過去2週間のメール"),
        ("2023年以降の文書を探して", {"updated_from": "2023-01-01"}, "2023年以降の文書を探して"),
        ("価格について田中さんのメール", {"type": ["mail"], "author": ["田中"]}, "価格"),
    ],
)
def test_what_a_question_says_of_documents_is_a_filter(question: str, expected: dict[str, object], rest: str) -> None:
    found = ask(question)
    assert (found.given, found.rest) == (expected, rest)


@pytest.mark.parametrize(
    "question",
    [
        "email policy for contractors",
        "Umsatz in 2024",
        "Was wurde im Vertrag geändert?",
        "E-Mail-Richtlinie für Externe",
        "Urlaub von Anna Berg",
        "Was kostet der Zug von Lyon nach Paris?",
        "Präsentation vor 2000 Leuten",
        "chiffre d’affaires en 2024",
        "le dernier jour de travail",
        "politique de courriels",
        "rapport de Paul sur les ventes",
        "2024年の売上",
        "PDFの作り方",
        "佐藤さんの資料",
        "メールの書き方について",
        "revenue in 2024",
        "what changed in the contract in 2024?",
        "how do I write a presentation",
        "pdf export does not work",
        "word of the year",
        "slides in the playground",
        "handbook",
        "what does the handbook say",
        "in the handbook",
        "by train or by plane",
        "paid by Friday",
        "written by hand",
        "the book of the month",
        "how to say hello in German",
        "German labour law",
        "sheet metal from 2024",
        "documents needed for a visa",
        "files on the server are missing by Monday",
        "E17 from 2024-05",
        "",
        "   ",
        "the last month of pregnancy",
    ],
)
def test_what_may_be_about_the_content_is_none(question: str) -> None:
    assert ask(question) == Inferred(question, {}, question)


def test_what_a_person_took_back_stays_in_the_question() -> None:
    found = ask("pdf from 2024 about leave", ("type",))
    assert found.given == YEAR and found.rest == "pdf from 2024 about leave"
    assert ask("pdf about leave", ("type",)).given == {}


def test_names_are_only_looked_for_where_one_may_stand() -> None:
    assert names_in("by Anna Berg and from Bo") == ["Anna Berg", "Anna", "Bo"]
    assert names_in("who may read by the way from home") == []


@given(st.text(max_size=300) | st.from_regex(r"(pdf|by|from|in the last|2024|Anna|documents|about|\s){0,12}"))
def test_any_question_leaves_a_question(question: str) -> None:
    found = ask(question)
    assert bool(found.rest.strip()) == bool(question.strip())
    assert set(found.given) <= {"type", "author", "language", "source", "updated_from", "updated_to", "created_from", "created_to"}
