"""The web process: Django, behind a limit on the size of what is sent to it."""

import os
from concurrent.futures import ThreadPoolExecutor

import django
from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "north.settings")
django.setup(set_prefix=False)

from north.documents.uploads import App, Message, Receive, Send, limited  # noqa: E402  its errors are translated, which needs Django set up

KEPT_THREADS = 4


class Handler(ASGIHandler):
    """A request's thread is that of a request before it, so that its connection to the database is open already: Django's own handler makes
    a new thread for each."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:  # type: ignore[override]
        if scope["type"] != "http":
            raise ValueError(f"North speaks HTTP, not {scope['type']}.")
        thread = self.idle.pop() if self.idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(dict(scope), receive, send)  # type: ignore[arg-type]
        finally:
            if len(self.idle) < KEPT_THREADS:
                self.idle.append(thread)
            else:
                thread.submit(connections.close_all)
                thread.shutdown(wait=False)


application: App = limited(Handler())
