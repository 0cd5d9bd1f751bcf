from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from retrieval import errors
from retrieval.errors import RetrievalError

EXAMPLES = [
    errors.IndexUnavailable("connection refused"), errors.IndexMismatch("north", "e5 (384 dimensions)", "mpnet (768 dimensions)"),
    errors.IndexCorrupt("400"), errors.EmbeddingFault("an array of shape (3,)"), errors.Unreadable(), errors.Unreadable("no such page"),
    errors.Encrypted(), errors.TooLarge("The file has 2.1 GB", "200 MB"), errors.TooSlow(30), errors.EmptyFile(),
    errors.UnknownType("a.xyz"), errors.UnknownType("a.xyz", "PDF, Word"), errors.NoText(), errors.NoText("scans"),
    errors.SourceNotAllowed("/etc"), errors.SourceMissing("/srv/files"), errors.SourceUnreadable("/srv/files", "permission denied"),
    errors.ReaderUnavailable("its reader was killed"), errors.SourceUnreachable("wiki.example"),
    errors.SourceGarbled("wiki.example", "no JSON"), errors.RateLimited("wiki.example", 30), errors.TokenRefused("wiki.example"),
    errors.RightMissing("wiki.example", "Sites.Read.All"), errors.CursorExpired("wiki.example"),
    errors.SettingWrong("url", "It begins with https."), errors.ItemBroken("It has no pages."),
]  # fmt: skip


def leaves(kind: type[RetrievalError] = RetrievalError) -> Iterator[type[RetrievalError]]:
    kinds = kind.__subclasses__()
    if not kinds:
        yield kind
    for one in kinds:
        yield from leaves(one)


@pytest.mark.parametrize("leaf", list(leaves()), ids=lambda leaf: leaf.__name__)
def test_every_leaf_is_drawn_in_the_docstring_and_says_whether_it_is_permanent(leaf: type[RetrievalError]) -> None:
    assert f"── {leaf.__name__} " in (errors.__doc__ or "")
    assert isinstance(leaf.__dict__.get("permanent"), bool)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_crosses_a_process_border_with_its_message(error: RetrievalError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert type(error).from_message(str(error)).permanent is error.permanent


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_a_message_is_made_of_sentences(error: RetrievalError) -> None:
    assert str(error)[0].isupper() or str(error)[0] == '"'
    assert str(error).endswith(".")
