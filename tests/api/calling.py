"""Calls of the REST API by one key."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from north.workspaces.models import ApiKey, Membership


class Caller:
    def __init__(self, membership: Membership, key: str = "") -> None:
        self.client = Client()
        key = key or ApiKey.issue(workspace=membership.workspace, user=membership.user)[1]
        self.headers = {"Authorization": f"Bearer {key}"}

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Headers by their names in lower case, with _ for -."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = "" if body is None else json.dumps(body)
        return self.client.generic(method, f"/api/v1{path}", raw, content_type="application/json", headers={**self.headers, **more})

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", query, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/api/v1{path}", json.dumps(body), content_type="application/json", headers={**self.headers, **more})

    def delete(self, path: str, **headers: str) -> HttpResponse:
        return self.send("DELETE", path, **headers)

    def upload(self, name: str, data: bytes, key: str = "", **form: Any) -> HttpResponse:
        more = {"Idempotency-Key": key} if key else {}
        return self.client.post("/api/v1/documents", {"file": SimpleUploadedFile(name, data), **form}, headers={**self.headers, **more})
