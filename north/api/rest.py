"""North's own REST API, version 1: the same verbs as the pages, in JSON. `/api/docs` shows it, `/api/openapi.json` describes it.

One file for each noun; what is wrong with a call is said by `problems.py`, lists are cut by `paging.py`, `tags.py` has the ETags and
`keeping.py` the answers to repeated requests. A new noun is a file with its routes, and a line in ROUTES."""

from __future__ import annotations

from north.api import (
    agents,
    approvals,
    artifacts,
    documents,
    groups,
    people,
    problems,
    programs,
    refusals,
    reports,
    searching,
    sources,
    threads,
    traces,
    webhooks,
)
from north.api.keys import Key
from north.api.openapi import Api

api = Api(
    title="North",
    version="1",
    auth=Key(),
    urls_namespace="api",
    docs_url="/docs",
    openapi_url="/openapi.json",
    description="Documents in, cited answers out. Every call needs a key (`Authorization: Bearer north_...`), which belongs to one "
    "workspace and acts as one user: it sees what that user may see. Lists come in pages: send `next` as `cursor`. Errors are "
    "`application/problem+json` (RFC 9457).",
)
ROUTES = (
    ("", people.routes, None),
    ("/groups", groups.routes, "people"),
    ("/sources", sources.routes, "sources"),
    ("/connectors", sources.connectors, "sources"),
    ("/documents", documents.routes, "documents"),
    ("/search", searching.routes, "search"),
    ("/saved-searches", searching.saved, "search"),
    ("/agents", agents.routes, "agents"),
    ("/threads", threads.threads, "threads"),
    ("/runs", threads.runs, "runs"),
    ("/runs", traces.routes, "runs"),
    ("/approvals", approvals.routes, "approvals"),
    ("/artifacts", artifacts.routes, "artifacts"),
    ("/refusals", refusals.routes, "refusals"),
    ("/keys", programs.routes, "programs"),
    ("/limits", programs.limits, "programs"),
    ("/service-accounts", programs.accounts, "programs"),
    ("/webhooks", webhooks.routes, "webhooks"),
    ("", reports.routes, None),
)
problems.handle(api)
for place, routes, tag in ROUTES:
    api.add_router(f"/v1{place}", routes, tags=[tag] if tag else None)
