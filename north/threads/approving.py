"""A person's word on what an agent proposed: yes, yes with changes, or no. The same from the page and by REST. Loads no agent.

An approval is sealed: bound by an HMAC to its run, its tool and its exact arguments, so that nothing else is done in its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.functional import Promise as StrPromise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import plans
from agents.errors import PlanUnusable
from north.failpoints import failpoint
from north.hints import hint
from north.outside.arguments import CHARACTERS, Unfitting, checked
from north.outside.models import ServerTool
from north.threads.actions import MESSAGE_SECONDS, own
from north.threads.errors import Undecidable
from north.threads.models import Approval, Run, ToolRule
from north.workspaces import audit
from north.workspaces.access import demand
from north.workspaces.models import Membership, Role, Workspace

EDITABLE: Mapping[str, Mapping[str, int]] = {
    "write_document": {"title": 120, "text": 100_000},
    "create_chart": {"title": 120},
    "ask_user": {"answer": 2000},
}
"""The arguments that a person may change before they say yes, and their most characters; of another tool none."""

EFFECTS: Mapping[str, str] = {
    "calculate": "reads", "query_table": "reads", "read_document": "reads", "compare_documents": "reads", "fetch_page": "leaves",
    "write_document": "writes", "create_chart": "writes", "ask_user": "asks",
}  # fmt: skip
"""The tools for which a workspace may say a rule, as `agents.tools` has them."""

NAMED: Mapping[str, StrPromise] = {
    "calculate": gettext_lazy("Work out numbers"),
    "query_table": gettext_lazy("Ask tables"),
    "read_document": gettext_lazy("Open a document"),
    "compare_documents": gettext_lazy("Compare documents"),
    "write_document": gettext_lazy("Keep a document"),
    "fetch_page": gettext_lazy("Read pages of the web"),
    "create_chart": gettext_lazy("Draw and keep a chart"),
    "ask_user": gettext_lazy("Ask whoever asked"),
}  # fmt: skip


def effects_of(workspace: Workspace) -> dict[str, str]:
    """The tools for which this workspace may say a rule: North's own, and those that its owners approved."""
    lent = ServerTool.objects.filter(server__workspace=workspace).exclude(approved="").select_related("server")
    return {**EFFECTS, **{tool.full_name: "leaves" for tool in lent}}


def set_rules(rules: Mapping[str, str], *, actor: Membership) -> None:
    """What a workspace says of its tools: a rule, or nothing for the default. What is no rule is left out."""
    demand(actor, Role.OWNER)
    effects = effects_of(actor.workspace)
    with transaction.atomic():
        ToolRule.objects.filter(workspace=actor.workspace, tool__in=list(rules)).delete()
        kept = {tool: rule for tool, rule in rules.items() if tool in effects and rule in ToolRule.Rule.values}
        ToolRule.objects.bulk_create(ToolRule(workspace=actor.workspace, tool=tool, rule=rule) for tool, rule in kept.items())
        audit.record("tools.rules", actor=actor, thing=actor.workspace, rules=kept)


def approve(approval: Approval, *, seen: str, actor: Membership, changes: Mapping[str, Any] | None = None) -> Approval:
    """Lets the action happen, with `changes` of the person's own. `seen`: what was shown to them (`Approval.proposed`). Raises
    Undecidable where it was decided before, is too late, changed meanwhile or makes no sense: then nothing happens."""
    own(approval.run.thread, actor)
    with transaction.atomic():
        row = undecided(approval, seen)
        row.arguments = edited(row, changes or {})
        row.seal = seal(row)
        decide(row, Approval.Standing.APPROVED, actor, edited=bool(changes))
    return row


def reject(approval: Approval, *, seen: str, actor: Membership, words: str = "") -> Approval:
    """Forbids the action; the run goes on without it. Raises as `approve`."""
    own(approval.run.thread, actor)
    with transaction.atomic():
        row = undecided(approval, seen)
        reason = " ".join(words.split())[:300]
        row.words = _("You did not want it: %(reason)s") % {"reason": reason} if reason else _("You did not want it.")
        decide(row, Approval.Standing.REJECTED, actor)
    return row


