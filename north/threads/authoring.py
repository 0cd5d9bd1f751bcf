"""A person's hand on what an agent wrote for them: a new version, an older one again. Nothing that was kept is ever overwritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _

from north.threads.approving import lines
from north.threads.errors import Outdated, Unaskable
from north.threads.models import Artifact, ArtifactVersion
from north.workspaces import audit
from north.workspaces.models import Membership

TEXT_CHARACTERS = 100_000


def revise(artifact: Artifact, text: str, *, based_on: int, actor: Membership) -> ArtifactVersion:
    """This text as the newest version, with the citations whose words still stand in it; the newest itself where nothing was changed.
    Raises Unaskable, and Outdated where somebody kept a newer one than the version that the text was made from."""
    own(artifact, actor)
    text = lines(text)
    if not text or len(text) > TEXT_CHARACTERS:
        raise Unaskable(_("The text must have 1 to %(most)d characters.") % {"most": TEXT_CHARACTERS})
    with transaction.atomic():
        newest = locked(artifact)
        if newest.number != based_on:
            raise Outdated(newest.number)
        return newest if text == newest.text else added(newest, text, carried(newest.citations, text), newest.chart, actor)


def restore(version: ArtifactVersion, *, actor: Membership) -> ArtifactVersion:
    """An older version as the newest again."""
    own(version.artifact, actor)
    with transaction.atomic():
        newest = locked(version.artifact)
        if newest.pk == version.pk:
            return newest
        return added(newest, version.text, version.citations, version.chart, actor, restored=version.number)


def locked(artifact: Artifact) -> ArtifactVersion:
    Artifact.objects.select_for_update().get(pk=artifact.pk)
    newest: ArtifactVersion | None = artifact.versions.first()
    if newest is None:
        raise Http404
    return newest


def added(
    newest: ArtifactVersion, text: str, citations: Sequence[Any], chart: Mapping[str, Any], actor: Membership, **detail: Any
) -> ArtifactVersion:
    artifact = newest.artifact
    version = artifact.versions.create(number=newest.number + 1, text=text, citations=list(citations), chart=dict(chart))
    audit.record("artifact.revise", actor=actor, thing=artifact, version=version.number, **detail)
    return version


def carried(citations: Sequence[Mapping[str, Any]], text: str) -> list[dict[str, Any]]:
    """The citations whose words stand in the text, where they stand now: in their order if they can, else wherever they went."""
    kept: list[dict[str, Any]] = []
    after = 0
    for one in sorted(citations, key=lambda one: int(one["start"])):
        start = text.find(one["text"], after)
        start = start if start >= 0 else text.find(one["text"])
        end = start + len(one["text"])
        if start >= 0 and one["text"] and not any(start < other["end"] and other["start"] < end for other in kept):
            kept.append({**one, "start": start, "end": end})
            after = max(after, end)
    return sorted(kept, key=lambda one: int(one["start"]))


def own(artifact: Artifact, actor: Membership) -> None:
    if (artifact.user_id, artifact.workspace_id) != (actor.user_id, actor.workspace_id):
        raise Http404
