from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.connectors import CONNECTORS, Fetched
from retrieval.errors import SourceMissing, SourceNotAllowed, SourceUnreadable
from retrieval.types import Cursor, Item, Skipped, Unchanged


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed" / "docs"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "sub" / "deep" / "b c.md").write_text("two")
    return folder


def fetch(folder: Path, cursor: Mapping[str, object] | None = None, **config: object) -> list[Fetched]:
    allowed = {"path": str(folder), "roots": [str(folder.parent)]}
    return list(CONNECTORS["folder"](allowed | config, cursor))


def cursor_of(fetched: list[Fetched]) -> Cursor:
    *others, last = fetched
    assert isinstance(last, Cursor) and not any(isinstance(other, Cursor) for other in others)
    return last


def reasons(fetched: list[Fetched]) -> dict[str, str]:
    return {found.external_id: found.reason for found in fetched if isinstance(found, Skipped)}


def items(fetched: list[Fetched]) -> dict[str, bytes]:
    return {found.external_id: found.data for found in fetched if isinstance(found, Item)}


def test_every_file_is_an_item_by_its_path_in_the_folder(root: Path) -> None:
    fetched = fetch(root)
    assert items(fetched) == {"a.txt": b"one", "sub/deep/b c.md": b"two"}
    deep = next(found for found in fetched if isinstance(found, Item) and found.name == "b c.md")
    assert deep.principals is None and deep.modified_at is not None and deep.modified_at.tzinfo is UTC
    assert cursor_of(fetched).complete


def test_what_is_unchanged_is_not_read_again(root: Path) -> None:
    cursor = cursor_of(fetch(root))
    (root / "a.txt").write_text("other")
    (root / "new.txt").write_text("new")
    (root / "sub" / "deep" / "b c.md").chmod(0)
    fetched = fetch(root, cursor.value)
    assert items(fetched) == {"a.txt": b"other", "new.txt": b"new"}
    assert Unchanged("sub/deep/b c.md") in fetched


def test_what_is_gone_is_not_seen_in_a_complete_listing(root: Path) -> None:
    cursor = cursor_of(fetch(root))
    (root / "a.txt").unlink()
    again = fetch(root, cursor.value)
    assert items(again) == {} and cursor_of(again).complete
    assert set(cursor_of(again).value["files"]) == {"sub/deep/b c.md"}  # type: ignore[call-overload]


def test_hidden_files_and_lock_files_are_passed_over(root: Path) -> None:
    for name in (".hidden", "~$a.docx", ".~lock.a.odt#"):
        (root / name).write_text("x")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("x")
    assert set(items(fetch(root))) == {"a.txt", "sub/deep/b c.md"} and not reasons(fetch(root))


def test_links_lead_nowhere_outside(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "outdir").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    (root / "broken").symlink_to(root / "nothing")
    (root / "again").symlink_to(root / "sub")
    (root / "inside.txt").symlink_to(root / "a.txt")
    fetched = fetch(root)
    assert items(fetched) == {"a.txt": b"one", "inside.txt": b"one", "sub/deep/b c.md": b"two"}
    said = reasons(fetched)
    assert set(said) == {"out.txt", "outdir", "circle", "broken", "again"}
    assert "leads out" in said["out.txt"] and "leads out" in said["outdir"] and "link to a folder" in said["again"]
    assert cursor_of(fetched).complete


def test_devices_and_connections_are_skipped(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "s"))
        assert set(reasons(fetch(root))) == {"pipe", "s"}


def test_too_large_files_are_skipped_with_a_sentence(root: Path) -> None:
    (root / "big.bin").write_bytes(bytes(2_000_001))
    said = reasons(fetch(root, max_bytes=2_000_000))
    assert said == {"big.bin": "It has 2.0 MB; at most 2.0 MB are read. Split it."}


