"""What a model learns from: read from folders and lines, and refused with the file, the line and what was there."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from north.training.errors import BadData
from north.training.examples import Example, draw, read, written
from tests.training import made

GOOD = {"query": "How long is leave?", "positives": ["Thirty days."], "negatives": ["At noon.", "Second class."], "scores": [3, 1, -1.5]}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_a_line_is_an_example_with_its_negatives_and_scores(tmp_path: Path) -> None:
    found = read(lines(tmp_path / "a.jsonl", GOOD, "", {"query": " x ", "positives": ["y", "y"]}))
    assert found.examples == [
        Example("How long is leave?", ("Thirty days.",), ("At noon.", "Second class."), (3.0, 1.0, -1.5)),
        Example("x", ("y",)),
    ]
    assert found.pool == ["Thirty days.", "At noon.", "Second class.", "y"]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    examples = [Example("q", ("a", "b"), ("c",), (1.0, 0.5, 0.0)), Example("r\u2028s", ("d",))]
    written(examples, tmp_path / "learnt.jsonl")
    assert read(tmp_path).examples == examples, "all .jsonl files of a folder"


def test_a_folder_gives_each_question_the_documents_that_answer_it(tmp_path: Path) -> None:
    found = read(made.folder(tmp_path / "data"))
    assert list(found.examples) == made.company()


def test_a_long_document_answers_with_the_chunk_that_shares_the_questions_words(tmp_path: Path) -> None:
    long = "\n\n".join(["The canteen opens at noon, and tea is free. " * 15, "Parking costs nothing at weekends. " * 15, "Badges. " * 90])
    folder = made.folder(tmp_path / "data", [Example("What is parking at weekends?", (long,)), Example("short", ("A short text.",))])
    found = read(folder)
    assert "Parking costs nothing" in found.examples[0].positives[0] and len(found.examples[0].positives[0]) < 1100
    assert len(found.pool) > 3, "the other chunks are there to be wrong"


def test_a_document_that_is_judged_not_to_answer_is_a_negative(tmp_path: Path) -> None:
    folder = made.folder(tmp_path / "data", [Example("leave?", ("Thirty days.", "At noon."))])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td0\t1\nq0\td1\t0\n")
    assert read(folder).examples == [Example("leave?", ("Thirty days.",), ("At noon.",))]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: not a JSON object"),
        ({"question": "q", "context": "c"}, "line 2: `query` must be a text.*The line holds: question, context"),
        ({"query": "  ", "positives": ["a"]}, "`query` must be a text"),
        ({"query": "q", "positives": []}, "`positives` must hold a passage"),
        ({"query": "q", "positives": "a"}, "`positives` must be a list of texts"),
        ({"query": "q", "positives": ["a"], "negatives": [None]}, "`negatives` must be a list of texts"),
        ({"query": "q", "positives": ["a"], "negatives": ["b", "a"]}, "among the positives and the negatives: 'a'"),
        ({"query": "q", "positives": ["a"], "scores": [1, 2]}, "2 scores for 1 passages"),
        ({"query": "q", "positives": ["a"], "scores": ["1"]}, "`scores` must be a list of numbers"),
        ('{"query": "q", "positives": ["a"], "scores": [NaN]}', "`scores` must be a list of numbers"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(tmp_path: Path, row: Any, words: str) -> None:
    with pytest.raises(BadData, match=words):
        read(lines(tmp_path / "a.jsonl", GOOD, row))


def test_an_empty_folder_an_empty_file_and_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"holds no examples. Give"):
        read(tmp_path)
    with pytest.raises(BadData, match="every line is blank"):
        read(lines(tmp_path / "a.jsonl", "", " "))
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadData, match="cannot be read as UTF-8"):
        read(tmp_path)


def test_a_folder_whose_files_do_not_fit_is_refused_with_the_line(tmp_path: Path) -> None:
    folder = made.folder(tmp_path / "data")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq0\tnowhere\t1\n")
    with pytest.raises(BadData, match=r"qrels\.tsv, line 2: there is no document 'nowhere'"):
        read(folder)
    with pytest.raises(BadData, match=r"qrels\.other\.tsv is missing"):
        read(folder, qrels="other")


def test_a_draw_is_a_positive_then_negatives_with_their_own_scores() -> None:
    example = Example("q", ("a", "b"), ("c", "d", "e"), (5, 4, 3, 2, 1))
    seen = set()
    for seed in range(40):
        one = draw(example, 3, random.Random(seed))
        assert one.passages[0] in "ab" and len(set(one.passages[1:]) & set("cde")) == 2
        assert [dict(zip("abcde", (5, 4, 3, 2, 1), strict=True))[text] for text in one.passages] == list(one.scores)
        seen |= set(one.passages)
    assert seen == set("abcde"), "other ones come each time"


def test_passages_taken_out_of_the_negatives_take_their_scores_with_them() -> None:
    example = Example("q", ("a",), ("b", "c", "d"), (9, 2, 3, 4))
    assert example.without(frozenset("ac")) == Example("q", ("a",), ("b", "d"), (9, 2, 4))


def test_the_datas_sha256_changes_with_every_part_of_it(tmp_path: Path) -> None:
    shas = {
        read(lines(tmp_path / "a.jsonl", {**GOOD, **change})).sha256
        for change in ({}, {"query": "Q"}, {"scores": [3, 1, 0]}, {"negatives": ["At noon.", "x"]})
    }
    assert len(shas) == 4
