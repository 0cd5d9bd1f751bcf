"""Pages of the web: from listed hosts only, hop by hop, cleaned, bounded; and never without a person's word."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.conf import LazySettings
from django.test import Client

from agents.errors import ToolFailed
from agents.planning import tasks_of
from agents.tools import TOOLS
from agents.tools.fetch_page import CHARACTERS, PIECE, fitting
from north.documents.models import Document
from north.outside import web
from north.outside.actions import set_hosts
from north.outside.models import AllowedHost
from north.outside.web import Web, listed
from north.threads import actions, approving
from north.threads.consent import Approvals
from north.threads.execution import member
from north.threads.models import Approval, Run
from north.workspaces.errors import Refused
from north.workspaces.models import Membership, Workspace
from tests.outside.conftest import Site
from tests.threads.conftest import Actor, finish


@pytest.mark.django_db
def test_a_page_is_text_without_its_script(site: Site, allowed: Web) -> None:
    page = allowed.page(site.url("/rates"))
    assert "The kilometre rate is 42 cents" in page.text
    assert "steal" not in page.text
    assert "<" not in page.text


@pytest.mark.django_db
def test_the_list_is_the_workspaces_own_and_read_anew(site: Site, allowed: Web, other_workspace: Workspace) -> None:
    for elsewhere in (
        lambda: Web(other_workspace.pk).page(site.url("/rates")),
        lambda: AllowedHost.objects.all().delete() and allowed.page(site.url("/rates")),
    ):
        with pytest.raises(ToolFailed, match="not on the list"):
            elsewhere()
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://localhost/",
        "http://localhost./", "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "data:text/html,x", "javascript:1",
        "http://user:pw@example.com/", "http://example.com\\@127.0.0.1/", "http://example.com@127.0.0.1/", "//example.com/", "example.com",
        "http://example.com.evil.example/", "http://evilexample.com/", "http://notexample.com/", "http://example.com:8080/",
        "http://a.example.com/", "", "http://", "http://exa\nmple.com/", "http://169.254.169.254/latest", "http://sub.wild.example.evil/",
        "http://wild.example/",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_listed_host_is_none(url: str) -> None:
    assert not listed(url, ["example.com", "*.wild.example", "intern.example:8443"])


@pytest.mark.parametrize(
    "url", ["https://example.com/x?y=1", "http://EXAMPLE.com./", "https://a.b.wild.example/", "https://intern.example:8443/"]
)
def test_a_listed_host_is_told_whatever_its_letters(url: str) -> None:
    assert listed(url, ["example.com", "*.wild.example", "intern.example:8443"])


@pytest.mark.django_db
def test_a_listed_name_still_may_not_lead_inside(site: Site, workspace: Workspace, settings: LazySettings) -> None:
    settings.OUTBOUND_ALLOWED = []
    AllowedHost.objects.create(workspace=workspace, host=site.host)
    with pytest.raises(ToolFailed, match="may not contact"):
        Web(workspace.pk).page(site.url("/rates"))
    assert site.asked == []


@pytest.mark.django_db
@pytest.mark.parametrize("onward", ["http://127.0.0.1:1/", "http://169.254.169.254/", "file:///etc/passwd", "http://localhost/x"])
def test_a_redirect_off_the_list_is_not_followed(site: Site, allowed: Web, onward: str) -> None:
    site.answers["/away"] = (302, {"location": onward}, b"")
    with pytest.raises(ToolFailed, match="not on the list"):
        allowed.page(site.url("/away"))
    assert site.asked == ["/away"]


@pytest.mark.django_db
def test_redirects_on_the_list_are_followed_three_times(site: Site, allowed: Web) -> None:
    for number in range(9):
        site.answers[f"/{number}"] = (301, {"location": f"/{number + 1}"}, b"")
    site.answers["/3"] = (301, {"location": "/rates"}, b"")
    assert "42 cents" in allowed.page(site.url("/1")).text
    with pytest.raises(ToolFailed, match="more than 3 times"):
        allowed.page(site.url("/4"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, {"content-type": "text/html"}, b"internal secret"), "answered 500"),
        ((200, {"content-type": "application/zip"}, b"PK"), "neither a page nor a text"),
        ((200, {}, b"internal secret"), "neither a page nor a text"),
        ((200, {"content-type": "text/html"}, b"x" * 3_100_000), "more than 3,000,000 bytes"),
        ((200, {"content-type": "text/html", "content-encoding": "gzip"}, b"x"), "compressed"),
        ((200, {"content-type": "application/pdf"}, b"%PDF-1.4 broken"), "cannot be read"),
    ],
)
def test_what_is_no_page_ends_in_words_that_quote_nothing(site: Site, allowed: Web, answer: Any, said: str) -> None:
    site.answers["/odd"] = answer
    with pytest.raises(ToolFailed) as caught:
        allowed.page(site.url("/odd"))
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.django_db
def test_a_server_that_never_answers_is_left(site: Site, allowed: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SECONDS", 0.000001)
    with pytest.raises(ToolFailed, match="in time"):
        allowed.page(site.url("/rates"))


# --- who says which hosts -------------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_owners_say_the_hosts_and_all_of_them_make_sense(owner: Membership, as_alice: Client, as_bob: Client) -> None:
    assert set_hosts("https://www.Example.com/path\n*.wild.example, münchen.example", actor=owner) == [
        "*.wild.example", "www.example.com", "xn--mnchen-3ya.example",
    ]  # fmt: skip
    for wrong in ("localhost", "*", "*.com:x", "a b.example", "http://", "x" * 300 + ".example", "[::1]"):
        with pytest.raises(Refused, match="not the name of a host"):
            set_hosts(f"ok.example\n{wrong}", actor=owner)
    assert AllowedHost.objects.count() == 3
    answer = as_alice.post("/w/acme/agent/hosts", {"hosts": "nonsense <b>"})
    assert (answer.status_code, "nonsense &lt;b&gt;</textarea>" in answer.content.decode()) == (422, True)
    assert as_bob.post("/w/acme/agent/hosts", {"hosts": ""}).status_code == 404


# --- in a run -------------------------------------------------------------------------------------------------------------------------
def test_an_address_in_the_question_is_a_task() -> None:
    question = "What does https://rates.example/2026?lang=en say about Ruritania?"
    tasks = tasks_of(question, lambda about: [], TOOLS)
    assert [(one["tool"], one["arguments"]["url"]) for one in tasks] == [("fetch_page", "https://rates.example/2026?lang=en")]
    assert [one["tool"] for one in tasks_of("Summarise https://rates.example/report.pdf.", lambda about: [], TOOLS)] == ["fetch_page"]


def test_of_a_long_page_what_fits_the_question_is_read() -> None:
    text = "\n".join([f"Line {number} about nothing at all." for number in range(500)] + ["The kilometre rate is 42 cents."])
    found = fitting(text, "What is the kilometre rate?")
    assert text[slice(*found[0])].endswith("The kilometre rate is 42 cents."), "what fits best comes first"
    assert CHARACTERS / 2 < sum(end - start for start, end in found) <= CHARACTERS
    assert fitting("x" * 5000, "") == [(at, at + PIECE) for at in range(0, CHARACTERS, PIECE)], "without any sentence, too"


@pytest.mark.django_db(transaction=True)
def test_nothing_is_asked_before_a_person_agrees_to_the_whole_address(
    waiting: Approval,
    site: Site,
    reader: Membership,
    model: Actor,
) -> None:
    assert (waiting.tool, waiting.effect, waiting.standing, waiting.arguments["url"]) == (
        "fetch_page",
        "leaves",
        "waiting",
        site.url("/rates"),
    )
    assert site.asked == []
    approving.approve(waiting, seen=waiting.proposed, actor=reader)
    model.says = "The kilometre rate is 42 cents in Ruritania."
    run = finish(waiting.run)
    assert (run.status, site.asked) == ("done", ["/rates"])
    assert any("<passage 1: Rates" in message.text and "42 cents" in message.text for call in model.calls for message in call.messages)


@pytest.mark.django_db(transaction=True)
def test_a_no_reaches_nobody(waiting: Approval, site: Site, reader: Membership) -> None:
    approving.reject(waiting, seen=waiting.proposed, actor=reader)
    assert finish(waiting.run).status == "done"
    assert site.asked == []


@pytest.mark.django_db(transaction=True)
def test_without_a_list_no_page_is_offered(site: Site, broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> None:
    run = finish(actions.start(f"What does {site.url('/rates')} say about the notice period?", actor=reader))
    assert (run.status, run.approvals.count(), site.asked) == ("done", 0, [])


@pytest.mark.django_db(transaction=True)
def test_what_was_sent_and_not_seen_to_end_is_not_sent_again_unless_it_does_no_harm(waiting: Approval, reader: Membership) -> None:
    approving.approve(waiting, seen=waiting.proposed, actor=reader)
    Approval.objects.update(begun_at=waiting.created_at)
    run = Run.objects.select_related("thread__workspace", "thread__user").take(waiting.run_id, status="pending")
    again = []

    def act(arguments: Any) -> Any:
        again.append(arguments)
        raise ToolFailed("Broken off.")

    assert Approvals(run, member).perform(waiting.key, act).standing == "failed"
    assert len(again) == 1, "a page may be read twice"
    sealed = Approval.objects.get()
    sealed.tool, sealed.standing, sealed.key = "send_mail", "approved", waiting.key
    sealed.seal = approving.seal(sealed)
    sealed.save()
    decision = Approvals(run, member).perform(waiting.key, act)
    assert (decision.standing, len(again)) == ("failed", 1)
    assert "Whether it happened is not known" in decision.words
