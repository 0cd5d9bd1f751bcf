"""Searches that a person keeps for later: theirs alone, in one workspace."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from north.documents.errors import Refused
from north.documents.filtering import NAMES, plain
from north.documents.models import SavedSearch
from north.workspaces.models import Membership

MOST = 100
LONGEST = 4000
KNOWN = {"q", "not", *NAMES}


def save(name: str, query: str, *, actor: Membership) -> SavedSearch:
    """`query`: the search page's query string; what the page does not know is dropped. A name that is taken gets the new search.

    Raises Refused for nothing to save, or too many."""
    kept = urlencode([(key, value) for key, value in parse_qsl(query[: 2 * LONGEST]) if key in KNOWN and plain(value)])
    asked = dict(parse_qsl(kept)).get("q", "")
    if not asked.strip() or len(kept) > LONGEST:
        raise Refused(_("There is no search to save. Search for something, then save it."))
    mine = SavedSearch.objects.filter(workspace=actor.workspace, user=actor.user)
    given = named(name or asked)
    if mine.exclude(name=given).count() >= MOST:
        raise Refused(_("You keep %d searches already. Delete one first.") % MOST)
    return mine.update_or_create(name=given, defaults={"query": kept, "workspace": actor.workspace, "user": actor.user})[0]


def rename(search: UUID, name: str, *, actor: Membership) -> None:
    """Raises Refused for an empty name, or one that another of the person's searches has."""
    try:
        with transaction.atomic():
            if not mine(actor, search).update(name=named(name)):
                raise Http404
    except IntegrityError:
        raise Refused(_("You have saved another search under this name. Choose another name.")) from None


def delete(search: UUID, *, actor: Membership) -> None:
    if not mine(actor, search).delete()[0]:
        raise Http404


def mine(actor: Membership, search: UUID) -> QuerySet[SavedSearch]:
    return SavedSearch.objects.filter(workspace=actor.workspace, user=actor.user, pk=search)


def named(name: str) -> str:
    name = " ".join(name.split())[:120]
    if not name or not plain(name):
        raise Refused(_("Give the search a name."))
    return name
