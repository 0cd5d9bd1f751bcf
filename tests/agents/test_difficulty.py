"""How hard a question is, told from its words: which are searched in parts, further, or as they are, and which follow-ups stand alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.context import Limits, Turn
from agents.difficulty import clauses, compares, describes, stands_alone
from tests.agents.conftest import ANSWER, FOUND, Make, Shelf, detail, steps, told
from tests.scripted import in_turn

DESCRIBING = "Who leads the department that approves hotel costs?"


@pytest.mark.parametrize(
    "question",
    [
        DESCRIBING,
        "What currency is used in the country where the plant was built?",
        "Who is the spouse of the head of the sales department?",
        "What is the name of the founder of Lindenhof?",
        "Wie heißt die Leiterin der Abteilung, die den Vertrag unterschrieben hat?",
        "Qui dirige le service qui approuve les voyages?",
        "¿Quién dirige el departamento que aprueba los viajes?",
        "When was the company's supplier of lamps founded in Lyon?",
    ],
)
def test_a_question_that_describes_what_it_asks_about_is_told(question: str) -> None:
    assert describes(question)


@pytest.mark.parametrize(
    "question",
    [
        "How many days of annual leave do I have?", "What does error E17 mean?", "Who approves travel?", "What is the notice period?",
        "Wie viele Urlaubstage habe ich?", "Combien de jours de congé ai-je?", "有給休暇は何日ですか", "leave", "", "?!", "of of",
        "When does the canteen open?", "Which hotel may I book in Zurich?",
    ],
)  # fmt: skip
def test_a_plain_question_is_not_searched_further(question: str) -> None:
    assert not describes(question)


@pytest.mark.parametrize(
    ("question", "alone"),
    [
        ("And in Zurich?", False),
        ("What about it?", False),
        ("How long does it take in the second year of employment?", False),
        ("Who approves these hotel costs for longer business trips abroad?", False),
        ("Does the same rule hold for part-time employees in Germany?", False),
        ("How many weeks?", False),
        ("How many weeks of parental leave?", False),
        ("Und wie lange dauert die Elternzeit bei Zwillingen in Deutschland?", False),
        ("Gilt das für befristet beschäftigte Mitarbeiter in der Schweiz?", False),
        ("Combien de jours dure ce congé pour les employés à temps partiel?", False),
        ("育児休暇は東京の従業員には何週間ありますか、契約社員の場合は？", False),
        ("How many days of annual leave do employees of the Zurich office have in January?", True),
        ("How many weeks of parental leave do employees of the Zurich office have after adoption?", True),
        ("Wie viele Wochen Elternzeit haben Mitarbeiter im Zürcher Büro nach einer Adoption?", True),
        ("Combien de semaines de congé parental ont les employés du bureau de Lyon après une adoption?", True),
    ],
)
def test_a_follow_up_stands_alone_only_where_that_is_sure(question: str, alone: bool) -> None:
    assert stands_alone(question) is alone


def test_comparing_and_joined_questions_are_told_in_their_languages() -> None:
    assert compares("Unterschied zwischen Urlaub und Elternzeit") and compares("有給休暇と育児休暇の違い") and not compares("annual leave")
    assert clauses("Combien de jours et qui approuve?") == ["Combien de jours", "qui approuve?"] and clauses("Leave and travel") == []


@given(st.text(max_size=200))
def test_whatever_is_asked_is_told_without_an_error(question: str) -> None:
    assert {type(test(question)) for test in (compares, describes, stands_alone)} == {bool}
    assert len(clauses(question)) != 1


def test_a_giant_question_is_told_at_once() -> None:
    """No pattern runs back and forth: else the test would not come to its end."""
    for word in ("of ", "of the x ", "'s of ", "that ", "and how ", "a"):
        describes(word * 20_000)
        stands_alone(word * 20_000)
        clauses(word * 20_000)


def test_it_is_searched_once_more_with_the_words_that_were_found(make: Make, shelf: Shelf) -> None:
    events = told(DESCRIBING, make(in_turn(FOUND, ANSWER)))
    assert len(shelf.asked) == 2 and shelf.asked[0] == DESCRIBING
    first = detail(events, "search:1")["found"][0]
    assert shelf.asked[1].startswith(f"{DESCRIBING} {first['text'][:20]}") and len(shelf.asked[1]) <= 500
    second = detail(events, "search:2")
    assert second["query"] == f"{DESCRIBING} · {first['name']}" and "words of what was found first" in second["note"]
    assert detail(events, "plan")["queries"] == [DESCRIBING]


def test_no_further_search_where_none_is_allowed_nothing_was_found_or_the_model_plans(make: Make, shelf: Shelf) -> None:
    told(DESCRIBING, make(in_turn(FOUND, ANSWER), limits=Limits(searches=1)))
    assert shelf.asked == [DESCRIBING]
    shelf.asked.clear()
    told("Compare what the department that approves hotels does.", make(in_turn({"queries": ["approves hotels"]}, FOUND, ANSWER)))
    assert shelf.asked == ["Compare what the department that approves hotels does.", "approves hotels"]
    shelf.asked.clear()
    shelf.passages.clear()
    told(DESCRIBING, make(in_turn(FOUND, ANSWER)))
    assert shelf.asked == [DESCRIBING]


def test_a_follow_up_that_stands_alone_costs_no_rewording_and_keeps_what_was_asked_before(make: Make, shelf: Shelf) -> None:
    history = (Turn("What may a hotel in Berlin cost?", "Up to 140 euros."),)
    question = "How much money may Zurich employees spend on hotel nights abroad without approval?"
    events = told(question, make(in_turn(FOUND, ANSWER)), history)
    assert "understand" not in steps(events) and shelf.asked[:2] == [question, f"What may a hotel in Berlin cost? {question}"]
