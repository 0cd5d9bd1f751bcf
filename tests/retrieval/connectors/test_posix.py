"""Rights of real files, and of access control lists as the kernel packs them."""

from __future__ import annotations

import grp
import os
import pwd
import struct
from pathlib import Path

import pytest

from retrieval.connectors import CONNECTORS, posix
from retrieval.types import PUBLIC, Account, Item, Members, Rights
from tests.retrieval.connectors.outside import nowhere

ANYBODY = 0xFFFFFFFF


def owned(path: Path, mode: int, user: str = "games", group: str = "mail") -> Rights | None:
    os.chown(path, pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
    path.chmod(mode)
    return posix.rights_of(str(path), path.stat())


def listed(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("text")
    return tmp_path / "a.txt"


OWNER, GROUP = Rights(frozenset({"games"})), Rights(frozenset({"games"}), frozenset({"mail"}))


@pytest.mark.parametrize(
    ("mode", "rights"),
    [
        (0o400, OWNER),
        (0o600, OWNER),
        (0o440, GROUP),
        (0o444, PUBLIC),
        (0o644, PUBLIC),
        (0o000, Rights()),
        (0o333, Rights()),
        (0o404, OWNER),  # the group is denied what others are given: a list of readers cannot say that
        (0o044, Rights()),
        (0o040, Rights()),
    ],
)
def test_the_mode_says_who_reads(path: Path, mode: int, rights: Rights) -> None:
    assert owned(path, mode) == rights


def test_a_list_names_more_readers_and_its_mask_takes_away(path: Path) -> None:
    owned(path, 0o640)
    news, man = pwd.getpwnam("news").pw_uid, grp.getgrnam("man").gr_gid
    named = [(posix.USER, 4, news), (posix.NAMED_GROUP, 4, man)]
    rest = [(posix.OWNER, 6, ANYBODY), (posix.GROUP, 4, ANYBODY), (posix.OTHERS, 0, ANYBODY)]
    about = path.stat()
    full = posix._rights(posix._entries(listed(*rest, *named, (posix.MASK, 4, ANYBODY))), about, posix.READ)
    assert full == Rights(frozenset({"games", "news"}), frozenset({"mail", "man"}))
    masked = posix._rights(posix._entries(listed(*rest, *named, (posix.MASK, 0, ANYBODY))), about, posix.READ)
    assert masked == OWNER
    denied = posix._rights(posix._entries(listed(*rest, (posix.USER, 0, news), (posix.MASK, 7, ANYBODY))), about, posix.READ)
    assert denied == OWNER, "who is denied by name may be in a group that is not"


@pytest.mark.parametrize("packed", [b"", b"\1\0", struct.pack("<I", 9), struct.pack("<I", 2) + b"odd"])
def test_a_list_that_cannot_be_read_hides(packed: bytes) -> None:
    with pytest.raises(struct.error):
        posix._entries(packed)


def test_the_folders_around_a_file_must_let_through(tmp_path: Path) -> None:
    inner = tmp_path / "share" / "closed"
    inner.mkdir(parents=True)
    (inner / "a.txt").write_text("text")
    owned(inner, 0o750)
    owned(inner / "a.txt", 0o444)
    tmp_path.joinpath("share").chmod(0o755)
    fetched = list(CONNECTORS["folder"].fetch({"path": str(tmp_path / "share"), "roots": [str(tmp_path)]}, None, nowhere()))
    [item] = [event for event in fetched if isinstance(event, Item)]
    assert item.rights == GROUP
    owned(inner / "a.txt", 0o440, "news", "man")
    assert posix.both(posix.rights_of(str(inner / "a.txt"), (inner / "a.txt").stat()), GROUP) == Rights(
        frozenset({"news"}), frozenset({"man"}), within=(GROUP,)
    )


def test_groups_have_those_who_begin_in_them_and_those_who_are_listed() -> None:
    games = pwd.getpwnam("games")
    found = {one.group: one for one in posix.members({grp.getgrgid(games.pw_gid).gr_name, "no-such-group"})}
    assert found["no-such-group"] == Members("no-such-group", None, None)
    assert "games" in (found[grp.getgrgid(games.pw_gid).gr_name].users or ())


def test_accounts_have_addresses_only_where_the_domain_is_said() -> None:
    assert Account("games", "games", "games@acme.example") in list(posix.accounts("acme.example"))
    assert all(not account.email for account in posix.accounts(""))
