"""The way of a large body into the web process: refused before it is read where its size is said, and while it is read where it is not.
A full disk on the way is said in words. Knows no documents."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler

from north.documents import files
from north.documents.errors import DocumentError, StorageFull, is_full, status_of
from retrieval.errors import TooLarge

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
FORM_BYTES = 1_000_000
"""What a request may have beside the file."""


def limited(app: App) -> App:
    """The ASGI application, with no request body over the limit for one file. Django itself would first write all of it to the disk."""

    async def guarded(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        said = int(dict(scope["headers"]).get(b"content-length", b"0") or 0)
        if said > files.limit() + FORM_BYTES:
            await refuse(scope, receive, send, files.too_large(said))
            return
        try:
            await app(scope, counted(receive), sending)
        except (TooLarge, OSError) as error:
            if begun or (isinstance(error, OSError) and not is_full(error)):
                raise
            await refuse(scope, receive, send, error if isinstance(error, TooLarge) else StorageFull())

    return guarded


def counted(receive: Receive) -> Receive:
    """Raises TooLarge as soon as more came than one file may have."""
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > files.limit() + FORM_BYTES:
            raise files.too_large(size)
        return message

    return counting


async def refuse(scope: MutableMapping[str, Any], receive: Receive, send: Send, error: TooLarge | DocumentError) -> None:
    """Says the error at once, then lets the sender finish into nothing: a browser reads no answer before it has sent all."""
    api = scope["path"].startswith(("/api/", "/v1/", "/v2/", "/compatibility/"))
    status = status_of(error)
    problem = {"detail": str(error), "message": str(error), "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body = json.dumps(problem).encode() if api else str(error).encode()
    kind = b"application/problem+json" if api else b"text/plain; charset=utf-8"
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            break
    await send({"type": "http.response.body", "body": b""})


class UploadHandler(TemporaryFileUploadHandler):
    """Puts each file of a form into a temporary file. A full disk ends the upload and is kept for the view to say: `fault_of`."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().new_file(*args, **kwargs)
        except OSError as error:
            self.stop(error)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        try:
            super().receive_data_chunk(raw_data, start)
        except OSError as error:
            self.stop(error)

    def stop(self, error: OSError) -> None:
        if not is_full(error) or self.request is None:
            raise error
        self.request.META["north.upload_fault"] = StorageFull()
        raise StopUpload(connection_reset=False)


def fault_of(meta: dict[str, Any]) -> DocumentError | None:
    """What ended the upload of this request before its view."""
    return meta.get("north.upload_fault")
