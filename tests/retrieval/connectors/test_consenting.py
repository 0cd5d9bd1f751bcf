"""Consent by OAuth 2.0 against a service of the recorded shape, and all that can go wrong on the way."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from retrieval.connectors import CONNECTORS, consenting
from retrieval.connectors.contract import Consent
from retrieval.errors import SourceError, SourceGarbled, TokenRefused
from tests.retrieval.connectors.outside import Asked, InProcess, Said

BACK = "https://north.example/consent"
APP = {"client_id": "app", "client_secret": "s3cret"}
KINDS = [kind for kind in CONNECTORS if CONNECTORS[kind].consent]
CONFIG = {
    "gitlab": {"url": "https://id.example"},
    "github": {"url": "https://id.example/api/v3"},
    "sharepoint": {"tenant": "acme"},
    **{kind: {"url": "https://acme.atlassian.net"} for kind in ("confluence", "jira")},
}


def consent_of(kind: str) -> tuple[Consent, dict[str, Any]]:
    found = CONNECTORS[kind].consent
    assert found
    return found, {**APP, **CONFIG.get(kind, {})}


class Authority:
    """Gives codes to whoever agreed, each good once and only with its verifier and way back; and tokens for them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.consent, self.config = consent_of(kind)
        self.codes: dict[str, tuple[str, str]] = {}
        self.agreed: dict[str, bool | None] = {}
        hosts = {urlsplit(one(self.config)).hostname or "" for one in (self.consent.token, self.consent.authorize)}
        first, *others = sorted(hosts | {"graph.microsoft.com", "id.example", "api.atlassian.com", "www.googleapis.com"})
        self.outside = InProcess(first, self.serve, also=tuple(others))

    def agree(self, url: str) -> str:
        """As a person at the service, who is sent back with a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256" and asked["client_id"] == "app"
        code = f"code{len(self.codes)}"
        self.codes[code] = (asked["code_challenge"], asked["redirect_uri"])
        return code

    def serve(self, asked: Asked) -> Said:
        if asked.method == "GET":
            named = dict.fromkeys(("username", "login", "userPrincipalName", "email"), "ann")
            return Said.json({**named, "user": {"emailAddress": "ann"}})
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        basic = asked.headers.get("authorization", "") == "Basic " + base64.b64encode(b"app:s3cret").decode()
        if not basic and (form.get("client_id"), form.get("client_secret")) != ("app", "s3cret"):
            return Said.json({"error": "invalid_client"}, 401)
        if "device_code" in form:
            return self.polled(form["device_code"])
        if "code" not in form:
            self.agreed["d1"] = None
            return Said.json({"device_code": "d1", "user_code": "AB-CD", "verification_uri": "https://id.example/device",
                              "interval": 5, "expires_in": 900})  # fmt: skip
        challenge, back = self.codes.pop(form["code"], ("", ""))
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        return self.token() if challenge == proof and back == form["redirect_uri"] else Said.json({"error": "invalid_grant"}, 400)

    def polled(self, code: str) -> Said:
        agreed = self.agreed.get(code)
        if agreed is None:
            return Said.json({"error": "authorization_pending"}, 400)
        return self.token() if agreed else Said.json({"error": "access_denied"}, 400)

    def token(self) -> Said:
        names = {"team": {"name": "ann"}, "workspace_name": "ann"}
        return Said.json({"access_token": "a1", "refresh_token": "r1", "token_type": "bearer", "ok": True, **names})


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_agrees_gives_a_token_that_is_kept_where_the_connector_wants_it(kind: str) -> None:
    there = Authority(kind)
    begun = consenting.begin(there.consent, there.config, BACK)
    code = there.agree(begun.url)
    given = consenting.finish(there.consent, there.config, code, begun.verifier, there.outside, back=BACK)
    assert given == consenting.Given("a1" if there.consent.given == "access_token" else "r1", "ann")
    assert there.consent.kept in {one.name for one in CONNECTORS[kind].settings if one.kind == "secret" and not one.required}
    assert "s3cret" not in begun.url and begun.verifier not in begun.url


@pytest.mark.parametrize("wanted", [False, True])
def test_microsoft_is_asked_for_the_right_to_write_only_where_the_settings_say_so(wanted: bool) -> None:
    there = Authority("sharepoint")
    config = {**there.config, "subscribes": wanted}
    asked = [parse_qs(urlsplit(consenting.begin(there.consent, config, BACK).url).query)["scope"][0]]
    consenting.begin_device(there.consent, config, there.outside)
    asked += scopes_of(there.outside)
    assert len(asked) == 2 and {"Files.ReadWrite.All" in scopes.split() for scopes in asked} == {wanted}
    assert all({"offline_access", "Files.Read.All"} <= set(scopes.split()) for scopes in asked)


def test_a_token_of_microsoft_is_for_what_was_agreed_to_whatever_the_settings_say_since() -> None:
    there = Authority("sharepoint")
    config = {**there.config, "access": "refresh", "refresh": "r1", "subscribes": True, "sites": [], "people": ["ann@acme.example"]}
    with pytest.raises(SourceError):
        list(CONNECTORS["sharepoint"].fetch(config, None, there.outside))
    assert set(scopes_of(there.outside)) == {"offline_access https://graph.microsoft.com/.default"}


def scopes_of(outside: Any) -> list[str]:
    return [parse_qs(one.body.decode())["scope"][0] for one in outside.asked if b"scope=" in (one.body or b"")]


def refused(there: Authority, code: str, verifier: str, back: str = BACK) -> str:
    with pytest.raises(TokenRefused) as raised:
        consenting.finish(there.consent, there.config, code, verifier, there.outside, back=back)
    return str(raised.value)


def test_a_code_is_good_once_for_who_began_and_for_one_way_back() -> None:
    there = Authority("gitlab")
    begun = consenting.begin(there.consent, there.config, BACK)
    other = consenting.begin(there.consent, there.config, BACK)
    assert begun.state != other.state and begun.verifier != other.verifier
    code = there.agree(begun.url)
    consenting.finish(there.consent, there.config, code, begun.verifier, there.outside, back=BACK)
    assert "used already" in refused(there, code, begun.verifier)
    assert "used already" in refused(there, there.agree(begun.url), other.verifier)
    assert "used already" in refused(there, there.agree(begun.url), begun.verifier, "https://elsewhere.example/consent")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said.json({"error": "invalid_client"}, 401), "id or secret is not right"),
        (Said.json({"error": "redirect_uri_mismatch"}), "way back"),
        (Said.json({"ok": False}), "did not agree"),
        (Said.json({"ok": False, "error": "invalid_code"}), "Begin again"),
        (Said.json({"access_token": "a"}), "refreshed"),
        (Said.json({"refresh_token": "r"}), "refreshed"),
        (Said.json([]), "refreshed"),
        (Said.json({"error": "<script>" * 100}, 400), "did not agree"),
    ],
)
def test_what_the_service_refuses_is_said_with_the_step_that_mends_it(said: Said, words: str) -> None:
    there = Authority("gitlab")
    there.outside.faults = [lambda asked: said]
    told = refused(there, "c", "v")
    assert words in told and told.endswith(".") and len(told) < 300


def test_a_service_that_makes_no_sense_is_refused() -> None:
    there = Authority("gitlab")
    there.outside.faults = [lambda asked: Said(200, b"{")]
    for ask in (lambda: consenting.begin_device(there.consent, there.config, there.outside),
                lambda: consenting.poll(there.consent, there.config, "d", there.outside)):  # fmt: skip
        with pytest.raises(SourceGarbled):
            ask()
    for wrong in ({"verification_uri": "http://id.example"}, {"user_code": None}, {"expires_in": "soon"}):
        whole = {"device_code": "d", "user_code": "u", "verification_uri": "https://id.example", "expires_in": 9}
        there.outside.faults = [always(Said.json({name: value for name, value in {**whole, **wrong}.items() if value is not None}))]
        with pytest.raises(SourceGarbled):
            consenting.begin_device(there.consent, there.config, there.outside)


def always(said: Said) -> Callable[[Asked], Said]:
    return lambda asked: said


@pytest.mark.parametrize("kind", [kind for kind in KINDS if consent_of(kind)[0].device])
def test_a_code_is_typed_in_elsewhere(kind: str) -> None:
    there = Authority(kind)
    found = consenting.begin_device(there.consent, there.config, there.outside)
    assert (found.user_code, found.interval, found.seconds) == ("AB-CD", 5, 900)
    assert consenting.poll(there.consent, there.config, found.code, there.outside) is None
    there.agreed["d1"] = False
    with pytest.raises(TokenRefused, match="not given"):
        consenting.poll(there.consent, there.config, found.code, there.outside)
    there.agreed["d1"] = True
    given = consenting.poll(there.consent, there.config, found.code, there.outside)
    assert given and given.secret == "r1"


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_is_not_connected_yet_says_so(kind: str) -> None:
    there = Authority(kind)
    if there.consent.given != "refresh_token":
        pytest.skip("Its token is used as it is: the service itself says that it has none.")
    values = {one.name: one.default for one in CONNECTORS[kind].settings} | there.config
    lists = {"access": "refresh", "refresh": "", "groups": [], "projects": ["a/b"], "sites": [], "people": ["a@b"], "owner": "acme"}
    with pytest.raises(TokenRefused, match="press “Connect”"):
        list(CONNECTORS[kind].probe({**values, **lists, "channels": [], "repositories": [], "site_groups": []}, there.outside))
