"""Asks a question again as it was then: the same passages, the same version of the agent, the same seed. What was taken away from
whoever asks since, deleted, or changed is not read again, and that is said before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from north import wiring
from north.documents.models import Document
from north.documents.readers import scope_of
from north.threads import actions
from north.threads.errors import Incomplete, Unaskable
from north.threads.models import Run
from north.threads.reading import is_id
from north.workspaces.models import Membership

SEARCHED_FOR = "Searched for"
"""As `agents.nodes.search` says what it asked the index."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What stands between now and then."""

    unkept: bool
    """Its passages are not kept, or not all of them."""
    closed: int
    """Passages of documents that are gone, or that this person may no longer open."""
    changed: tuple[str, ...]
    """Documents that have another text by now."""
    model: str
    """The model that answered then, where it is another one now."""

    @property
    def words(self) -> list[str]:
        closed = ngettext(
            "%d passage is of a document that is gone or that you may no longer open.",
            "%d passages are of documents that are gone or that you may no longer open.",
            self.closed,
        )
        return list(filter(None, [
            _("What was found then is not kept any more.") if self.unkept else "",
            closed % self.closed if self.closed else "",
            _("Changed since: %(names)s.") % {"names": ", ".join(self.changed)} if self.changed else "",
            _("%(model)s answered then; it is not the chat model any more.") % {"model": self.model} if self.model else "",
        ]))  # fmt: skip


def missing(run: Run, actor: Membership) -> Missing:
    then = found_then(run)
    passages = {(one["document"], one["sha256"]): one for found in then.values() for one in found}
    names = {id: (name, sha256) for id, name, sha256 in known(passages.values(), actor)}
    changed = {names[document][0] for document, sha256 in passages if document in names and names[document][1] != sha256}
    closed = sum(one["document"] not in names for found in then.values() for one in found)
    unkept = len(then) < len(set(run.searched)) or run.traces.filter(left_out=True).exists() or not then
    now = wiring.model_name("chat")
    return Missing(unkept, closed, tuple(sorted(changed)), run.model if run.model and run.model != now else "")


def replay(run: Run, *, actor: Membership, anyway: bool = False) -> Run:
    """As a new run at the end of its thread. `anyway`: also where something is missing. Raises Refused."""
    actions.own(run.thread, actor)
    if not run.over:
        raise Unaskable(_("It still works: wait for its end."))
    lacking = missing(run, actor).words
    if lacking and not anyway:
        raise Incomplete(" ".join([*lacking, _("Run it with what is left, or ask the question again with today's documents.")]))
    then: dict[str, Any] = {"version": run.version, "seed": run.seed, "as_then": True}
    return actions.ask(run.thread, run.question, actor=actor, agent=run.agent_id or "", thorough=run.thorough, repeats=run, **then)


def found_then(run: Run) -> dict[str, list[dict[str, Any]]]:
    """What each query of the run found."""
    searches = set(run.steps.filter(kind="search").values_list("key", flat=True))
    rows = run.traces.filter(key__in=searches).only("passages", "decisions")
    return {one["what"]: row.passages for row in rows for one in row.decisions if one["why"] == SEARCHED_FOR}


def readable_of(passages: Sequence[Mapping[str, Any]], actor: Membership) -> list[dict[str, Any]]:
    """Those whose words this person may read now, and that still stand in their document."""
    current = {(id, sha256): name for id, name, sha256 in known(passages, actor)}
    return [{**one, "name": current[one["document"], one["sha256"]]} for one in passages if (one["document"], one["sha256"]) in current]


def known(passages: Any, actor: Membership) -> list[tuple[str, str, str]]:
    """Of these passages' documents that this person may read: id, name, and the sha256 of the text that is indexed."""
    ids = {one["document"] for one in passages if is_id(one["document"])}
    rows = Document.objects.in_scope(scope_of(actor)).filter(pk__in=ids).values_list("pk", "name", "indexed_sha256")
    return [(str(pk), name, sha256) for pk, name, sha256 in rows]
