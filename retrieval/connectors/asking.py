"""Asks an HTTP service as a connector needs it: with its credentials, patient where it asks to wait, and every refusal in words.

A short wait is waited for, a long one ends the pass (RateLimited), which then goes on later from its cursor. What a server has trouble
with is asked again twice; a changing request only where the server says that it did nothing (429, 503 with Retry-After).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

from retrieval.connectors.contract import Answer, Outside
from retrieval.errors import CursorExpired, RateLimited, RightMissing, SourceGarbled, SourceMissing, SourceUnreachable, TokenRefused

SHORT: Final = 5.0
"""Seconds that are waited for in the middle of a pass."""
LONGEST: Final = 24 * 3600.0
TRIES: Final = 3
READING: Final = ("GET", "HEAD", "PROPFIND", "REPORT")


class Asker:
    """`base`: what paths are joined to. `headers`: the credentials, or a function that makes them anew for each request. `renew`: called
    once where they are refused; True where there are others now. `right`: what is missing where the service says no. `waits`:
    the seconds that it asks to wait for in a way of its own, such as a 403 whose body says that it was asked too often."""

    def __init__(
        self,
        outside: Outside,
        base: str,
        *,
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        renew: Callable[[], bool] | None = None,
        right: str = "read",
        max_bytes: int = 50_000_000,
        waits: Callable[[Answer], float | None] = lambda answer: None,
    ) -> None:
        self._outside, self._base, self._renew, self._right, self._max_bytes = outside, base.rstrip("/") + "/", renew, right, max_bytes
        self._waits = waits
        self._headers = headers if callable(headers) else (lambda: headers or {})

    def json(self, path: str, params: Mapping[str, Any] | None = None, **wanted: Any) -> Any:
        """What the answer's JSON says. Raises SourceGarbled for what is none, such as half of one."""
        answer = self.ask(path, params, **wanted)
        try:
            return json.loads(answer.content)
        except ValueError as error:
            raise SourceGarbled(self._where(path), "no JSON, or only a part of it") from error

    def bytes(self, path: str, params: Mapping[str, Any] | None = None, **wanted: Any) -> bytes:
        return self.ask(path, params, **wanted).content

    def ask(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        method: str = "GET",
        body: object = None,
        accept: tuple[int, ...] = (),
        redirects: int = 0,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Answer:
        """An answer of 200 to 299, or of the statuses in `accept`. `path`: below the base, or a whole address that the service gave."""
        url = self._url(path, params)
        given = {"content": body} if isinstance(body, bytes) else {"json": body}
        wanted = {**given, "redirects": redirects, "max_bytes": max_bytes or self._max_bytes}
        renewed = False
        for attempt in range(1, TRIES + 1):
            own = self._headers() if self._ours(url) else {}
            wanted["headers"] = {"accept": "application/json, */*;q=0.5", **own, **(headers or {})}
            answer = self._sent(method, url, wanted, last=attempt == TRIES)
            if answer and (200 <= answer.status_code < 300 or answer.status_code in accept):
                return answer
            if answer and answer.status_code == 401 and self._renew and not renewed:
                renewed = self._renew()
                if renewed:
                    continue
            if answer:
                self._refused(answer, url, last=attempt == TRIES)
        raise SourceUnreachable(self._where(url), "it failed again and again")

    def _url(self, path: str, params: Mapping[str, Any] | None) -> str:
        url = path if "://" in path else urljoin(self._base, path.lstrip("/"))
        return url + ("&" if urlsplit(url).query else "?") + urlencode(params, doseq=True) if params else url

    def _sent(self, method: str, url: str, wanted: dict[str, Any], *, last: bool) -> Answer | None:
        try:
            return self._outside.request(method, url, **wanted)
        except SourceUnreachable:
            if last or method not in READING:
                raise
            self._outside.sleep(0.5)
            return None

    def _refused(self, answer: Answer, url: str, *, last: bool) -> None:
        """Waits where that is worth it; else raises what the status means."""
        where, status = self._where(url), answer.status_code
        asked = retry_after(answer.headers)
        if asked is None and status in (403, 429):
            asked = self._waits(answer)
        if status == 429 or (asked is not None and status in (403, 503)):
            seconds = 60.0 if asked is None else asked
            if seconds > SHORT or last:
                raise RateLimited(where, seconds)
            self._outside.sleep(seconds)
        elif status == 401:
            raise TokenRefused(where)
        elif status == 403:
            raise RightMissing(where, self._right)
        elif status == 404:
            raise SourceMissing(url)
        elif status == 410:
            raise CursorExpired(where)
        elif status >= 500 and not last:
            self._outside.sleep(0.5)
        else:
            raise SourceUnreachable(where, f"it answered {status}")

    def _ours(self, url: str) -> bool:
        """Whether the credentials may go there: only to the host that they are for."""
        mine, its = urlsplit(self._base), urlsplit(url)
        return (mine.scheme, mine.netloc) == (its.scheme, its.netloc)

    def _where(self, url: str) -> str:
        return urlsplit(url if "://" in url else self._base).hostname or self._base


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a Retry-After asks for, written as seconds or as a date; None where it says nothing that makes sense."""
    said = headers.get("retry-after", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST) if not math.isnan(seconds) else None
