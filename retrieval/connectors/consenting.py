"""A person's consent by OAuth 2.0, for an app of the deployer's own: by redirect with PKCE (RFC 6749, RFC 7636), or by a code that is typed
in elsewhere (RFC 8628). What it gives is used and renewed by `oauth.py`. Keeps nothing, and knows no service.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Config, Consent, Outside, Setting
from retrieval.errors import SourceError, SourceGarbled, TokenRefused

FORM: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
WAIT: Final = ("authorization_pending", "slow_down")
WORDS: Final = {
    "access_denied": "The consent was not given. Begin again, and agree there.",
    "invalid_grant": "The code had expired or was used already. Begin again.",
    "bad_verification_code": "The code had expired or was used already. Begin again.",
    "code_already_used": "The code had expired or was used already. Begin again.",
    "invalid_code": "The code had expired or was used already. Begin again.",
    "expired_token": "The code was not entered in time. Begin again.",
    "invalid_client": "The app's id or secret is not right. Correct them in the source's settings.",
    "incorrect_client_credentials": "The app's id or secret is not right. Correct them in the source's settings.",
    "bad_client_secret": "The app's id or secret is not right. Correct them in the source's settings.",
    "redirect_uri_mismatch": "The app does not know North's address for the way back. Enter it there, exactly as it stands on this page.",
    "bad_redirect_uri": "The app does not know North's address for the way back. Enter it there, exactly as it stands on this page.",
    "invalid_scope": "The app may not ask for these rights. Grant it the scopes that stand in the source's settings.",
    "unauthorized_client": "The app may not be used this way. Turn on this kind of sign-in in its settings.",
}

BY_CONSENT: Final = ("access", "refresh")
REFRESH: Final = Setting(
    "refresh",
    "Refresh token",
    "Left empty, it comes when you press “Connect” after saving. Where the service replaces it, the new one is kept by itself.",
    kind="secret",
    required=False,
    when=BY_CONSENT,
)


def own_app(what: str, called: str = "Client") -> tuple[Setting, ...]:
    """The settings of an app of the deployer's own and of what its consent gives. `what`: where it is made and what it needs; `called`: as
    the service names its id and secret."""
    return (
        Setting("client_id", f"{called} id", what, when=BY_CONSENT),
        Setting("client_secret", f"{called} secret", "Of that app.", kind="secret", when=BY_CONSENT),
        REFRESH,
    )


@dataclass(frozen=True)
class Begun:
    """What the browser is sent to, and what must come back."""

    url: str
    state: str
    verifier: str


@dataclass(frozen=True)
class Device:
    """`user_code` is typed in at `address`; `code` is asked with every `interval` seconds, for `seconds`."""

    code: str
    user_code: str
    address: str
    interval: int
    seconds: int


@dataclass(frozen=True)
class Given:
    secret: str
    name: str


def begin(consent: Consent, config: Config, back: str) -> Begun:
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "client_id": config["client_id"], "redirect_uri": back, "state": state}
    proof = {"scope": scopes(consent, config), "code_challenge": challenge, "code_challenge_method": "S256"}
    return Begun(f"{consent.authorize(config)}?{urlencode({**asked, **proof, **consent.more})}", state, verifier)


def scopes(consent: Consent, config: Config) -> str:
    return f"{consent.scopes} {consent.also(config)}".strip()


def finish(consent: Consent, config: Config, code: str, verifier: str, outside: Outside, *, back: str) -> Given:
    """Raises TokenRefused with the mending step where the code gives nothing."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
    return given(consent, config, asked(consent, config, consent.token(config), form, outside), outside)


def begin_device(consent: Consent, config: Config, outside: Outside) -> Device:
    assert consent.device
    said = asked(consent, config, consent.device(config), {"scope": scopes(consent, config)}, outside)
    refuse(said, consent.device(config))
    try:
        address = str(said.get("verification_uri") or said["verification_url"])
        if urlsplit(address).scheme != "https":
            raise ValueError(address)
        interval, seconds = max(int(said.get("interval") or 5), 1), int(said["expires_in"])
        return Device(str(said["device_code"]), str(said["user_code"]), address, min(interval, 60), min(seconds, 3600))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceGarbled(where(consent.device(config)), "no code to type in") from error


def poll(consent: Consent, config: Config, code: str, outside: Outside) -> Given | None:
    """Nothing while the person has not agreed yet."""
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": code}
    said = asked(consent, config, consent.token(config), form, outside)
    return None if said.get("error") in WAIT else given(consent, config, said, outside)


def asked(consent: Consent, config: Config, url: str, form: Mapping[str, str], outside: Outside) -> dict[str, Any]:
    app = {"client_id": config["client_id"], "client_secret": config["client_secret"]}
    headers = dict(FORM)
    if consent.basic:
        proof = base64.b64encode(f"{app['client_id']}:{app['client_secret']}".encode()).decode()
        headers, app = {**headers, "authorization": f"Basic {proof}"}, {}
    body = urlencode({**form, **app}).encode()
    answer = Asker(outside, url).ask(url, method="POST", body=body, headers=headers, accept=(400, 401, 403))
    try:
        said = json.loads(answer.content)
    except ValueError as error:
        raise SourceGarbled(where(url), "no JSON, or only a part of it") from error
    return said if isinstance(said, dict) else {}


def given(consent: Consent, config: Config, said: Mapping[str, Any], outside: Outside) -> Given:
    refuse(said, consent.token(config))
    secret, token = said.get(consent.given), said.get("access_token")
    if not isinstance(secret, str) or not secret or not isinstance(token, str):
        raise TokenRefused.from_message(consent.lacking)
    return Given(secret, named(consent, config, said, token, outside))


def refuse(said: Mapping[str, Any], url: str) -> None:
    error = str(said.get("error") or ("" if said.get("ok") is not False else "unknown"))
    if error:
        raise TokenRefused.from_message(WORDS.get(error, f'"{where(url)}" did not agree ({error[:60]}). Begin again.'))


def named(consent: Consent, config: Config, said: Mapping[str, Any], token: str, outside: Outside) -> str:
    """Who it is connected as: nothing hangs on that."""
    try:
        return consent.who(config, said, token, outside)[:200]
    except (SourceError, KeyError, TypeError, AttributeError):
        return ""


def me(url: Callable[[Config], str], *names: str) -> Callable[[Config, Mapping[str, Any], str, Outside], str]:
    """Asks the service who the token is, and takes the first of these that it tells."""

    def who(config: Config, said: Mapping[str, Any], token: str, outside: Outside) -> str:
        found = Asker(outside, url(config), headers={"authorization": f"Bearer {token}"}).json(url(config))
        return next((str(found[name]) for name in names if found.get(name)), "")

    return who


def where(url: str) -> str:
    return urlsplit(url).hostname or url
