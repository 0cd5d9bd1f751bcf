"""A comparison of documents as its reader sees it: a table whose cells open the documents at their words."""

from __future__ import annotations

import re

import pytest
import redis

from north.threads import actions
from north.workspaces.models import Membership
from tests.conftest import browser_of
from tests.scripted import Call, Reply
from tests.threads.conftest import NOTICE, Actor, Shelve, finish

pytestmark = pytest.mark.django_db(transaction=True)


def copies(call: Call) -> Reply:
    said = call.messages[-1].text
    return {"found": "yes", "answer": "thirty days"} if "thirty days" in said else {"found": "no", "answer": ""}


def test_each_cell_opens_its_document_at_the_words_and_closed_documents_stay_closed(
    broker: redis.Redis, model: Actor, shelve: Shelve, reader: Membership
) -> None:
    acme, _bolt = shelve("acme.txt", NOTICE), shelve("bolt.txt", "Bolts come on Mondays.")
    shelve("secret.txt", NOTICE, principals=[])
    model.plays = copies
    run = finish(actions.start("Compare acme.txt, bolt.txt and secret.txt: notice period", actor=reader))
    assert (run.status, run.refused) == ("done", False)
    assert [call.schema is not None for call in model.calls] == [True, True]
    assert "secret.txt" in run.cut_short and "thirty" in run.answer
    page = browser_of(reader.user).get(f"/w/acme/threads/{run.thread_id}").content.decode()
    start = NOTICE.index("thirty days")
    link = re.search(
        rf'<td>\s*<a class="cite"[^>]*href="/w/acme/documents/{acme.pk}\?start={start}&amp;end={start + 11}'
        rf'&amp;of=\w+"[^>]*>thirty days', page
    )
    assert link and page.count("<td>not found</td>") == 1
    assert "1 supported" in page
