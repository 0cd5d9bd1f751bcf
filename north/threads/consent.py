"""Who lets an agent act, and that it acts once: what a run is handed in the model worker. The rows are the only word that counts: a run
waits on an interrupt and asks here anew when it goes on, so a forged or replayed checkpoint approves nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, cast

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.consent import Decision, Proposal, Rule, Standing, rule_for
from agents.errors import Cancelled, ToolFailed
from agents.tool import Outcome
from north.failpoints import failpoint
from north.threads.approving import seal, sealed, settle
from north.threads.configuring import as_asked
from north.threads.errors import SourcesChanged
from north.threads.models import Approval, Run, ToolRule
from north.threads.reading import open_documents
from north.webhooks.announcing import announce
from north.webhooks.models import Event
from north.workspaces import audit
from north.workspaces.models import Membership, Workspace

EXPIRES = timedelta(days=1)
HARMLESS = {"fetch_page"}
"""What leaves the house and may do so twice."""
FIRST: Mapping[Rule, Standing] = {"allow": "approved", "ask": "waiting", "deny": "denied"}


def rule_of(workspace: Workspace, tool: str) -> Rule | None:
    """What this workspace says of a tool; None where it says nothing."""
    return cast("Rule | None", ToolRule.objects.filter(workspace=workspace, tool=tool).values_list("rule", flat=True).first())


def stricter(said: Rule | None, agents: str | None) -> Rule | None:
    """What a workspace says of a tool, and what its agent adds: that may only forbid more."""
    if agents not in ("ask", "deny") or said == "deny":
        return said
    return cast(Rule, agents)


class Approvals:
    """What one run proposes. Every write is under the run's lease; `member` gives whoever asked as they are now, or raises."""

    def __init__(self, run: Run, member: Callable[[Run], Membership]) -> None:
        self.run, self.member = run, member
        self.workspace = run.thread.workspace
        self.rules: Mapping[str, str] = as_asked(run).rules
        self.home = threading.get_ident()

    def rule_of(self, tool: str) -> Rule | None:
        return stricter(rule_of(self.workspace, tool), self.rules.get(tool))

    def free(self, tool: str) -> bool:
        try:
            return rule_for("reads", self.rule_of(tool), derived=False) == "allow"
        finally:
            self._close()

    def propose(self, proposal: Proposal) -> Decision:
        try:
            with transaction.atomic():
                self.run.renew()
                row = Approval.objects.select_for_update().filter(run=self.run, key=proposal.key).first() or self._judged(proposal)
                if row.proposed != proposal.digest and row.standing != Approval.Standing.DONE:
                    settle(row, Approval.Standing.DENIED, _("What was to be done changed after it was shown, so it was not done."))
                elif row.standing == Approval.Standing.WAITING and row.expires_at <= timezone.now():
                    settle(row, Approval.Standing.EXPIRED, _("Nobody decided on it in time, so it was not done."))
        finally:
            self._close()
        failpoint("propose")
        return decision(row)

    def _judged(self, proposal: Proposal) -> Approval:
        rule = rule_for(proposal.effect, self.rule_of(proposal.tool), derived=bool(proposal.derived))
        row = Approval(
            run=self.run, key=proposal.key, tool=proposal.tool, effect=proposal.effect, arguments=dict(proposal.arguments),
            proposed=proposal.digest, derived=list(proposal.derived), preview=proposal.preview, standing=FIRST[rule],
            expires_at=timezone.now() + EXPIRES, words=_("This workspace forbids it.") if rule == "deny" else "",
        )  # fmt: skip
        row.seal = seal(row) if rule == "allow" else ""
        row.save(force_insert=True)
        audit.record("approval.propose", actor=None, workspace=self.workspace, thing=row, tool=row.tool, rule=rule, digest=row.proposed)
        if rule == "ask":
            announce(
                Event.APPROVAL_NEEDED, workspace=self.workspace.pk, approval=row.pk, run=self.run.pk, thread=self.run.thread_id,
                user=self.run.thread.user_id, tool=row.tool, expires_at=row.expires_at.isoformat(),
            )  # fmt: skip
        return row

    def perform(self, key: str, act: Callable[[Mapping[str, Any]], Outcome]) -> Decision:
        try:
            leaves = Approval.objects.filter(run=self.run, key=key, effect="leaves").exists()
            return self._sent(key, act) if leaves else self._performed(key, act)
        except ToolFailed as error:
            with transaction.atomic():
                row = Approval.objects.select_for_update().get(run=self.run, key=key)
                if row.standing == Approval.Standing.APPROVED:
                    settle(row, Approval.Standing.FAILED, str(error))
            return decision(row)
        finally:
            self._close()

    def _performed(self, key: str, act: Callable[[Mapping[str, Any]], Outcome]) -> Decision:
        """The effect, the note that it is done and its audit event: all of them or none."""
        with transaction.atomic():
            self.run.renew()
            row = Approval.objects.select_for_update().get(run=self.run, key=key)
            if row.standing != Approval.Standing.APPROVED:
                return decision(row)
            self._still_right(row)
            failpoint("act")
            row.words = act(row.arguments).text
            row.standing, row.done_at = Approval.Standing.DONE, timezone.now()
            row.save(update_fields=["words", "standing", "done_at"])
            audit.record("approval.done", actor=None, workspace=self.workspace, thing=row, tool=row.tool)
            failpoint("acted")
        failpoint("done")
        return decision(row)

    def _sent(self, key: str, act: Callable[[Mapping[str, Any]], Outcome]) -> Decision:
        """What leaves the house: no row is held while the other side takes its time. It is noted first that it begins; what was begun
        and not seen to end is begun again only where that does no harm."""
        with transaction.atomic():
            self.run.renew()
            row = Approval.objects.select_for_update().get(run=self.run, key=key)
            if row.standing != Approval.Standing.APPROVED:
                return decision(row)
            self._still_right(row)
            if row.begun_at and row.tool not in HARMLESS:
                raise ToolFailed(
                    _("North was interrupted while it did this. Whether it happened is not known: look there before you ask again.")
                )
            row.begun_at = timezone.now()
            row.save(update_fields=["begun_at"])
        failpoint("act")
        words = act(row.arguments).text
        failpoint("acted")
        with transaction.atomic():
            self.run.renew()
            done = {"standing": Approval.Standing.DONE, "words": words, "done_at": timezone.now()}
            if Approval.objects.filter(pk=row.pk, standing=Approval.Standing.APPROVED).update(**done):
                audit.record("approval.done", actor=None, workspace=self.workspace, thing=row, tool=row.tool)
        failpoint("done")
        return decision(Approval.objects.get(pk=row.pk))

    def _still_right(self, row: Approval) -> None:
        """Nothing happens for somebody who lost their rights, for a run that is to stop, or with other arguments than the approved."""
        if Run.objects.filter(pk=self.run.pk, cancel_requested=True).exists():
            raise Cancelled
        cited = {source["document"] for one in row.arguments.get("citations", []) for source in one["sources"]}
        if not cited <= open_documents(self.member(self.run), cited).keys():
            raise SourcesChanged
        if not sealed(row):
            raise ToolFailed(_("It is not what was approved, so it was not done."))

    def _close(self) -> None:
        """The agent may act from a short-lived thread of its own: its database connection ends with the call."""
        if threading.get_ident() != self.home:
            connection.close()


def decision(row: Approval) -> Decision:
    return Decision(cast(Standing, str(row.standing)), row.arguments, row.words)
