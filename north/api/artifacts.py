"""What agents wrote and kept, by REST: everybody's own only, each version as it was, with what it rests on."""

from __future__ import annotations

import uuid

from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from ninja import Query

from north.api.keys import Key, caller
from north.api.paging import Paging, page
from north.api.router import answers, router
from north.api.schemas.work import ArtifactOut, ArtifactPage, CitationOut, VersionOut, VersionPage, VersionText
from north.api.tags import tagged
from north.threads.models import Artifact, ArtifactVersion
from north.threads.reading import citation_shown, open_documents
from north.workspaces.models import Membership

routes = router()
READ = Key("read", "infer")


def mine(actor: Membership) -> QuerySet[Artifact]:
    return Artifact.objects.of(actor).select_related("thread").annotate(newest=Max("versions__number"))


def version_of(artifact_id: uuid.UUID, number: int, actor: Membership) -> ArtifactVersion:
    versions = ArtifactVersion.objects.filter(artifact__in=Artifact.objects.of(actor)).select_related("artifact")
    return get_object_or_404(versions, artifact=artifact_id, number=number)


def artifact_out(artifact: Artifact) -> ArtifactOut:
    thread = artifact.thread_id if artifact.thread and not artifact.thread.deleted_at else None
    return ArtifactOut(
        id=artifact.pk,
        title=artifact.title,
        thread=thread,
        newest=artifact.newest or 0,  # type: ignore[attr-defined]
        created_at=artifact.created_at,
    )


def version_out(version: ArtifactVersion) -> VersionOut:
    return VersionOut(number=version.number, run=version.run_id, created_at=version.created_at)


@routes.get("", auth=READ, response=answers(200, ArtifactPage), summary="List what agents wrote for you")
def list_artifacts(request: HttpRequest, paging: Query[Paging]) -> ArtifactPage:
    """Newest first."""
    actor = caller(request)
    found, following = page(mine(actor), paging, by="-created_at", within=actor.workspace_id)
    return ArtifactPage(items=[artifact_out(artifact) for artifact in found], next=following)


@routes.get("/{uuid:artifact_id}", auth=READ, response=answers(200, ArtifactOut, 304), summary="One artifact")
def get_artifact(request: HttpRequest, response: HttpResponse, artifact_id: uuid.UUID) -> ArtifactOut:
    return tagged(request, response, artifact_out(get_object_or_404(mine(caller(request)), pk=artifact_id)))


@routes.get("/{uuid:artifact_id}/versions", auth=READ, response=answers(200, VersionPage), summary="Its versions, newest first")
def list_versions(request: HttpRequest, artifact_id: uuid.UUID, paging: Query[Paging]) -> VersionPage:
    actor = caller(request)
    rows = get_object_or_404(mine(actor), pk=artifact_id).versions.defer("text", "citations")
    found, following = page(rows, paging, by="-number", within=actor.workspace_id)
    return VersionPage(items=[version_out(version) for version in found], next=following)


@routes.get("/{uuid:artifact_id}/versions/{int:number}", auth=READ, response=answers(200, VersionText, 304), summary="Read a version of it")
def get_version(request: HttpRequest, response: HttpResponse, artifact_id: uuid.UUID, number: int) -> VersionText:
    """Its text, and what it rests on as far as you may open it now."""
    actor = caller(request)
    version = version_of(artifact_id, number, actor)
    readable = open_documents(actor, {source["document"] for one in version.citations for source in one["sources"]})
    citations = [CitationOut(**citation_shown(one, readable)) for one in version.citations]
    return tagged(request, response, VersionText(**version_out(version).model_dump(), text=version.text, citations=citations))


@routes.get("/{uuid:artifact_id}/versions/{int:number}/file", auth=READ, response=answers(200, None), summary="Download a version of it")
def get_version_file(request: HttpRequest, artifact_id: uuid.UUID, number: int) -> HttpResponse:
    """The text as it was stored, in UTF-8."""
    version = version_of(artifact_id, number, caller(request))
    name = slugify(version.artifact.title, allow_unicode=True) or "document"
    headers = {
        "Content-Disposition": content_disposition_header(True, f"{name}-{number}.md") or "attachment",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(version.text, content_type="text/markdown; charset=utf-8", headers=headers)
