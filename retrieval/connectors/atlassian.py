"""How Confluence and Jira Cloud are entered: with an account's API token at the site itself, or with a person's consent, whose tokens are
good at Atlassian's gateway only. By the document "OAuth 2.0 (3LO) apps". Knows no page and no issue.

Atlassian knows no codes to type in (RFC 8628). Each use of a refresh token gives the next one, and one that lies unused for 90 days ends.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final
from urllib.parse import urlsplit

from retrieval.connectors.asking import Asker
from retrieval.connectors.consenting import BY_CONSENT, me, own_app
from retrieval.connectors.contract import Config, Consent, Outside, Setting
from retrieval.connectors.oauth import AGAIN, Token
from retrieval.connectors.pages import several
from retrieval.errors import TokenRefused

GATEWAY: Final = "https://api.atlassian.com"
LOGIN: Final = "https://auth.atlassian.com"
BY_TOKEN: Final = ("access", "token")
ACCESS: Final = (("token", "An account's API token"), ("refresh", "An app of your own and your consent"))


def asker(config: Config, outside: Outside, product: str, right: str) -> Asker:
    """Raises TokenRefused where the consent is not for this site."""
    if config.get("access") != BY_CONSENT[1]:
        basic = b64encode(f"{config['email']}:{config['token']}".encode()).decode()
        return Asker(outside, config["url"], headers={"authorization": f"Basic {basic}"}, right=right)
    app = {"client_id": config["client_id"], "client_secret": config["client_secret"], "grant_type": "refresh_token"}
    token = Token(outside, f"{LOGIN}/oauth/token", lambda: {**app, "refresh_token": config["refresh"]}, kept="refresh")
    site = cloud_id(Asker(outside, GATEWAY, headers=token.headers, renew=token.renew), config["url"])
    return Asker(outside, f"{GATEWAY}/ex/{product}/{site}", headers=token.headers, renew=token.renew, right=right)


def cloud_id(ask: Asker, url: str) -> str:
    """By which the gateway knows the site."""
    open_to = {host(str(one["url"])): str(one["id"]) for one in several(ask.json("oauth/token/accessible-resources"), "", "Atlassian")}
    if host(url) not in open_to:
        others = f" It reaches {', '.join(sorted(open_to))}." if open_to else ""
        raise TokenRefused.from_message(f"The consent for this source does not reach {host(url)}, or was withdrawn there.{others} {AGAIN}")
    return open_to[host(url)]


def host(url: str) -> str:
    return (urlsplit(url).hostname or url).lower()


def consent(scopes: str) -> Consent:
    return Consent(
        lambda config: f"{LOGIN}/authorize",
        lambda config: f"{LOGIN}/oauth/token",
        me(lambda config: f"{GATEWAY}/me", "email", "name"),
        scopes=f"offline_access read:me {scopes}",
        more={"audience": "api.atlassian.com", "prompt": "consent"},
        lacking="Atlassian gave no token that lasts. Press “Connect” once more, and agree to all that the app asks for.",
    )


def settings(email: str, scopes: str) -> tuple[Setting, ...]:
    """`email`: whose account it should be. `scopes`: what the app may be granted at most."""
    return (
        Setting("url", "Address", "As you open it, without a path: https://acme.atlassian.net.", kind="url"),
        Setting("access", "Sign in by", kind="choice", choices=ACCESS, default=BY_TOKEN[1], required=False),
        Setting("email", "The account's e-mail address", email, when=BY_TOKEN),
        Setting(
            "token",
            "API token",
            "The account makes it at https://id.atlassian.com/manage-profile/security/api-tokens, where it also says when it expires.",
            kind="secret",
            when=BY_TOKEN,
        ),
        *own_app(
            "Of an OAuth 2.0 integration of your own at https://developer.atlassian.com/console/myapps, with these permissions: read:me "
            f"{scopes}. It reads what whoever agrees may see."
        ),
    )
