"""The way of a large body into the web process, by ASGI messages."""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

from north.documents.errors import StorageFull
from north.documents.uploads import UploadHandler, fault_of, limited

Sent = list[dict[str, Any]]


def ask(app: Any, body: list[bytes], headers: dict[str, str] | None = None, path: str = "/w/acme/documents/upload") -> tuple[Sent, int]:
    """What is answered, and how many pieces of the body were read."""
    pieces, sent, read = list(body), [], 0
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)} if pieces else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    with ThreadPoolExecutor(1) as thread:  # the browser's tests leave a loop of their own in this one
        thread.submit(asyncio.run, limited(app)({"type": "http", "path": path, "headers": raw}, receive, send)).result()
    return sent, read


async def swallow(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads all of the body, as Django does."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"taken"})


async def never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the application was asked")


async def without_room(scope: Any, receive: Any, send: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_usual_body_goes_through() -> None:
    sent, _read = ask(swallow, [b"x" * 1000, b"y"], {"content-length": "1001"})
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"taken")


def test_a_body_that_says_its_size_is_refused_before_it_is_read(settings: Any) -> None:
    settings.UPLOAD_MEGABYTES = 1
    sent, _read = ask(never, [b"x"] * 3, {"content-length": str(2_000_000_000)})
    assert sent[0]["status"] == 413
    assert b"at most 1 MB" in sent[1]["body"]


def test_the_answer_goes_out_before_the_rest_is_let_in(settings: Any) -> None:
    settings.UPLOAD_MEGABYTES = 1
    sent, read = ask(never, [b"x"] * 3, {"content-length": "9000000"})
    assert [message.get("more_body", False) for message in sent[1:]] == [True, False]
    assert read == 3


def test_a_body_that_does_not_say_its_size_is_refused_while_it_is_read(settings: Any) -> None:
    settings.UPLOAD_MEGABYTES = 1
    sent, read = ask(swallow, [b"x" * 500_000] * 20)
    assert sent[0]["status"] == 413
    assert read == 20


def test_a_full_disk_is_said_in_words_and_in_the_dialect_of_the_api() -> None:
    sent, _read = ask(without_room, [b"x"], path="/api/v1/documents")
    assert sent[0]["status"] == 507
    assert b'{"detail": "There is no room left' in sent[1]["body"]


def test_another_fault_is_not_taken_for_a_full_disk() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise OSError(errno.EIO, "I/O error")

    with pytest.raises(OSError, match="I/O error"):
        ask(broken, [b"x"])


def test_a_disk_that_fills_up_under_a_form_is_kept_for_the_view(settings: Any) -> None:
    """/dev/full takes no byte, as a full disk."""

    class OnAFullDisk(UploadHandler):
        def new_file(self, *arguments: Any, **fields: Any) -> None:
            super().new_file(*arguments, **fields)
            self.file.file.close()
            self.file.file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115

    request = RequestFactory().post("/", {"file": SimpleUploadedFile("a.txt", b"x" * 100_000)})
    request.upload_handlers = [OnAFullDisk(request)]
    assert request.FILES.getlist("file") == []
    assert isinstance(fault_of(request.META), StorageFull)