def decide(row: Approval, standing: str, actor: Membership, **detail: Any) -> None:
    row.standing, row.decided_by, row.decided_at = standing, actor.user, timezone.now()
    row.save()
    Run.objects.filter(pk=row.run_id, status=Run.Status.PENDING).update(try_at=None)
    audit.record(f"approval.{standing}", actor=actor, thing=row, tool=row.tool, digest=row.proposed, **detail)
    transaction.on_commit(partial(hint, "threads.execute", str(row.run_id), expires=MESSAGE_SECONDS), robust=True)
    failpoint("decide")


def undecided(approval: Approval, seen: str) -> Approval:
    """The row, locked, if it can be decided now. The run is locked first: its worker may just be putting it to rest."""
    run = Run.objects.select_for_update().get(pk=approval.run_id)
    row: Approval = Approval.objects.select_for_update().get(pk=approval.pk)
    if row.standing != Approval.Standing.WAITING:
        raise Undecidable(_("This was decided before: %(standing)s. Nothing was changed.") % {"standing": row.get_standing_display()})
    if row.expires_at <= timezone.now():
        raise Undecidable(_("This request has expired, so nothing was done. Ask again."))
    if run.over or run.cancel_requested:
        raise Undecidable(_("This question was stopped, so there is nothing to decide any more."))
    if not constant_time_compare(row.proposed, seen):
        raise Undecidable(_("What you saw is not what is proposed now. Reload the page and look again."))
    return row


def edited(row: Approval, changes: Mapping[str, Any]) -> dict[str, Any]:
    if row.tool == "plan" and set(changes) == {"steps"}:
        return {**row.arguments, "steps": planned(changes["steps"], row.arguments["tools"])}
    if row.tool not in EDITABLE and (schema := schema_of(row)) is not None and set(changes) == {"arguments"}:
        return {**row.arguments, "arguments": fitting(schema, changes["arguments"])}
    allowed = EDITABLE.get(row.tool, {})
    if strange := set(changes) - set(allowed):
        raise Undecidable(_("This cannot be changed here: %(names)s.") % {"names": ", ".join(sorted(map(str, strange)))})
    arguments = {**row.arguments, **{name: plain(name, value, allowed[name]) for name, value in changes.items()}}
    if row.tool == "ask_user" and not arguments["answer"]:
        raise Undecidable(_("Write an answer, or skip the question."))
    return arguments


def schema_of(row: Approval) -> Mapping[str, Any] | None:
    """Of the arguments of a server's tool; None for North's own, and where the tool is gone."""
    server, dot, name = row.tool.partition(".")
    tools = ServerTool.objects.filter(server__workspace=row.run.thread.workspace_id, server__name=server, name=name)
    return tools.values_list("schema", flat=True).first() if dot else None


def fitting(schema: Mapping[str, Any], said: Any) -> str:
    """Arguments as they are sent. Raises Undecidable, in words that say which does not fit."""
    text = plain(_("The arguments"), said, CHARACTERS)
    try:
        return json.dumps(checked(schema, text), ensure_ascii=False)
    except Unfitting as error:
        raise Undecidable(str(error)) from None


def planned(said: object, tools: Sequence[str]) -> list[dict[str, Any]]:
    """What a person made of a plan, in order. Raises Undecidable, in words that say which step makes no sense."""
    try:
        return plans.shown(plans.checked(said, tools))
    except PlanUnusable as error:
        raise Undecidable(str(error)) from None


def plain(name: str, value: Any, most: int) -> str:
    """Text as it is kept. Raises Undecidable for anything else."""
    if not isinstance(value, str):
        raise Undecidable(_("%(name)s must be text.") % {"name": name})
    text = lines(value)
    if not text or len(text) > most:
        raise Undecidable(_("%(name)s must have 1 to %(most)d characters.") % {"name": name, "most": most})
    return text


def lines(text: str) -> str:
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode().strip()


def settle(row: Approval, standing: str, words: str) -> None:
    row.standing, row.words, row.seal = standing, words, ""
    row.save(update_fields=["standing", "words", "seal"])
    audit.record("approval.settle", actor=None, workspace=row.run.thread.workspace, thing=row, tool=row.tool, standing=str(standing))


def seal(row: Approval, key: str | bytes | None = None) -> str:
    said = json.dumps([str(row.run_id), row.key, row.tool, row.arguments], sort_keys=True, separators=(",", ":"))
    return salted_hmac("north.approval", said, secret=key or settings.SECRET_KEY, algorithm="sha256").hexdigest()


def sealed(row: Approval) -> bool:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(row.seal, seal(row, key)) for key in keys)