def test_a_name_that_is_no_unicode_is_skipped(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/bad\xff.txt"))).write_text("x")
    assert set(reasons(fetch(root))) == {"bad\ufffd.txt"}


def test_a_file_that_vanishes_while_the_folder_is_read_is_skipped(root: Path) -> None:
    (root / "z.txt").write_text("last")
    listing: Iterator[Fetched] = CONNECTORS["folder"]({"path": str(root), "roots": [str(root)]}, None)
    first = next(listing)
    assert isinstance(first, Item) and first.external_id == "a.txt"
    (root / "z.txt").unlink()
    rest = list(listing)
    assert "z.txt" in reasons(rest) and cursor_of(rest).complete


def test_a_folder_that_cannot_be_listed_makes_the_listing_incomplete(root: Path) -> None:
    """A folder that goes away between its parent's listing and its own stands for all that cannot be listed: root may list anything."""
    cursor = cursor_of(fetch(root))
    listing = CONNECTORS["folder"]({"path": str(root), "roots": [str(root)]}, cursor.value)
    assert next(listing) == Unchanged("a.txt")
    (root / "sub").rename(root.parent / "moved")
    rest = list(listing)
    assert "could not be listed" in reasons(rest)["sub"]
    assert not cursor_of(rest).complete


def test_a_folder_that_is_not_there_is_missing(root: Path) -> None:
    with pytest.raises(SourceMissing, match="Nothing was deleted"):
        fetch(root / "gone")


def test_a_file_is_no_folder(root: Path) -> None:
    with pytest.raises(SourceUnreadable):
        fetch(root / "a.txt")


def test_a_folder_that_is_suddenly_empty_is_not_believed(root: Path, tmp_path: Path) -> None:
    cursor = cursor_of(fetch(root))
    root.rename(tmp_path / "unmounted")
    root.mkdir()
    with pytest.raises(SourceUnreadable, match="mounted"):
        fetch(root, cursor.value)
    assert cursor_of(fetch(root)).complete


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"path": ""},
        {"path": "docs"},
        {"path": "/"},
        {"path": "/etc"},
        {"path": "{root}/../.."},
        {"path": "{root}/../../outside"},
        {"path": "{root}\0"},
        {"path": "{root}", "roots": []},
        {"path": "{root}", "roots": None},
        {"path": "{root}", "roots": "{root}"},
        {"path": "{root}", "roots": ["relative", ""]},
        {"path": "{root}-evil"},
        {"path": "{root}/link-out"},
    ],
)
def test_only_what_is_allowed_is_read(root: Path, tmp_path: Path, config: dict[str, object]) -> None:
    (root / "link-out").symlink_to(tmp_path)
    Path(f"{root}-evil").mkdir()
    filled = {"roots": [str(root)]} | {key: value.format(root=root) if isinstance(value, str) else value for key, value in config.items()}
    with pytest.raises(SourceNotAllowed):
        list(CONNECTORS["folder"](filled, None))


MOVES = st.tuples(st.sampled_from(["write", "remove"]), st.sampled_from(["a.txt", "x/b.txt", "x/y/c.txt"]), st.binary(max_size=4))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.lists(MOVES, max_size=8))
def test_following_the_cursor_gives_the_folder_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, str, bytes]]
) -> None:
    """A naive mirror that obeys what is fetched always equals the folder."""
    folder = tmp_path_factory.mktemp("mirrored")
    (folder / "stays.txt").write_text("x")
    mirror: dict[str, bytes] = {}
    cursor: Cursor | None = None
    for turn, (move, name, data) in enumerate([("write", "stays.txt", b"x"), *moves]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if move == "write":
            path.write_bytes(data)
            os.utime(path, ns=(turn, turn))
        else:
            path.unlink(missing_ok=True)
        fetched = fetch(folder, cursor.value if cursor else None)
        cursor = cursor_of(fetched)
        seen = {found.external_id for found in fetched if isinstance(found, Item | Unchanged)}
        mirror = {name: data for name, data in (mirror | items(fetched)).items() if name in seen}
        assert mirror == {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
