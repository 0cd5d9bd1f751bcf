"""Pages of what agents wrote: to read, to edit, to take along as a file; and answers as files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from north.exports.making import FORMATS, ExportFailed, made, offered
from north.exports.paper import Paper
from north.threads import authoring, pages, papers
from north.threads.errors import Refused
from north.threads.models import Artifact, ArtifactVersion, Run
from north.threads.rendering import render as render_answer
from north.workspaces.access import inside
from north.workspaces.models import Membership

ARTIFACTS = 30


@require_safe
@inside()
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    page = Paginator(Artifact.objects.of(membership), ARTIFACTS).get_page(request.GET.get("page"))
    return render(request, "threads/artifacts.html", {"nav": "threads", "page": page})


def version_of(membership: Membership, artifact_id: UUID, number: str | None) -> tuple[list[ArtifactVersion], ArtifactVersion]:
    """All versions, the newest first, and the one of this number; the newest without a number."""
    artifact = get_object_or_404(Artifact.objects.of(membership).select_related("thread"), pk=artifact_id)
    versions = list(artifact.versions.select_related("artifact__thread"))
    found = next((one for one in versions if number in (None, "", str(one.number))), None)
    if found is None:
        raise Http404
    return versions, found


@require_safe
@inside()
def artifact(request: HttpRequest, membership: Membership, artifact_id: UUID) -> HttpResponse:
    versions, version = version_of(membership, artifact_id, request.GET.get("version"))
    return page(request, membership, versions, version)


def page(
    request: HttpRequest,
    membership: Membership,
    versions: list[ArtifactVersion],
    version: ArtifactVersion,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    slug, artifact = membership.workspace.slug, version.artifact
    address = reverse("threads:export_artifact", args=[slug, artifact.pk, "md"]) + f"?version={version.number}"
    values = {
        "nav": "threads", "artifact": artifact, "versions": versions, "newest": versions[0], "most": authoring.TEXT_CHARACTERS,
        "page": written(version, membership), "downloads": pages.downloads(address, version.text, version.chart),
        "draft": versions[0].text, "base": versions[0].number, **more,
    }  # fmt: skip
    return render(request, "threads/artifact.html", values, status=status)


def written(version: ArtifactVersion, membership: Membership) -> dict[str, Any]:
    """A version of an artifact, its citations as its reader may open them now."""
    shown, sources = papers.cited(version, membership)
    slug = membership.workspace.slug
    return {
        "version": version, "text": render_answer(version.text, [pages.mark_of(one, slug) for one in shown]),
        "sources": pages.cards(sources, slug, ()), "picture": pages.picture(version.chart) if version.chart else None,
    }  # fmt: skip


@require_POST
@inside()
def revise(request: HttpRequest, membership: Membership, artifact_id: UUID) -> HttpResponse:
    """What cannot be kept is shown again, with the reason."""
    versions, newest = version_of(membership, artifact_id, None)
    text, base = request.POST.get("text", ""), request.POST.get("base", "")
    try:
        kept = authoring.revise(newest.artifact, text, based_on=int(base) if base.isdecimal() else 0, actor=membership)
    except Refused as error:
        return page(request, membership, versions, newest, status=422, draft=text, editing=True, fault=str(error))
    if kept.number > newest.number:
        messages.success(request, " ".join(filter(None, [_("Kept as version %d.") % kept.number, fallen(newest, kept)])))
    return redirect("threads:artifact", membership.workspace.slug, artifact_id)


def fallen(before: ArtifactVersion, after: ArtifactVersion) -> str:
    count = len(before.citations) - len(after.citations)
    words = ngettext(
        "%d citation fell away, since its words were changed.", "%d citations fell away, since their words were changed.", count
    )
    return words % count if count > 0 else ""


@require_POST
@inside()
def restore(request: HttpRequest, membership: Membership, artifact_id: UUID) -> HttpResponse:
    _versions, version = version_of(membership, artifact_id, request.POST.get("version", "0") or "0")
    kept = authoring.restore(version, actor=membership)
    messages.success(request, _("Version %(old)d is the newest again, as version %(new)d.") % {"old": version.number, "new": kept.number})
    return redirect("threads:artifact", membership.workspace.slug, artifact_id)


@require_safe
@inside()
def export_artifact(request: HttpRequest, membership: Membership, artifact_id: UUID, kind: str) -> HttpResponse:
    _versions, version = version_of(membership, artifact_id, request.GET.get("version"))
    return as_file(papers.of_version(version, membership), kind)


@require_safe
@inside()
def export_run(request: HttpRequest, membership: Membership, run_id: UUID, kind: str) -> HttpResponse:
    rows = Run.objects.of(membership).exclude(answer="").prefetch_related("steps", "citations")
    return as_file(papers.of_answer(get_object_or_404(rows, pk=run_id), membership), kind)


def as_file(paper: Paper, kind: str) -> HttpResponse:
    """Always a download: whatever it holds, no browser runs it as a page of ours."""
    if kind not in FORMATS or kind not in offered(paper.blocks):
        raise Http404
    try:
        file = made(paper, kind)
    except ExportFailed as error:
        return HttpResponse(str(error), status=503, content_type="text/plain; charset=utf-8")
    response = HttpResponse(file.content, content_type=file.media_type)
    response["Content-Disposition"] = content_disposition_header(True, file.name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    patch_cache_control(response, private=True, no_store=True)
    return response
