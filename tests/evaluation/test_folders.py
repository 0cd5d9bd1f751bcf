from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from north.evaluation.folders import BrokenFolder, Folder, Text, read, sampled
from tests.evaluation.conftest import DOCUMENTS, JUDGED, Write, lines, qrels


def test_it_reads_what_can_be_asked(write: Write) -> None:
    found = read(write())
    assert set(found.questions) == {"q1", "q2", "q3", "q4", "q6"} and found.left_out == 1
    assert found.judged["q1"] == {"leave": 2, "urlaub": 1} and len(found.documents) == len(DOCUMENTS)
    assert found.questions["q3"] == Text("q3", "Tage Urlaub", "de")


def test_documents_and_questions_can_be_held_to_a_language(write: Write) -> None:
    found = read(write(), corpus_language="en", not_language="fr")
    assert "urlaub" not in found.documents and set(found.questions) == {"q1", "q2", "q4"}
    assert found.judged["q1"] == {"leave": 2}
    with pytest.raises(BrokenFolder, match="no question has a relevant document in xx"):
        read(write(), corpus_language="xx")


def test_another_file_of_judgements_can_be_named(write: Write) -> None:
    folder = write(qrels_strict_tsv=qrels([("q4", "travel", 1)]))
    assert set(read(folder, qrels="strict").questions) == {"q4"}
    with pytest.raises(BrokenFolder, match=r"qrels\.other\.tsv is missing"):
        read(folder, qrels="other")


def test_fewer_documents_are_the_judged_ones_and_some_more_and_the_same_again(write: Write) -> None:
    needed = {document for _, document, _ in JUDGED}
    found = read(write(), limit=7)
    assert needed <= set(found.documents) and len(found.documents) == 7
    assert read(write(), limit=7) == found
    assert set(read(write(), limit=1).documents) == needed


@pytest.mark.parametrize("name", ["corpus_jsonl", "queries_jsonl", "qrels_tsv"])
def test_a_file_that_is_missing_empty_or_no_text_is_named(write: Write, name: str) -> None:
    file = name.replace("_", ".")
    for content, words in ((None, "is missing"), (b"\xff\xfe\x00", "UTF-8")):
        with pytest.raises(BrokenFolder, match=rf"{file} .*{words}"):
            read(write(**{name: content}))
    with pytest.raises(BrokenFolder, match=r"empty|no question has"):
        read(write(**{name: "\n  \n"}))


@pytest.mark.parametrize(
    "line, words",
    [
        ("{nonsense", "no JSON"),
        ("[" * 5000, "no JSON"),
        ("[1]", "an object is needed, not list"),
        ("null", "an object is needed, not NoneType"),
        ('{"text": "x"}', "it has no _id"),
        ('{"_id": "", "text": "x"}', "it has no _id"),
        ('{"_id": "x"}', "it has no text"),
        ('{"_id": 5, "text": "x"}', "_id is int"),
        ('{"_id": "x", "text": ["x"]}', "text is list"),
        ('{"_id": "x", "text": "x", "lang": 0}', "lang is int"),
        ('{"_id": "leave", "text": "twice"}', "was there before"),
    ],
)
def test_a_bad_line_of_the_corpus_is_told_by_its_number(write: Write, line: str, words: str) -> None:
    with pytest.raises(BrokenFolder, match=rf"corpus\.jsonl, line {len(DOCUMENTS) + 2}: .*{words}"):
        read(write(corpus_jsonl=f"{lines(DOCUMENTS)}\n{line}\n"))


@pytest.mark.parametrize(
    "line, words",
    [
        ("q1\tleave", "between tabs"),
        ("q1 leave 1", "between tabs"),
        ("q1\tleave\t1\t2", "between tabs"),
        ("q9\tleave\t1", "there is no question 'q9'"),
        ("q1\tgone\t1", "there is no document 'gone'"),
        ("q1\tleave\thigh", "'high' is no number"),
        ("q1\tleave\tnan", "'nan' is no number"),
        ("q1\tleave\tinf", "'inf' is no number"),
    ],
)
def test_a_bad_judgement_is_told_by_its_number(write: Write, line: str, words: str) -> None:
    with pytest.raises(BrokenFolder, match=rf"qrels\.tsv, line 3: .*{words}"):
        read(write(qrels_tsv=f"{qrels(JUDGED[:1])}{line}\n"))


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(BrokenFolder, match="is no folder"):
        read(tmp_path / "nothing")


def test_what_no_parser_would_give_is_taken_out(write: Write) -> None:
    found = read(
        write(
            corpus_jsonl=lines([*DOCUMENTS, {"_id": "odd", "text": "a\x00b\r\nc\rd", "title": "\x00"}]) + '{"_id":"s","text":"x\\ud800y"}\n'
        )
    )
    assert found.documents["odd"].text == "a b\nc\nd" and found.documents["odd"].title == " "
    assert found.documents["s"].text == "x y"


@given(
    some.dictionaries(some.text(max_size=5), some.sampled_from(["en", "de", "hi"]), min_size=1), some.integers(1, 40), some.integers(0, 3)
)
def test_a_sample_takes_from_each_language_alike_and_is_the_same_again(languages: dict[str, str], count: int, seed: int) -> None:
    questions = {key: Text(key, "x", language) for key, language in languages.items()}
    whole = Folder("f", "qrels.tsv", {}, questions, {key: {"d": 1.0} for key in questions})
    found = sampled(whole, count, seed=seed)
    assert len(found.questions) == min(count, len(questions)) and set(found.judged) == set(found.questions)
    assert found == sampled(whole, count, seed=seed)
    taken = {name: sum(one.language == name for one in found.questions.values()) for name in ("en", "de", "hi")}
    there = {name: sum(one.language == name for one in questions.values()) for name in taken}
    for name in taken:
        assert all(taken[name] >= taken[other] - 1 or taken[name] == there[name] for other in taken)
