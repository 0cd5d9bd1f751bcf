"""Worlds that are read with a person's consent: an authorization server whose access tokens last for a few requests, so that each case of
the conformance suite lives through some that expire, and whose refresh tokens are good once, where the service rotates them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from tests.retrieval.connectors.cloud import Cloud
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said

LASTS = 5
APP = {"access": "refresh", "client_id": "app", "client_secret": "s3cret", "refresh": "r0"}


class Remembering(InProcess):
    """What replaces a secret stands in the config of the next pass."""

    config: dict[str, Any]

    def keep(self, name: str, secret: str, before: str) -> None:
        assert self.config[name] == before, "a token took the place of another than the one that it was given for"
        super().keep(name, secret, before)
        self.config[name] = secret


class Consented(Cloud):
    """Before a vendor's world: `login` is the address that gives tokens."""

    login = ""
    rotates = True
    withdrawn = Said.json({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}, 403)

    def __init__(self) -> None:
        super().__init__()
        self.config = {**self.config, **APP}
        self.outside = Remembering(self.host, self.guarded, also=self.also)
        self.outside.config = self.config
        self.refresh, self.given, self.left, self.ended = "r0", 0, 0, False

    def guarded(self, asked: Asked) -> Said:
        if asked.url == self.login:
            return self.token({name: values[0] for name, values in parse_qs(asked.body.decode()).items()})
        self.left -= 1
        if self.left < 0 or asked.headers.get("authorization") != f"Bearer a{self.given}":
            return Said.json({"code": 401, "message": "Unauthorized"}, 401)
        return self.entered(asked)

    def token(self, form: dict[str, str]) -> Said:
        assert (form["grant_type"], form["client_id"], form["client_secret"]) == ("refresh_token", "app", "s3cret")
        if self.ended or form["refresh_token"] != self.refresh:
            return self.withdrawn
        self.given, self.left = self.given + 1, LASTS
        if self.rotates:
            self.refresh = f"r{self.given}"
        next_one = {"refresh_token": self.refresh} if self.rotates else {}
        return Said.json({"access_token": f"a{self.given}", "expires_in": 3600, **next_one})

    def entered(self, asked: Asked) -> Said:
        """An answer to whoever holds a good token."""
        raise NotImplementedError

    def fault(self, fault: Fault, name: str = "") -> None:
        """The consent is withdrawn in the middle of the pass."""
        if fault != "token expiry":
            return super().fault(fault, name)

        def withdraw(asked: Asked) -> None:
            if self.in_the_middle(asked):
                self.ended, self.left = True, 0

        self.outside.faults = [withdraw]
        return None

    def mend(self) -> None:
        """Somebody has agreed again."""
        super().mend()
        if self.ended:
            self.ended, self.refresh = False, "again"
            self.config["refresh"] = self.refresh


class AtAtlassian(Consented):
    """The gateway before a site, whose world is asked what it asks."""

    login = "https://auth.atlassian.com/oauth/token"
    also = ("auth.atlassian.com", "api.atlassian.com")
    sites = ("acme.atlassian.net",)

    def __init__(self) -> None:
        super().__init__()
        del self.config["email"], self.config["token"]

    def entered(self, asked: Asked) -> Said:
        if asked.path == "/oauth/token/accessible-resources":
            return Said.json([{"id": f"id-{one}", "url": f"https://{one}", "name": one, "scopes": []} for one in self.sites])
        gateway = f"https://api.atlassian.com/ex/{self.kind}/id-acme.atlassian.net/"
        assert asked.url.startswith(gateway), asked.url
        headers = Headers({**asked.headers, "authorization": "Basic Ym90QGFjbWUuZXhhbXBsZTp0"})
        return self.serve(Asked(asked.method, f"https://{self.host}/{asked.url.removeprefix(gateway)}", headers, asked.body))
