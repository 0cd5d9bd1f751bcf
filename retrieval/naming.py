"""What a document is called, and which names a question says: whoever asks for Acme's costs wants them from Acme's own papers, not from
others that only talk of the same. Pure; knows no index.

A name is said where its words stand in the question in a row, whatever their case. Longer titles than LONGEST words are never said so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final

import regex

from retrieval.tokens import WORDS

LONGEST: Final = 6
"""Words of a name."""
MOST: Final = 32
"""Names of one document that are kept."""
HEAD: Final = 2000
"""Characters at a document's beginning in which organisations are looked for: about its first page."""
SAID: Final = 1000
"""Names that are looked for of one question."""
TOLD: Final = 10_000
"""And of one passage: all of a thousand characters, also where no space parts them."""
UNSPACED: Final = range(2, 11)
"""Letters of a name in a script that puts no space between words."""
SUFFIX: Final = regex.compile(r"\.\w{1,5}$")
ASIDE: Final = regex.compile(r"\s*[(（\[].*?[)）\]]")
DOMAIN: Final = regex.compile(r"\.\p{L}{2,3}$")
_FORMS: Final = (
    "Inc Incorporated Corp Corporation Co Company Ltd Limited LLC LLP PLC Pty Pte GmbH AG SE KG KGaA OHG eG e.V S.A SA S.A.S SAS"
    " S.A.R.L SARL S.p.A SpA S.r.l Srl S.L SL B.V BV N.V NV A/S ApS AB AS ASA Oy Oyj Ltda s.r.o Kft K.K"
)
_FORM: Final = "|".join(map(regex.escape, sorted({*_FORMS.split(), *_FORMS.upper().split()}, key=len, reverse=True)))
_NAME: Final = r"(?P<name>[\p{Lu}\p{N}][\p{L}\p{N}.'’&-]*(?: (?:& |and |und |et )?[\p{Lu}\p{N}][\p{L}\p{N}.'’&-]*){0,3}?)"
_EAST: Final = r"株式会社|有限会社|合同会社|一般社団法人|有限公司|股份有限公司|주식회사"
ORGANISATIONS: Final = (
    regex.compile(rf"(?<![\p{{L}}\p{{N}}.]){_NAME},? (?:{_FORM})(?![\p{{L}}\p{{N}}])"),
    regex.compile(rf"(?:{_EAST}) ?(?P<name>[\p{{Han}}\p{{Katakana}}ー\p{{Hangul}}\p{{Latin}}]+)"),
    regex.compile(rf"(?P<name>[\p{{Han}}\p{{Katakana}}ー\p{{Hangul}}\p{{Latin}}]+?) ?(?:{_EAST})"),
)


def names_of(name: str, title: str, folder: str, author: str, text: str) -> frozenset[str]:
    """What the document is called: by its file, its title, each of its folders and authors, by each organisation that is named with its
    legal form in these or at the beginning of its text, and by what tells files of a series apart (Q3, 2024, ACME)."""
    plain = SUFFIX.sub("", name)
    titles = [plain, title, *folder.split("/")]
    whole = [*titles, *(ASIDE.sub("", one) for one in titles), *author.split(";")]
    companies = [DOMAIN.sub("", found["name"]) for one in (*titles, text[:HEAD]) for rule in ORGANISATIONS for found in rule.finditer(one)]
    marks = [word for one in (plain, title) for word in _words(one) if _marks(word, one)]
    found = (tuple(_words(one)) for one in (*whole, *companies, *marks))
    return frozenset(list(dict.fromkeys(" ".join(one).casefold() for one in found if _tells(one)))[:MOST])


def said_in(question: str) -> frozenset[str]:
    """All that could be a document's name in the question."""
    return frozenset(islice(_said(question), SAID))


def told_in(passage: str) -> frozenset[str]:
    """The same of a passage, which is longer and says more by the way: a single word names something only where it has no small initial."""
    return frozenset(islice(_said(passage, prose=True), TOLD))


def _said(text: str, *, prose: bool = False) -> Iterator[str]:
    words = list(_words(text))
    rows = (words[at : at + length] for length in range(1, LONGEST + 1) for at in range(len(words) - length + 1))
    telling = (row for row in rows if _tells(row) and not (prose and len(row) == 1 and row[0][0].islower()))
    return (one for row in telling for one in _written(" ".join(row).casefold(), len(row)))


def words_named(names: Collection[str], said: Collection[str]) -> int:
    """How many words of a question are a document's names; a word of several names counts once."""
    return len({word for name in set(names) & set(said) for word in name.split()})


def _written(name: str, words: int) -> Iterator[str]:
    """As it is; without a genitive's s; of a script without spaces each part of it."""
    yield name
    if name[-1] == "s" and name[-3:-1].isalpha() and len(name) > 4:
        yield name[:-1]
    if words == 1 and not name[0].isascii() and WORDS.fullmatch(name).lastgroup != "word":
        yield from (name[at : at + length] for length in UNSPACED for at in range(len(name) - length + 1))


def _words(text: str) -> Iterator[str]:
    return (found.group() for found in WORDS.finditer(unicodedata.normalize("NFKC", text)))


def _marks(word: str, among: str) -> bool:
    """Letters with digits, a number as long as a year, or capitals among others."""
    digits = sum(map(str.isdigit, word))
    return 0 < digits < len(word) or digits >= 4 or (1 < len(word) <= LONGEST and word.isupper() and not among.isupper())


def _tells(words: Sequence[str]) -> bool:
    """A single short word names something where it is written in capitals, has a digit and a letter, or is of a script without case."""
    if len(words) != 1:
        return 1 < len(words) <= LONGEST
    (word,) = words
    if word.isdigit():
        return len(word) >= 4
    return len(word) >= 4 or (len(word) > 1 and (word.isupper() or not word.isalpha() or word.lower() == word.upper()))
