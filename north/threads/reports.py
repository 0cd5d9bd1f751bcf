"""Reports that somebody asked for by "Research thoroughly": kept as theirs, to edit and to take along. They asked for it, so they are not
asked again; where the workspace or the agent forbids writing documents the report stands in its thread only."""

from __future__ import annotations

from dataclasses import asdict

from django.db import transaction

from agents.events import Answered
from agents.planning import title_of, topic_of
from north.failpoints import failpoint
from north.threads.configuring import as_asked
from north.threads.models import Artifact, ArtifactVersion, Run, ToolRule
from north.workspaces.models import Membership

TOOL = "write_document"


def keep(run: Run, answered: Answered, actor: Membership) -> ArtifactVersion | None:
    """Can be done twice: what was kept is not kept again. None: it may not be."""
    denied = ToolRule.objects.filter(workspace=actor.workspace, tool=TOOL, rule=ToolRule.Rule.DENY).exists()
    if denied or as_asked(run).rules.get(TOOL) == ToolRule.Rule.DENY:
        return None
    with transaction.atomic():
        mine = {"workspace_id": actor.workspace_id, "user_id": actor.user_id}
        artifact, _new = Artifact.objects.get_or_create(thread=run.thread, title=title_of(topic_of(run.question)), defaults=mine)
        newest: ArtifactVersion | None = artifact.versions.select_for_update().first()
        if newest and (newest.run_id, newest.text) == (run.pk, answered.text):
            return newest
        kept = artifact.add(run, answered.text, [asdict(one) for one in answered.citations])
    failpoint("kept")
    return kept
