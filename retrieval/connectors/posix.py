"""Who may read a file by the rights of POSIX: owner, group and others, and the access control list where it has one. Names come from
this machine's own directory of users, which may be an LDAP.

Rights are read on the careful side. Who is denied by a narrower class and allowed by a wider one (mode 0604) cannot be told apart by a
list of those who may, so a wider class opens a file only where the narrower ones do, too.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import struct
from collections.abc import Iterable, Iterator

from retrieval.types import PUBLIC, Account, Members, Rights

READ, ENTER = 4, 1
ACCESS_LIST = "system.posix_acl_access"
NO_LIST = {errno.ENODATA, errno.ENOTSUP, errno.ENOSYS}
OWNER, USER, GROUP, NAMED_GROUP, MASK, OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
Entry = tuple[int, int, int]
"""tag, permissions, uid or gid"""


def rights_of(path: str, about: os.stat_result, need: int = READ) -> Rights | None:
    """Of whom may read a file, or with ENTER reach what is in a folder; None where its list cannot be read."""
    try:
        entries = _entries(os.getxattr(path, ACCESS_LIST))
    except OSError as error:
        if error.errno not in NO_LIST:
            return None
        entries = _entries_of_mode(about.st_mode)
    except struct.error:
        return None
    return _rights(entries, about, need)


def both(inner: Rights | None, outer: Rights | None) -> Rights | None:
    """Those who have both rights."""
    if inner is None or outer is None:
        return None
    if outer in (PUBLIC, inner):
        return inner
    return outer if inner == PUBLIC else Rights(inner.users, inner.groups, inner.public, (*inner.within, outer))


def _entries(packed: bytes) -> list[Entry]:
    """The list as the kernel packs it: a version, then tag, permissions and id of each entry (acl(5), linux/posix_acl_xattr.h)."""
    if struct.unpack_from("<I", packed)[0] != 2:
        raise struct.error("another version")
    return [(tag, mode, id) for tag, mode, id in struct.iter_unpack("<HHI", packed[4:])]


def _entries_of_mode(mode: int) -> list[Entry]:
    return [(OWNER, mode >> 6 & 7, 0), (GROUP, mode >> 3 & 7, 0), (OTHERS, mode & 7, 0)]


def _rights(entries: list[Entry], about: os.stat_result, need: int) -> Rights:
    mask = next((mode for tag, mode, _id in entries if tag == MASK), 7)
    masked = {USER, GROUP, NAMED_GROUP}
    may = [(tag, id, bool(mode & (mask if tag in masked else 7) & need)) for tag, mode, id in entries]
    owner = any(ok for tag, _id, ok in may if tag == OWNER)
    users = {user_name(id) for tag, id, ok in may if tag == USER and ok} | ({user_name(about.st_uid)} if owner else set())
    nobody_denied = owner and all(ok for tag, _id, ok in may if tag == USER)
    groups = {group_name(about.st_gid if tag == GROUP else id) for tag, id, ok in may if tag in (GROUP, NAMED_GROUP) and ok}
    if not nobody_denied:
        return Rights(frozenset(users))
    if all(ok for _tag, _id, ok in may if _tag != MASK):
        return PUBLIC
    return Rights(frozenset(users), frozenset(groups))


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def accounts(domain: str) -> Iterator[Account]:
    """The users of this machine; their addresses are at `domain`, if the administrator says so."""
    for user in pwd.getpwall():
        yield Account(user.pw_name, user.pw_gecos.split(",")[0], f"{user.pw_name}@{domain}" if domain else "")


def members(names: Iterable[str]) -> Iterator[Members]:
    """Who is in these groups, by their lists and as the group that somebody begins in."""
    begin: dict[int, set[str]] = {}
    for user in pwd.getpwall():
        begin.setdefault(user.pw_gid, set()).add(user.pw_name)
    for name in sorted(names):
        try:
            group = grp.getgrnam(name)
        except KeyError:
            yield Members(name, None, None)
        else:
            yield Members(name, frozenset({*group.gr_mem, *begin.get(group.gr_gid, ())}))
