"""An agent where no embedding model works: it searches and reads by words, and its answer says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import redis
from django.test import Client

from north import wiring
from north.documents.models import Document
from north.inference.errors import ModelMissing, Overloaded
from north.threads import actions
from north.threads.execution import likeness
from north.threads.models import Run
from north.workspaces.models import Membership
from tests.threads.conftest import NOTICE, Actor, finish

LACK = "Only words are compared just now, not what they mean: The model tiny is not on this machine."


class Broken:
    fault: Exception = ModelMissing("tiny")

    def embed_queries(self, texts: list[str]) -> Any:
        raise self.fault


def broken(**_: object) -> Broken:
    return Broken()


@pytest.fixture
def no_embedder(notice: Document, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once there is something to find."""
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "engine": "tests.threads.test_without_embedder.broken"}}
    monkeypatch.setattr(wiring, "embedder", wiring.Embedders())


@pytest.mark.usefixtures("transactional_db", "no_embedder")
def test_it_answers_from_the_documents_and_says_that_words_alone_were_compared(
    broker: redis.Redis, model: Actor, reader: Membership, as_rita: Client
) -> None:
    model.says = NOTICE
    run = finish(actions.start("How long is the notice period?", actor=reader))
    assert run.status == Run.Status.DONE and run.answer == NOTICE, run.error
    cited = run.citations.all()
    assert cited and all(one.sources[0]["name"] == "handbook.txt" for one in cited)
    assert LACK in run.steps.get(kind="answer").detail["note"]
    html = as_rita.get(f"/w/acme/threads/{run.thread_id}").content.decode()
    assert LACK in html.split('class="answer', 1)[1], "below the answer, for everybody to see"


@pytest.mark.usefixtures("transactional_db", "no_embedder")
def test_a_refusal_says_it_too(broker: redis.Redis, model: Actor, reader: Membership) -> None:
    run = finish(actions.start("Zebra?", actor=reader))
    assert run.refused and LACK in run.steps.get(kind="answer").detail["note"]


def test_with_the_model_nothing_is_said(answered: Run) -> None:
    assert "note" not in answered.steps.get(kind="answer").detail


@pytest.mark.usefixtures("no_embedder")
def test_without_a_model_nothing_is_alike_by_its_meaning(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert np.array_equal(likeness(["a", "b"]), np.zeros((2, 1), np.float32))
    monkeypatch.setattr(Broken, "fault", Overloaded())
    with pytest.raises(Overloaded):
        likeness(["a"])
