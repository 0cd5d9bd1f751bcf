from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import Blob, Commit, ShaFile, Tree
from dulwich.pack import write_pack_objects

from retrieval import reading
from retrieval.connectors import git
from retrieval.errors import SettingWrong, SourceError, SourceGarbled, TooLarge
from retrieval.types import Cursor, Fetched, Item, Skipped
from tests.retrieval.connectors.outside import Headers, InProcess, Said
from tests.retrieval.connectors.worlds.git import HOST, GitWorld
from tests.retrieval.connectors.worlds.unruled import filled_in


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GitWorld:
    found = GitWorld(tmp_path_factory.mktemp("git"))
    (found.root / "docs" / "deep").mkdir(parents=True)
    (found.root / "docs" / "deep" / "größe.md").write_text("large")
    (found.root / "docs" / "big.bin").write_bytes(b"x" * 1_200_000)
    (found.root / "film.mp4").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (found.root / "out").symlink_to("/etc/passwd")
    found.put("poetry.lock", "lock")
    return found


def config(**given: Any) -> dict[str, Any]:
    return filled_in(git.CONNECTOR, {"url": f"https://{HOST}/book.git", "token": "right", **given})


def names(events: list[Fetched]) -> list[str]:
    return sorted(event.external_id for event in events if isinstance(event, Item))


def test_a_branch_is_read_without_links_and_large_files(world: GitWorld) -> None:
    events = list(git.fetch(config(megabytes=1, link="https://git.example/blob/{path}"), None, world.outside))
    assert names(events) == ["docs/deep/größe.md", "poetry.lock"]
    assert sorted((event.folder, event.name) for event in events if isinstance(event, Skipped)) == [("", "film.mp4"), ("docs", "big.bin")]
    deep = next(event for event in events if isinstance(event, Item) and event.name == "größe.md")
    assert (deep.read(), deep.folder, deep.link) == (b"large", "docs/deep", "https://git.example/blob/docs/deep/größe.md")


def test_an_unchanged_branch_costs_no_pack(world: GitWorld) -> None:
    last = list(git.fetch(config(), None, world.outside))[-1]
    assert isinstance(last, Cursor)
    world.outside.asked.clear()
    assert list(git.fetch(config(), last.value, world.outside)) == [last]
    assert not [asked for asked in world.outside.asked if asked.body and b"want" in asked.body]


def test_a_branch_that_is_none_is_said(world: GitWorld) -> None:
    for run in (lambda wrong: git.fetch(wrong, None, world.outside), lambda wrong: git.probe(wrong, world.outside)):
        with pytest.raises(SettingWrong, match="no branch"):
            list(run(config(branch="none")))


ADVERTISED = Headers({"content-type": "application/x-git-upload-pack-advertisement"})


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, b"<html>a page</html>", Headers({"content-type": "text/html"})),
        Said(200, b"", ADVERTISED),
        Said(200, b"zzzz", ADVERTISED),
        Said(200, b"001e# service=git-upload-pack\n0000ffff", ADVERTISED),
        Said(200, b"000eversion 2\n0000", ADVERTISED),
        Said(200, b"\xff" * 50, ADVERTISED),
        Said(302, headers=Headers({"location": "http://169.254.169.254/"})),
        Said(401),
        Said(403),
        Said(404),
    ],
)
def test_servers_that_are_no_repository_are_refused_in_words(answer: Said) -> None:
    with pytest.raises(SourceError) as raised:
        list(git.fetch(config(), None, InProcess(HOST, lambda asked: answer)))
    assert str(raised.value).endswith(".") and "right" not in str(raised.value).replace('right "', "").replace("is right", "")


def test_a_pack_that_was_changed_on_its_way_is_none(world: GitWorld, tmp_path: Path) -> None:
    def changed(asked: Any) -> Said | None:
        if asked.method != "POST" or b"command=fetch" not in asked.body:
            return None
        whole = world.serve(asked)
        middle = len(whole.content) // 2
        return Said(200, whole.content[:middle] + bytes([whole.content[middle] ^ 1]) + whole.content[middle + 1 :], whole.headers)

    with pytest.raises(SourceGarbled):
        list(git.fetch(config(), None, InProcess(HOST, lambda asked: changed(asked) or world.serve(asked))))


def test_its_folders_can_be_browsed(world: GitWorld) -> None:
    (docs,) = git.browse(config(), "", world.outside)
    (deep,) = git.browse(config(), docs.path, world.outside)
    assert [(one.path, one.inner, one.patterns) for one in (docs, deep)] == [
        ("docs", True, ("docs/",)),
        ("docs/deep", False, ("deep/",)),
    ]


# --- what is packed may unpack to anything ------------------------------------------------------------------------------------------------
def packed(*objects: ShaFile) -> bytes:
    file = BytesIO()
    write_pack_objects(file.write, [(one, None) for one in objects], object_format=DEFAULT_OBJECT_FORMAT)
    return file.getvalue()


def commit_of(tree: Tree) -> Commit:
    made = Commit()
    made.tree, made.author, made.committer, made.message = tree.id, b"a <a@a>", b"a <a@a>", b"m"
    made.author_time = made.commit_time = made.author_timezone = made.commit_timezone = 0
    return made


def unpacked(tmp_path: Path, pack: bytes, commit: Commit) -> list[tuple[dict[str, Any], bytes]]:
    (tmp_path / "pack").write_bytes(pack)
    asked = {"commit": commit.id.decode(), "most": 1_000_000}
    return list(reading.unpacked(tmp_path / "pack", tmp_path, asked))


def test_a_pack_is_unpacked_in_a_confined_child(tmp_path: Path) -> None:
    blob, tree = Blob.from_string(b"words"), Tree()
    tree.add(b"a.md", 0o100644, blob.id)
    ((known, data),) = unpacked(tmp_path, packed(commit_of(tree), tree, blob), commit_of(tree))
    assert (known["path"], known["bytes"], data) == ("a.md", 5, b"words")


def test_a_bomb_in_a_pack_ends_the_child_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "UNPACK_MEGABYTES", 400)
    blob, tree = Blob.from_string(bytes(300_000_000)), Tree()
    tree.add(b"a.md", 0o100644, blob.id)
    with pytest.raises(TooLarge):
        unpacked(tmp_path, packed(commit_of(tree), tree, blob), commit_of(tree))


def test_trees_that_hold_each_other_many_times_are_refused(tmp_path: Path) -> None:
    trees = [Tree()]
    for _depth in range(12):
        outer = Tree()
        for number in range(10):
            outer.add(b"%d" % number, 0o040000, trees[-1].id)
        trees.append(outer)
    with pytest.raises(TooLarge, match="very many files"):
        unpacked(tmp_path, packed(commit_of(trees[-1]), *trees), commit_of(trees[-1]))


def test_a_pack_that_says_it_has_countless_objects_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="objects"):
        unpacked(tmp_path, b"PACK" + (2).to_bytes(4, "big") + (2**31).to_bytes(4, "big") + bytes(40), commit_of(Tree()))
