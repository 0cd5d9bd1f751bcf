"""Who of a source is who here. A source's accounts and groups are rows of that source alone, so two systems' "staff" are never one.

An account is a person by its e-mail address, where the source vouches for that, or because an owner says so. What it may read is worked
out when accounts, groups and rules change, with groups in groups followed and circles ended, and kept as `principals` with the account: a
changed membership holds from its commit on, and no document is touched for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from django.db.models import Q

from north.documents.accounts import Identity, Rule, SourceGroup
from north.documents.models import Source
from north.workspaces.models import Membership, User
from retrieval.types import Account, Members, Rights

Clauses = list[list[str]]
"""Whoever holds one principal of each list."""


def account_principal(source: Source, key: str) -> str:
    return f"s:{source.pk}:u:{hashed(key)}"


def group_principal(source: Source, key: str) -> str:
    return f"s:{source.pk}:g:{hashed(key)}"


def hashed(key: str) -> str:
    """Keys may be of any length; two never meet."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:40]


# --- what a document lists ---------------------------------------------------------------------------------------------------------
def listed_by(rights: Rights | None, source: Source) -> tuple[frozenset[str], Clauses | None]:
    """The principals of a thing with these rights, and the clauses of the rule that one of them stands for. Rights that could not be read
    are nobody's."""
    if rights is None:
        return frozenset(), None
    clauses = [one for one in clauses_of(rights, source) if one is not None]
    needed = {one for one in clauses if not any(other < one for other in clauses)}
    if not needed:
        return frozenset({f"w:{source.workspace_id}"}), None
    if len(needed) == 1:
        return next(iter(needed)), None
    if frozenset() in needed:
        return frozenset(), None
    said = sorted(sorted(one) for one in needed)
    return frozenset({f"s:{source.pk}:r:{hashed(json.dumps(said))}"}), said


def clauses_of(rights: Rights, source: Source) -> Iterable[frozenset[str] | None]:
    """One for these rights and one for each around them; None where everybody is let through."""
    users = {account_principal(source, key) for key in rights.users}
    groups = {group_principal(source, key) for key in rights.groups}
    yield None if rights.public else frozenset(users | groups)
    for outer in rights.within:
        yield from clauses_of(outer, source)


# --- what a person holds -----------------------------------------------------------------------------------------------------------
def held_by(membership: Membership) -> frozenset[str]:
    """What this person's accounts in the sources of this workspace let them read."""
    email = membership.user.email
    mine = Q(mapped=True, user=membership.user_id) | Q(mapped=False, email=email) if email else Q(mapped=True, user=membership.user_id)
    rows = Identity.objects.filter(mine, active=True, source__workspace=membership.workspace_id, source__as_source=True)
    return frozenset(one for principals in rows.values_list("principals", flat=True) for one in principals)


def held_in(source: Source) -> frozenset[str]:
    """All that any account of the source holds."""
    rows = Identity.objects.filter(source=source).values_list("principals", flat=True)
    return frozenset(one for principals in rows for one in principals)


# --- what a pass writes ------------------------------------------------------------------------------------------------------------
def take(source: Source, people: Iterable[Account | Members], listing: int, *, adding: bool = True) -> None:
    """Accounts and groups as the source names them; the last word on each counts. Without `adding` only what takes rights away."""
    last = {(type(one), one.key if isinstance(one, Account) else one.group): one for one in people}
    accounts = [
        Identity(source=source, key=one.key[:400], name=one.name[:200], email=address(one.email), active=one.active, listed=listing)
        for one in last.values()
        if isinstance(one, Account)
    ]
    groups = [
        SourceGroup(
            source=source,
            key=one.group[:400],
            name=one.name[:200],
            users=sorted(one.users or ()),
            groups=sorted(one.groups or ()),
            readable=one.users is not None,
            listed=listing,
        )
        for one in last.values()
        if isinstance(one, Members)
    ]
    if not adding:
        accounts, groups = less(source, accounts, groups)
    kept = {"update_conflicts": True, "unique_fields": ["source", "key"], "batch_size": 500}
    Identity.objects.bulk_create(accounts, update_fields=["name", "email", "active", "listed"], **kept)  # type: ignore[arg-type]
    SourceGroup.objects.bulk_create(groups, update_fields=["name", "users", "groups", "readable", "listed"], **kept)  # type: ignore[arg-type]


def less(source: Source, accounts: list[Identity], groups: list[SourceGroup]) -> tuple[list[Identity], list[SourceGroup]]:
    """Of those that are known already, what they were and still are."""
    known = {row.key: row for row in Identity.objects.filter(source=source).only("key", "email", "active")}
    inside = {row.key: row for row in SourceGroup.objects.filter(source=source)}
    accounts, groups = [one for one in accounts if one.key in known], [one for one in groups if one.key in inside]
    for account in accounts:
        before = known[account.key]
        account.email, account.active = account.email if account.email == before.email else "", account.active and before.active
    for group in groups:
        was = inside[group.key]
        group.users, group.groups = sorted({*group.users} & {*was.users}), sorted({*group.groups} & {*was.groups})
    return accounts, groups


def address(email: str) -> str:
    """As users are known by it; nothing for what is none."""
    plain = User.objects.normalise(email)
    return plain if "@" in plain and len(plain) <= 254 else ""


def drop(source: Source, listing: int) -> None:
    """Who was not named in a whole listing is gone. What an owner said of an account is kept, in case it comes back."""
    gone = Identity.objects.filter(source=source).filter(listed__lt=listing)
    gone.filter(mapped=True).update(active=False)
    gone.filter(mapped=False).delete()
    SourceGroup.objects.filter(source=source).filter(listed__lt=listing).delete()


def keep_rules(source: Source, rules: dict[str, Clauses]) -> bool:
    """Makes sure of these rules; whether one is new, so that who keeps it is to be worked out."""
    known = set(Rule.objects.filter(source=source, principal__in=rules).values_list("principal", flat=True))
    missing = [Rule(source=source, principal=principal, clauses=said) for principal, said in rules.items() if principal not in known]
    Rule.objects.bulk_create(missing, ignore_conflicts=True)
    return bool(missing)


def resolve(source: Source) -> None:
    """Works out what each account may read, and writes those that changed."""
    inside = groups_of_accounts(SourceGroup.objects.filter(source=source).values_list("key", "users", "groups"))
    rules = [
        (principal, [set(clause) for clause in clauses])
        for principal, clauses in Rule.objects.filter(source=source).values_list("principal", "clauses")
    ]
    changed = []
    for identity in Identity.objects.filter(source=source).only("pk", "key", "principals"):
        held = {account_principal(source, identity.key), *(group_principal(source, key) for key in inside.get(identity.key, ()))}
        held |= {principal for principal, clauses in rules if all(clause & held for clause in clauses)}
        if set(identity.principals) != held:
            identity.principals = sorted(held)
            changed.append(identity)
    Identity.objects.bulk_update(changed, ["principals"], batch_size=200)


def groups_of_accounts(groups: Iterable[tuple[str, list[str], list[str]]]) -> dict[str, set[str]]:
    """For each account all groups that it is in, also by way of other groups."""
    outer: dict[str, set[str]] = {}
    direct: dict[str, set[str]] = {}
    for key, users, inner in groups:
        for user in users:
            direct.setdefault(user, set()).add(key)
        for one in inner:
            outer.setdefault(one, set()).add(key)
    return {user: closure(keys, outer) for user, keys in direct.items()}


def closure(keys: Iterable[str], outer: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += outer.get(key, ())
    return found
