from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from retrieval.connectors.asking import Asker, retry_after
from retrieval.errors import (
    CursorExpired,
    RateLimited,
    RightMissing,
    SourceError,
    SourceGarbled,
    SourceMissing,
    SourceNotAllowed,
    SourceUnreachable,
    TokenRefused,
)
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said

HOST = "wiki.example"


def asking(*answers: Said, **wanted: object) -> tuple[Asker, InProcess]:
    """One that gets these answers one after the other, the last for ever."""
    left = list(answers)
    outside = InProcess(HOST, lambda asked: left.pop(0) if len(left) > 1 else left[0])
    return Asker(outside, f"https://{HOST}/api/v2/", headers={"authorization": "Bearer t"}, **wanted), outside  # type: ignore[arg-type]


def waits(seconds: str, status: int = 429) -> Said:
    return Said(status, headers=Headers({"Retry-After": seconds}))


def test_a_path_is_below_the_base_and_parameters_are_added() -> None:
    ask, outside = asking(Said.json({"a": 1}))
    assert ask.json("/pages?limit=2", {"expand": ["body", "space"], "q": "ä &"}) == {"a": 1}
    assert outside.asked[0].url == f"https://{HOST}/api/v2/pages?limit=2&expand=body&expand=space&q=%C3%A4+%26"
    assert outside.asked[0].headers["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, TokenRefused),
        (403, RightMissing),
        (404, SourceMissing),
        (410, CursorExpired),
        (400, SourceUnreachable),
        (500, SourceUnreachable),
    ],
)
def test_each_refusal_is_an_error_of_its_own(status: int, error: type[SourceError]) -> None:
    ask, outside = asking(Said(status, b"<html>secret inner answer</html>"))
    with pytest.raises(error) as raised:
        ask.json("pages")
    assert "secret" not in str(raised.value), "what the service says is not shown"
    assert len(outside.asked) == (3 if status == 500 else 1)


def test_a_short_wait_is_waited_for() -> None:
    ask, outside = asking(waits("3"), waits("1", 503), Said.json([]))
    assert ask.json("pages") == []
    assert outside.slept == 4


@pytest.mark.parametrize("answer", [waits("30"), waits("soon"), Said(429), waits("90", 503), waits("90", 403)])
def test_a_long_wait_ends_the_pass(answer: Said) -> None:
    ask, outside = asking(answer, Said.json([]))
    with pytest.raises(RateLimited) as raised:
        ask.json("pages")
    assert raised.value.retry_after in (30, 60, 90)
    assert not outside.slept


def test_a_service_that_always_asks_to_wait_a_little_is_not_asked_for_ever() -> None:
    ask, outside = asking(waits("1"))
    with pytest.raises(RateLimited):
        ask.json("pages")
    assert len(outside.asked) == 3


def test_trouble_of_the_server_passes() -> None:
    ask, _outside = asking(Said(502), Said(500), Said.json({"well": True}))
    assert ask.json("pages") == {"well": True}


@pytest.mark.parametrize("broken", [b"", b'{"a": [1, 2', b"<html>", b"\xff\xfe"])
def test_half_an_answer_is_none(broken: bytes) -> None:
    ask, _outside = asking(Said(200, broken))
    with pytest.raises(SourceGarbled):
        ask.json("pages")


def test_credentials_are_renewed_once() -> None:
    token = ["old"]
    served: list[str] = []

    def serve(asked: Asked) -> Said:
        served.append(asked.headers["authorization"])
        return Said.json([]) if asked.headers["authorization"] == "new" else Said(401)

    ask = Asker(
        InProcess(HOST, serve),
        f"https://{HOST}",
        headers=lambda: {"authorization": token[0]},
        renew=lambda: bool(token.__setitem__(0, "new")) or True,
    )
    assert ask.json("pages") == [] and served == ["old", "new"]
    refused = Asker(InProcess(HOST, lambda asked: Said(401)), f"https://{HOST}", renew=lambda: True)
    with pytest.raises(TokenRefused):
        refused.json("pages")


def test_credentials_go_to_their_own_host_only() -> None:
    seen: dict[str, Headers] = {}
    outside = InProcess("files.example", lambda asked: (seen.update(given=asked.headers), Said(200, b"x"))[1])
    assert Asker(outside, f"https://{HOST}", headers={"authorization": "t"}).bytes("https://files.example/1?signature=s") == b"x"
    assert "authorization" not in seen["given"]
    with pytest.raises(SourceNotAllowed):
        Asker(outside, f"https://{HOST}").bytes("https://169.254.169.254/")


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=120)
    assert 110 < (retry_after({"retry-after": format_datetime(soon)}) or 0) < 121
    assert retry_after({"retry-after": format_datetime(datetime(2001, 1, 1, tzinfo=UTC))}) == 0
    assert retry_after({"retry-after": "1e30"}) == 86_400
    assert [retry_after({"retry-after": said}) for said in ("", "nan", "later")] == [None, None, None]
