"""Messages of sources as their makers document them: the right one is heard, and whoever changes anything in it is not."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from retrieval.connectors import CONNECTORS, hearing
from retrieval.connectors.contract import Called, Heard

NOW, SECRET = 1_790_000_000.0, "It's a Secret to Everybody"
BODY = b'{"event_id": "Ev1", "id": "n1", "deleted": ["a", "b"]}'


def signature(said: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()


SENT = {
    "github": Called({"x-hub-signature-256": f"sha256={signature()}", "x-github-delivery": "d1", "x-github-event": "issues"}, BODY),
    "gitlab": Called({"x-gitlab-token": SECRET, "idempotency-key": "g1"}, BODY),
    "slack": Called({"x-slack-signature": f"v0={signature(b'v0:1789999990:' + BODY)}", "x-slack-request-timestamp": "1789999990"}, BODY),
    "microsoft": Called({}, json.dumps({"value": [{"clientState": SECRET}, {"clientState": SECRET}]}).encode()),
    "google": Called({"x-goog-channel-token": SECRET, "x-goog-channel-id": "c", "x-goog-message-number": "7"}),
    "atlassian": Called({"x-hub-signature": f"sha256={signature()}", "x-atlassian-webhook-identifier": "w1"}, BODY),
    "notion": Called({"x-notion-signature": f"sha256={signature()}"}, BODY),
    "by_token": Called({"authorization": f"Bearer {SECRET}"}),
}
IDS = {"github": "d1", "gitlab": "g1", "slack": "Ev1", "microsoft": "", "google": "c 7", "atlassian": "w1", "notion": "n1", "by_token": ""}


def hear(kind: str, called: Called, secret: str = SECRET, now: float = NOW) -> Heard | None:
    listen: Callable[[Called, str, float], Heard | None] = getattr(hearing, kind)
    return listen(called, secret, now)


@pytest.mark.parametrize("kind", SENT)
def test_its_own_message_is_heard_and_no_other(kind: str) -> None:
    sent = SENT[kind]
    assert hear(kind, sent) == Heard(IDS[kind])
    assert hear(kind, sent, "another secret") is None
    assert hear(kind, sent, "") is None, "where no secret is known, nobody is believed"
    assert hear(kind, Called({}, BODY)) is None
    for name, value in sent.headers.items():
        if SECRET in value or "signature" in name:
            for wrong in ("", value[:-1], value + "0", "sha256=", "Bearer ", "ü"):
                assert hear(kind, replace(sent, headers={**sent.headers, name: wrong})) is None


@pytest.mark.parametrize("kind", ["github", "slack", "atlassian", "notion"])
def test_a_body_that_was_changed_on_its_way_is_not_heard(kind: str) -> None:
    assert hear(kind, replace(SENT[kind], body=BODY + b" ")) is None


def test_an_old_message_of_slack_is_not_heard() -> None:
    for now in (NOW + 301, NOW - 400):
        assert hear("slack", SENT["slack"], now=now) is None
    for sent in ("", "-1", "1e9", "9" * 40, "१२३"):
        said = signature(b"v0:" + sent.encode() + b":" + BODY)
        assert hear("slack", Called({"x-slack-signature": f"v0={said}", "x-slack-request-timestamp": sent}, BODY)) is None


def test_what_only_tries_the_address_begins_nothing() -> None:
    ping = replace(SENT["github"], headers={**SENT["github"].headers, "x-github-event": "ping"})
    begun = replace(SENT["google"], headers={**SENT["google"].headers, "x-goog-resource-state": "sync"})
    said = b'{"type": "url_verification", "challenge": "3eZb"}'
    slack = {"x-slack-signature": f"v0={signature(b'v0:1790000000:' + said)}", "x-slack-request-timestamp": "1790000000"}
    for kind, called, reply in (
        ("github", ping, ""),
        ("google", begun, ""),
        ("slack", Called(slack, said), "3eZb"),
        ("microsoft", Called({}, b"", {"validationToken": "say it"}), "say it"),
    ):
        heard = hear(kind, called)
        assert heard and not heard.changed and heard.reply == reply


def test_the_first_message_of_notion_tells_its_secret_and_no_later_one_does() -> None:
    said = Called({}, b'{"verification_token": "secret_x"}')
    assert hear("notion", said, "") == Heard(changed=False, secret="secret_x")
    assert hear("notion", said) is None


@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"value": [1]}', b'{"value": [{"clientState": null}]}', b"[" * 100_000, b"\xff"])
def test_garbage_is_not_heard(kind: str, body: bytes) -> None:
    assert hear(kind, Called({"x-hub-signature": "x", "authorization": "Bearer"}, body)) is None


def test_microsoft_is_heard_only_where_all_of_a_message_is_its_own() -> None:
    mixed = {"value": [{"clientState": SECRET}, {"clientState": "other"}]}
    assert hear("microsoft", Called({}, json.dumps(mixed).encode())) is None


@pytest.mark.parametrize("kind", CONNECTORS)
def test_whoever_sets_it_up_is_told_where_to_enter_it(kind: str) -> None:
    push = CONNECTORS[kind].push or hearing.BY_TOKEN
    assert push.help.endswith(".") and "address" in push.help.lower()
