"""What is wrong with a call of somebody else's client, in a body that Cohere's and OpenAI's clients both read, whichever path was asked:
`id` and `message` for the one, `error` for the other. The status decides the class of the client's exception."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from django.http import HttpResponse

from north.serving.errors import CallFailed

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CODES = {400: "invalid_request", 401: "invalid_api_key", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Fault(Exception):
    """`message`: what is wrong and what to do. `param`: which of the fields. `retry_after`: seconds. `headers`: of the answer."""

    def __init__(
        self, status: int, message: str, *, code: str = "", param: str | None = None, retry_after: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.status, self.message, self.param = status, message, param
        self.headers = {**({"Retry-After": str(retry_after)} if retry_after else {}), **(headers or {})}
        self.code = code or CODES.get(status, "error")
        super().__init__(message)


def of(error: CallFailed) -> Fault:
    return Fault(error.status, error.message, code=error.code, retry_after=error.retry_after)


def body(fault: Fault) -> dict[str, object]:
    kind = "server_error" if fault.status >= 500 else TYPES.get(fault.status, "invalid_request_error")
    told = {"message": fault.message, "type": kind, "param": fault.param, "code": fault.code}
    return {"id": str(uuid.uuid4()), "message": fault.message, "error": told}


def response(fault: Fault) -> HttpResponse:
    answer = HttpResponse(json.dumps(body(fault)), status=fault.status, content_type="application/json")
    for name, value in fault.headers.items():
        answer[name] = value
    return answer
