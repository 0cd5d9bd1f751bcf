"""Access tokens by OAuth 2.0 (RFC 6749): asked for when first needed, and once more where they are refused. The app is the deployer's
own.

Kinds of grant: "client_credentials" (Microsoft), a signed assertion (Google, RFC 7523), or "refresh_token", which a person's consent
gave; a new refresh token in the answer takes the old one's place and is kept, and where another pass was faster, its one is used. Knows no
service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from retrieval.connectors.asking import Asker, retry_after
from retrieval.connectors.contract import Outside
from retrieval.errors import RateLimited, SourceGarbled, TokenRefused

NOT_YET = "The source is not connected yet. Open “Connection” on its page and press “Connect”."
AGAIN = "Press “Connect” again under “Connection” on the source's page, or enter new ones in its settings."
ENDED: Final = ("invalid_grant", "bad_refresh_token", "invalid_refresh_token", "token_revoked")
"""What services answer where a consent is good no more."""
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Token:
    """`headers` and `renew` are for an Asker. `form` makes the request anew each time: an assertion lives for minutes only. `kept`: the
    setting whose secret a new refresh token takes the place of."""

    def __init__(self, outside: Outside, url: str, form: Callable[[], Mapping[str, str]], kept: str = "") -> None:
        self._outside, self._url, self._form, self._kept = outside, url, form, kept
        self._token = self._refresh = ""

    def headers(self) -> dict[str, str]:
        if not self._token:
            self._ask()
        return {"authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        self._ask()
        return True

    def _ask(self, *, once_more: bool = True) -> None:
        form = {**self._form(), **({"refresh_token": self._refresh} if self._refresh else {})}
        used, host = form.get("refresh_token", ""), urlsplit(self._url).hostname or self._url
        if form.get("grant_type") == "refresh_token" and not used:
            raise TokenRefused.from_message(NOT_YET)
        ask = Asker(self._outside, self._url)
        answer = ask.ask(self._url, method="POST", body=urlencode(form).encode(), headers=FORM, accept=(400, 401, 403))
        wait = retry_after(answer.headers)
        if answer.status_code == 403 and wait is not None:
            raise RateLimited(host, wait)
        said = _read(answer.content, host, strictly=answer.status_code < 300)
        if answer.status_code >= 300 or said.get("ok") is False or said.get("error"):
            newest = self._outside.newest(self._kept) if used and self._kept and once_more else ""
            if not newest or newest == used:
                raise _refused(host, str(said.get("error") or ""), by_consent=bool(used))
            self._refresh = newest
            return self._ask(once_more=False)
        if not isinstance(said.get("access_token"), str):
            raise SourceGarbled(host, "no token in the answer")
        self._token = said["access_token"]
        if self._kept and said.get("refresh_token") and said["refresh_token"] != used:
            self._refresh = str(said["refresh_token"])
            self._outside.keep(self._kept, self._refresh, used)
        return None


def _refused(host: str, error: str, *, by_consent: bool) -> TokenRefused:
    if not by_consent:
        return TokenRefused(host)
    if error in ENDED:
        return TokenRefused.from_message(f'"{host}" takes the consent for this source no more: it was withdrawn, or has ended. {AGAIN}')
    return TokenRefused(host, AGAIN)


def _read(content: bytes, host: str, *, strictly: bool) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except ValueError as error:
        if not strictly:
            return {}
        raise SourceGarbled(host, "no JSON, or only a part of it") from error
    return said if isinstance(said, dict) else {}
