"""Patterns of paths: what they leave out of a source, and what need not even be listed."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from north.documents import reaching
from north.documents.models import Source
from retrieval.types import Item


@pytest.mark.parametrize(
    ("exclude", "folder", "passed"),
    [
        (["hr/"], "hr", True), (["/HR/*"], "hr/old", True), (["*/archive/*"], "hr/archive", True), (["hr*/*"], "hr 2", True),
        (["hr/*.pdf"], "hr", False), (["*.pdf", "hr"], "hr", False), (["hr/_*"], "hr", False), (["hr/old/"], "hr", False),
    ],
)  # fmt: skip
def test_a_folder_of_which_nothing_is_wanted_need_not_be_listed(exclude: list[str], folder: str, passed: bool) -> None:
    assert reaching.passed_over(exclude)(folder) is passed


once = import_module("north.documents.migrations.0013_patterns_once")


@pytest.mark.parametrize(("connector", "around"), [("s3", "/{}"), ("webdav", "/{}/"), ("nextcloud", "/{}/")])
@given(line=st.text("ab.[*/", min_size=1, max_size=6), path=st.lists(st.text("ab.[*", min_size=1, max_size=4), min_size=1, max_size=3))
def test_what_a_source_left_out_by_itself_its_patterns_leave_out_now(connector: str, around: str, line: str, path: list[str]) -> None:
    assume("//" not in line)
    patterns = once.leaving_out(line, once.SLASHED_AT_END[connector])
    wanted = reaching.scope_of(Source(exclude=patterns))(Item("1", path[-1], b"", folder="/".join(path[:-1])))
    assert wanted == (line not in around.format("/".join(path))), patterns
