from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from retrieval.connectors.asking import Asker
from retrieval.connectors.oauth import Token
from retrieval.errors import RateLimited, SourceGarbled, TokenRefused
from tests.retrieval.connectors.outside import Asked, InProcess, Said

URL = "https://login.example/token"


class Login:
    """Gives a token for each refresh token, once; the service takes the newest only."""

    def __init__(self) -> None:
        self.number = 0
        self.outside = InProcess("api.example", self.serve, also=("login.example",))

    def serve(self, asked: Asked) -> Said:
        if asked.url == URL:
            given = parse_qs(asked.body.decode())["refresh_token"]
            if given != [f"r{self.number}"]:
                return Said.json({"error": "invalid_grant"}, 400)
            self.number += 1
            return Said.json({"access_token": f"a{self.number}", "refresh_token": f"r{self.number}"})
        return Said.json({}) if asked.headers.get("authorization") == f"Bearer a{self.number}" else Said(401)

    def ask(self, refresh: str) -> Asker:
        token = Token(self.outside, URL, lambda: {"grant_type": "refresh_token", "refresh_token": refresh}, kept="refresh")
        return Asker(self.outside, "https://api.example", headers=token.headers, renew=token.renew)


def test_a_refresh_token_that_takes_the_old_ones_place_is_kept() -> None:
    login = Login()
    ask = login.ask("r0")
    ask.json("/x")
    assert login.outside.kept == {"refresh": "r1"}
    login.ask("r1").json("/x")
    assert login.outside.kept == {"refresh": "r2"}


def test_a_token_that_expires_in_the_middle_is_renewed_with_the_newest_refresh_token() -> None:
    login = Login()
    ask = login.ask("r0")
    ask.json("/x")
    login.outside.faults = [lambda asked: Said(401) if asked.headers.get("authorization") == "Bearer a1" else None]
    ask.json("/x")
    assert login.number == 2 and login.outside.kept == {"refresh": "r2"}


def test_a_token_that_another_pass_had_replaced_meanwhile_is_taken_from_where_it_is_kept() -> None:
    login = Login()
    slow = login.ask("r0")
    login.ask("r0").json("/x")
    slow.json("/x")
    assert login.number == 2 and login.outside.kept == {"refresh": "r2"}


def test_a_consent_that_was_withdrawn_is_said_whatever_the_status() -> None:
    """Atlassian answers 403 where others answer 400."""
    for status in (400, 401, 403):
        login = Login()
        login.outside.faults = [lambda asked, status=status: Said.json({"error": "invalid_grant"}, status)]  # type: ignore[misc]
        with pytest.raises(TokenRefused, match=r"withdrawn.*Press “Connect” again"):
            login.ask("r0").json("/x")


def test_a_login_that_asks_to_wait_is_waited_for() -> None:
    login = Login()
    login.outside.faults = [lambda asked: Said.json({"error": "rate_limit_exceeded"}, 403, **{"retry-after": "60"})]
    with pytest.raises(RateLimited):
        login.ask("r0").json("/x")


def test_a_refused_grant_says_that_the_credentials_are_wrong() -> None:
    with pytest.raises(TokenRefused, match=r"Press “Connect” again .* or enter new ones"):
        Login().ask("stale").json("/x")


@pytest.mark.parametrize("said", [b"<html>", b"[]", b'{"token_type": "bearer"}', b'{"access_token": 7}'])
def test_an_answer_without_a_token_is_garbled(said: bytes) -> None:
    outside = InProcess("login.example", lambda asked: Said(200, said))
    with pytest.raises(SourceGarbled):
        Token(outside, URL, lambda: {}).headers()
