"""The description of the REST API (OpenAPI 3.1), as generators of clients read it: what Ninja makes of the operations, and what it cannot
know: problems, entity tags, keys of repetition, streams and files."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from north.api.keeping import HEADER, SAFE
from north.api.problems import MEDIA_TYPE

TEXT = {"type": "string"}
KEY = {
    "in": "header", "name": HEADER, "required": False, "schema": {**TEXT, "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "description": "Of your choice and new for each request, such as a UUID: the same request with the same key is done once, and its "
    "answer comes again for 24 hours.",
}  # fmt: skip
IF_MATCH = {
    "in": "header", "name": "If-Match", "required": False, "schema": TEXT,
    "description": "The ETag of the state that you saw; 412 where it has changed since.",
}  # fmt: skip
IF_NONE_MATCH = {
    "in": "header", "name": "If-None-Match", "required": False, "schema": TEXT,
    "description": "The ETag of the state that you know; 304 where it is still so.",
}  # fmt: skip
LAST_EVENT = {"in": "header", "name": "Last-Event-ID", "required": False, "schema": TEXT, "description": "The last id that you saw."}
BODIES = {
    "run_events": {"text/event-stream": {}},
    "get_version_file": {"text/markdown": {"schema": TEXT}},
    "get_file": {"application/octet-stream": {"schema": {**TEXT, "format": "binary"}}},
}
ETAG = {"ETag": {"description": "Names this state of the resource.", "schema": TEXT}}
RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
NOT_REPEATED = {"search", "count_facets"}
"""Posts that change nothing."""


class Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **_: Any) -> OpenAPISchema:
        return self.described

    @cached_property
    def described(self) -> OpenAPISchema:
        """Made once: it takes a second, and anybody may ask for it."""
        schema = super().get_openapi_schema()
        for methods in schema["paths"].values():
            for method, operation in methods.items():
                complete(method.upper(), operation)
        for scheme in schema["components"]["securitySchemes"].values():
            scheme.pop("name", None)  # which only keys in headers and queries have
        return schema


def complete(method: str, operation: dict[str, Any]) -> None:
    name, responses, parameters = operation["operationId"], operation["responses"], operation["parameters"]
    if method not in SAFE and name not in NOT_REPEATED:
        parameters.append(KEY)
    if 412 in responses:
        parameters.append(IF_MATCH)
    if 304 in responses:
        parameters.append(IF_NONE_MATCH)
    if name == "run_events":
        parameters.append(LAST_EVENT)
    if name in BODIES:
        responses[200]["content"] = BODIES[name]
    for status, response in responses.items():
        if status >= 400 and "content" in response:
            response["content"] = {MEDIA_TYPE: response["content"].pop("application/json", {})}
        if status in {429, 503}:
            response["headers"] = RETRY
        if status == 200 and responses.keys() & {304, 412}:
            response["headers"] = ETAG
