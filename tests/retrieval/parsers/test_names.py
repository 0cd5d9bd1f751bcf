from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.parsers.names import clean_name


@settings(deadline=None)
@given(st.text(st.one_of(st.characters(), st.sampled_from("./\\: \0\r\n\u202e\u200b\ud800%")), max_size=400))
def test_every_name_becomes_one_that_can_be_kept_and_shown(name: str) -> None:
    cleaned = clean_name(name)
    assert 1 <= len(cleaned.encode()) <= 255
    assert cleaned not in (".", "..") and not set(cleaned) & set('/\\\0\r\n<>:"|?*\u202e\u200b')
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in cleaned)
    assert clean_name(cleaned) == cleaned


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\plan.docx", "plan.docx"),
        ("a\u2215b\uff0fc.txt", "c.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("line\r\nSet-Cookie: x.txt", "line Set-Cookie_ x.txt"),
        ("nul\0.txt", "_nul.txt"),
        ("CON", "_CON"),
        ("aux.tar.gz", "_aux.tar.gz"),
        ("console.txt", "console.txt"),
        ("..", "file"),
        ("", "file"),
        ("...", "file"),
        ("trailing. ", "trailing"),
        (".gitignore", ".gitignore"),
        ("..hidden", "hidden"),
        ("Müller – Übersicht.xlsx", "Müller – Übersicht.xlsx"),
        ("U\u0308bersicht.xlsx", "Übersicht.xlsx"),
        ('<img src=x onerror="a">.png', "_img src=x onerror=_a__.png"),
        ("契約書.docx", "契約書.docx"),
    ],
)
def test_it_keeps_the_name_and_nothing_else(name: str, expected: str) -> None:
    assert clean_name(name) == expected


def test_a_long_name_keeps_its_extension() -> None:
    cleaned = clean_name("é" * 300 + ".docx")
    assert cleaned.endswith("é.docx") and 250 <= len(cleaned.encode()) <= 255
