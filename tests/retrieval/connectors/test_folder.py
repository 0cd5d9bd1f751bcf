from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path

import pytest

from retrieval.connectors import CONNECTORS
from retrieval.errors import ItemBroken, SourceMissing, SourceNotAllowed, SourceUnreadable
from retrieval.types import Cursor, Fetched, Item, Listing, Skipped
from tests.retrieval.connectors.outside import nowhere

FETCH = CONNECTORS["folder"].fetch


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
    return list(FETCH(allowed | config, cursor, nowhere()))


def cursor_of(fetched: list[Fetched]) -> Cursor:
    *others, last = fetched
    assert isinstance(last, Cursor) and not any(isinstance(other, Cursor) for other in others)
    return last


def reasons(fetched: list[Fetched]) -> dict[str, str]:
    return {found.external_id: found.reason for found in fetched if isinstance(found, Skipped)}


def items(fetched: list[Fetched]) -> dict[str, bytes]:
    return {found.external_id: found.read() for found in fetched if isinstance(found, Item)}


def test_every_file_is_an_item_by_its_path_in_the_folder(root: Path) -> None:
    fetched = fetch(root)
    assert items(fetched) == {"a.txt": b"one", "sub/deep/b c.md": b"two"}
    deep = next(found for found in fetched if isinstance(found, Item) and found.name == "b c.md")
    assert deep.modified_at is not None and deep.modified_at.tzinfo is UTC
    assert cursor_of(fetched).complete


def test_a_revision_is_another_where_the_bytes_are(root: Path) -> None:
    before = revisions(fetch(root))
    (root / "a.txt").write_text("other")
    (root / "sub" / "deep" / "b c.md").chmod(0o600)
    after = revisions(fetch(root))
    assert after["a.txt"] != before["a.txt"] and after["sub/deep/b c.md"] == before["sub/deep/b c.md"]


def revisions(fetched: list[Fetched]) -> dict[str, str]:
    return {found.external_id: found.revision for found in fetched if isinstance(found, Item)}


def test_hidden_files_and_lock_files_are_passed_over(root: Path) -> None:
    for name in (".hidden", "~$a.docx", ".~lock.a.odt#"):
        (root / name).write_text("x")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("x")
    assert set(items(fetch(root))) == {"a.txt", "sub/deep/b c.md"} and not reasons(fetch(root))


def test_a_folder_of_which_nothing_is_wanted_is_not_listed(root: Path) -> None:
    way = nowhere()
    way.unwanted = ("sub",)
    fetched = list(FETCH({"path": str(root), "roots": [str(root)]}, None, way))
    assert items(fetched) == {"a.txt": b"one"} and cursor_of(fetched).complete


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


def listing_of(root: Path, cursor: Cursor | None = None) -> Iterator[Fetched]:
    listing = FETCH({"path": str(root), "roots": [str(root)]}, cursor.value if cursor else None, nowhere())
    assert next(listing) == Listing()
    return listing


def test_a_file_that_vanishes_while_the_folder_is_read_is_skipped(root: Path) -> None:
    (root / "z.txt").write_text("last")
    listing = listing_of(root)
    first = next(listing)
    assert isinstance(first, Item) and first.external_id == "a.txt"
    (root / "z.txt").unlink()
    rest = list(listing)
    assert "z.txt" in reasons(rest) and cursor_of(rest).complete


@pytest.mark.parametrize("then", ["gone", "longer", "a link"])
def test_a_file_that_is_another_when_it_is_read_is_left_to_the_next_pass(root: Path, then: str) -> None:
    item = next(found for found in fetch(root) if isinstance(found, Item) and found.external_id == "a.txt")
    if then == "longer":
        (root / "a.txt").write_text("longer")
    else:
        (root / "a.txt").unlink()
    if then == "a link":
        (root / "a.txt").symlink_to("/etc/passwd")
    with pytest.raises(ItemBroken):
        item.read()


def test_a_folder_that_cannot_be_listed_makes_the_listing_incomplete(root: Path) -> None:
    """A folder that goes away between its parent's listing and its own stands for all that cannot be listed: root may list anything."""
    listing = listing_of(root, cursor_of(fetch(root)))
    first = next(listing)
    assert isinstance(first, Item) and first.external_id == "a.txt"
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
        list(FETCH(filled, None, nowhere()))


def test_the_probe_says_what_is_missing(root: Path) -> None:
    config = {"path": str(root), "roots": [str(root)]}
    said = [finding.words for finding in CONNECTORS["folder"].probe(config, nowhere())]
    assert "2 entries" in said[0] and "domain" in said[-1]
    with pytest.raises(SourceMissing):
        list(CONNECTORS["folder"].probe({**config, "path": str(root / "gone")}, nowhere()))


def test_its_folders_can_be_browsed_and_no_others(root: Path) -> None:
    browse = CONNECTORS["folder"].browse
    assert browse
    config = {"path": str(root), "roots": [str(root)]}
    assert [branch.path for branch in browse(config, "", nowhere())] == ["sub"]
    assert [branch.path for branch in browse(config, "sub", nowhere())] == ["sub/deep"]
    for path in ("..", "/etc", "sub/../../.."):
        with pytest.raises(SourceNotAllowed):
            list(browse(config, path, nowhere()))
