"""Pages of the web as an agent's tools reach them: from the hosts that this workspace allows, by the one way out, cleaned in a child.

Each hop of a redirect must be on the list, too. What a server said is never repeated in an error.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.db import connection

from agents.context import Page
from agents.errors import ToolFailed
from north.outbound import Outbound, OutboundError, Response, host_of
from north.outside.models import AllowedHost
from retrieval import reading
from retrieval.errors import ParseError, RetrievalError

SECONDS = 20.0
BYTES = 3_000_000
HOPS = 3
URL_CHARACTERS = 2000
KINDS = {
    "text/html": "page.html", "application/xhtml+xml": "page.html", "text/plain": "page.txt", "text/markdown": "page.md",
    "application/pdf": "page.pdf",
}  # fmt: skip
NOT_LISTED = "The host of this address is not on the list of hosts that this workspace's agents may ask. An owner can put it there."


class Web:
    """For the agents of one workspace; the list is read anew for each page."""

    def __init__(self, workspace: UUID) -> None:
        self.workspace = workspace
        self.home = threading.get_ident()

    def page(self, url: str) -> Page:
        hosts = self.hosts()
        outbound = Outbound(settings.OUTBOUND_ALLOWED, seconds=SECONDS, max_bytes=BYTES)
        try:
            for _hop in range(HOPS + 1):
                answer = self.asked(outbound, url, hosts)
                if not answer.has_redirect_location:
                    return cleaned(str(answer.url), answer)
                url = urljoin(url, answer.headers["location"])
        except (OutboundError, ValueError) as error:
            raise ToolFailed(str(error) if isinstance(error, OutboundError) else "This is not an address of a page.") from None
        raise ToolFailed(f"The page redirects more than {HOPS} times, so it was left.")

    def asked(self, outbound: Outbound, url: str, hosts: Collection[str]) -> Response:
        if len(url) > URL_CHARACTERS or not listed(url, hosts):
            raise ToolFailed(NOT_LISTED)
        return outbound.request("GET", url, headers={"accept": ", ".join(KINDS)})

    def hosts(self) -> list[str]:
        try:
            return list(AllowedHost.objects.filter(workspace=self.workspace).values_list("host", flat=True))
        finally:
            if threading.get_ident() != self.home:
                connection.close()


def listed(url: str, hosts: Collection[str]) -> bool:
    """Whether the host of this address, as it will be asked, is on the list. Without a port of its own only the usual ones are."""
    host = host_of(url)
    name, colon, port = host.partition(":")
    parents = name.split(".")[1:]
    above = {f"*.{'.'.join(parents[place:])}{colon}{port}" for place in range(len(parents))}
    return bool(host) and (host in hosts or not above.isdisjoint(hosts))


def cleaned(url: str, answer: Response) -> Page:
    kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    if not answer.is_success:
        raise ToolFailed(f"The server answered {answer.status_code}, and gave no page.")
    if kind not in KINDS:
        raise ToolFailed("What the server gave is neither a page nor a text, so it was left.")
    try:
        parsed = reading.read(KINDS[kind], answer.content, seconds=SECONDS, max_bytes=BYTES)
    except ParseError as error:
        raise ToolFailed(f"The page cannot be read: {error}") from None
    except RetrievalError as error:
        raise ToolFailed(str(error)) from None
    return Page(url, parsed.text, parsed.title)
