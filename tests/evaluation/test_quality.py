"""Measuring a workspace's own search: the real index, the hashing embedder, and each question with the rights of who asked it."""

from __future__ import annotations

import html as html_of
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from north import wiring
from north.documents import passages
from north.documents import tasks as tasks_of_documents
from north.documents.models import Document, SearchWeights
from north.evaluation import actions, asking, fitting, golden, tasks
from north.evaluation.errors import Refused
from north.evaluation.models import GoldenQuestion, Measurement, Outcome
from north.leases import LeaseLost
from north.workspaces.audit import AuditEvent
from north.workspaces.models import Group, Membership, User, Workspace
from retrieval.index import Index, connect
from retrieval.metrics import MEASURES
from retrieval.retriever import Retriever
from tests.documents.conftest import engine, make, read  # noqa: F401
from tests.inference import tiny

PAGE = "/w/acme/quality"
BOARD = "The board has ninety days of leave."
TEXTS = {
    "leave.txt": "Each employee has thirty days of paid leave a year.",
    "travel.txt": "Travel by train is paid in second class.",
    "canteen.txt": "The canteen opens at noon.",
    "parking.txt": "Parking costs nothing at weekends.",
}
Made = dict[str, Document]
Kind = Measurement.Kind


@pytest.fixture
def shelf(vectors: str, transactional_db: None, workspace: Workspace, hr: Group) -> Made:
    found = {name: make(workspace, text, name=name) for name, text in TEXTS.items()}
    found["board.txt"] = make(workspace, BOARD, name="board.txt", principals=[hr.principal])
    for name, one in found.items():
        read(one, {**TEXTS, "board.txt": BOARD}[name])
    tasks_of_documents.index()
    return found


@pytest.fixture
def measured(owner: Membership) -> Measurement:
    """One that is over, without its outcomes."""
    way = dict.fromkeys(MEASURES, 0.5) | {"interval": {name: [0.4, 0.6] for name in MEASURES}}
    weights = {"cosine": 1.0, "words": 1.0, "offset": 0.0, "blend": 0.8, "own": False}
    return Measurement.objects.create(
        workspace=owner.workspace, kind=Kind.MEASURE, status="done", figures={"bm25": way, "fused": way}, weights=weights, questions=3
    )


@pytest.fixture
def judge(settings: LazySettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("cross-encoder")
    tiny.save(folder, head=True)
    settings.MODELS = {**settings.MODELS, "score": {"engine": "tests.inference.tiny.load", "folder": str(folder), "model": "tiny"}}
    wiring.retriever.cache_clear()
    yield
    wiring.retriever.cache_clear()


def measure(actor: Membership, kind: Kind = Kind.MEASURE) -> Measurement:
    made = actions.begin(kind, actor=actor)
    tasks.measure(str(made.pk))
    made.refresh_from_db()
    return made


def page(client: Client, address: str = PAGE, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content.decode()[-1500:]
    return html_of.unescape(answer.content.decode())


def hits(measurement: Measurement) -> dict[str, list[str]]:
    names = {str(pk): name for pk, name in Document.objects.values_list("pk", "name")}
    return {one.question.text: [names[id] for id in one.hits] for one in measurement.outcomes.select_related("question")}


def test_it_measures_each_way_and_says_with_what(shelf: Made, owner: Membership, reader: Membership) -> None:
    golden.mark("days of paid leave", shelf["leave.txt"].pk, actor=owner)
    golden.mark("train travel", shelf["travel.txt"].pk, actor=reader)
    golden.mark("zebra crossing", shelf["parking.txt"].pk, actor=reader)
    found = measure(owner)
    assert (found.status, found.questions, found.left_out, found.error) == ("done", 3, {}, "")
    assert set(found.figures) == {"bm25", "dense", "fused"} and found.commit and found.embed_model and not found.score_model
    assert found.weights["own"] is False and found.weights["cosine"] > 0 and found.documents == 5 and found.seconds
    fused = found.figures["fused"]
    assert fused["interval"]["ndcg@10"][0] <= fused["ndcg@10"] <= fused["interval"]["ndcg@10"][1]
    assert found.figures["bm25"]["recall@50"] == pytest.approx(2 / 3), "no word leads to the third"
    assert hits(found)["train travel"][0] == "travel.txt"
    assert AuditEvent.objects.filter(action="golden.measure").count() == 1


def test_each_question_is_asked_with_the_rights_of_its_asker(
    shelf: Made, owner: Membership, reader: Membership, editor: Membership
) -> None:
    golden.mark("days of leave of the board", shelf["board.txt"].pk, actor=reader)
    golden.mark("days of leave", shelf["leave.txt"].pk, actor=editor)
    found = hits(measure(owner))
    assert found["days of leave of the board"][0] == "board.txt", "rita is in HR"
    assert found["days of leave"] and "board.txt" not in found["days of leave"], "bob is not, so his question never meets it"


def test_who_left_and_what_was_taken_away_is_left_out_and_said(
    shelf: Made, owner: Membership, reader: Membership, editor: Membership, rita: User, hr: Group, as_alice: Client
) -> None:
    golden.mark("leave of the board", shelf["board.txt"].pk, actor=reader)
    golden.mark("days of leave", shelf["leave.txt"].pk, actor=reader)
    golden.mark("train", shelf["travel.txt"].pk, actor=editor)
    hr.users.remove(rita)
    editor.delete()
    found = measure(owner)
    assert (found.questions, found.left_out) == (1, {"hidden": 1, "left": 1})
    html = page(as_alice, f"{PAGE}/{found.pk}")
    assert "1 left out: what answers them is gone" in html and "1 left out: who asked has left" in html


def test_the_pages_name_nothing_that_the_owner_may_not_read(shelf: Made, owner: Membership, reader: Membership, as_alice: Client) -> None:
    golden.mark("days of leave of the board", shelf["board.txt"].pk, actor=reader)
    found = measure(owner)
    assert "board.txt" in hits(found)["days of leave of the board"]
    html = page(as_alice, f"{PAGE}/{found.pk}")
    assert "a document that you may not read" in html and "leave.txt" in html
    for address in (PAGE, f"{PAGE}/{found.pk}", f"{PAGE}/questions"):
        assert "board.txt" not in page(as_alice, address) and str(shelf["board.txt"].pk) not in page(as_alice, address)


def test_only_owners_reach_measurements(measured: Measurement, as_rita: Client, as_bob: Client, as_charlie: Client) -> None:
    found = measured
    for client in (as_rita, as_bob, as_charlie):
        assert client.get(f"{PAGE}/{found.pk}").status_code == 404
        for verb in ("begin", f"{found.pk}/stop", f"{found.pk}/use", "weights/reset"):
            assert client.post(f"{PAGE}/{verb}", {"kind": "measure"}).status_code == 404
    assert Measurement.objects.count() == 1


@pytest.mark.django_db
def test_an_empty_set_and_a_second_measurement_are_refused_in_words(owner: Membership, as_alice: Client) -> None:
    found = measure(owner)
    assert found.status == "failed" and "No question of the set can be asked" in found.error and found.error in page(as_alice)
    actions.begin(Kind.MEASURE, actor=owner)
    with pytest.raises(Refused, match="under way already"):
        actions.begin(Kind.FIT, actor=owner)
    assert as_alice.post(f"{PAGE}/begin", {"kind": "nonsense"}).status_code == 404


def test_a_killed_measurement_goes_on_where_it_was(shelf: Made, owner: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(TEXTS):
        golden.mark(f"question {number} of {name}", shelf[name].pk, actor=owner)
    made = actions.begin(Kind.MEASURE, actor=owner)
    asked: list[str] = []
    plain = asking.measured

    def dies(ways: Any, one: asking.Askable) -> Any:
        if len(asked) == 2:
            raise SystemExit
        asked.append(one.question.text)
        return plain(ways, one)

    monkeypatch.setattr(asking, "measured", dies)
    with pytest.raises(SystemExit):
        tasks.measure(str(made.pk))
    Measurement.objects.filter(pk=made.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert Outcome.objects.count() == 2
    monkeypatch.setattr(asking, "measured", lambda ways, one: (asked.append(one.question.text), plain(ways, one))[1])
    tasks.measure(str(made.pk))
    made.refresh_from_db()
    assert made.status == "done" and made.questions == 4 and len(asked) == 4 == len(set(asked)), "none is asked twice"


def test_a_measurement_is_stopped_while_it_waits_and_while_it_works(
    shelf: Made, owner: Membership, as_alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden.mark("train", shelf["travel.txt"].pk, actor=owner)
    made = actions.begin(Kind.MEASURE, actor=owner)
    assert "Waiting for the model worker" in page(as_alice)
    as_alice.post(f"{PAGE}/{made.pk}/stop")
    made.refresh_from_db()
    assert made.status == "cancelled"
    tasks.measure(str(made.pk))
    assert not Outcome.objects.exists() and "was stopped" in page(as_alice)

    golden.mark("canteen", shelf["canteen.txt"].pk, actor=owner)
    made, plain = actions.begin(Kind.MEASURE, actor=owner), asking.keep
    monkeypatch.setattr(tasks, "WATCH_SECONDS", 0)
    monkeypatch.setattr(asking, "keep", lambda *given: (plain(*given), actions.stop(made, actor=owner)))
    tasks.measure(str(made.pk))
    made.refresh_from_db()
    assert made.status == "cancelled" and Outcome.objects.count() == 1


def test_a_worker_that_lost_it_writes_nothing(shelf: Made, owner: Membership) -> None:
    golden.mark("train", shelf["travel.txt"].pk, actor=owner)
    made = Measurement.objects.take(actions.begin(Kind.MEASURE, actor=owner).pk)
    lost = threading.Event()
    lost.set()
    with pytest.raises(LeaseLost):
        asking.carry_out(made, tasks.Watch(made, lost))
    assert not Outcome.objects.exists()


def test_an_index_that_does_not_answer_is_said(shelf: Made, owner: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    golden.mark("train", shelf["travel.txt"].pk, actor=owner)
    away = Index(connect("http://127.0.0.1:9", timeout=1), "north", wiring.index().dimensions, wiring.model_name("embed"))
    monkeypatch.setattr(wiring, "index", lambda of=None: away)
    found = measure(owner)
    assert found.status == "failed" and "index" in found.error.lower()


def test_a_change_is_shown_question_by_question(shelf: Made, owner: Membership, as_alice: Client, workspace: Workspace) -> None:
    golden.mark("opening of the canteen at noon", shelf["canteen.txt"].pk, actor=owner)
    golden.mark("parking at weekends", shelf["parking.txt"].pk, actor=owner)
    before = measure(owner)
    for number in range(12):
        text = f"The opening of the canteen at noon: no {number}."
        read(make(workspace, text, name=f"rival{number}.txt"), text)
    tasks_of_documents.index()
    golden.mark("train", shelf["travel.txt"].pk, actor=owner)
    after = measure(owner)
    html = page(as_alice, f"{PAGE}/{after.pk}")
    assert "0 questions got better, 1 worse" in html and "3 questions" in html
    each = html.split('id="each"')[1]
    assert each.index("opening of the canteen") < each.index("parking at weekends"), "what got worse comes first"
    assert "rival" in each.split("Found before")[0] and "rival" not in each.split("Found before")[1].split("</ol>")[0]
    assert "may be chance" in html
    assert "no earlier measurement" in page(as_alice, f"{PAGE}/{before.pk}")
    assert page(as_alice, f"{PAGE}/{before.pk}", before=str(after.pk)).count("1 questions got better, 0 worse") == 1
    main = page(as_alice)
    assert (
        main.count('class="dot"') == 3
        and "nDCG@10" in main
        and "MRR@10" in page(as_alice, of="mrr@10")
        and "style=" not in main.split("<main")[1]
    )
    with CaptureQueriesContext(connection) as queries:
        page(as_alice, f"{PAGE}/{after.pk}")
    assert len(queries) <= 12
    with CaptureQueriesContext(connection) as queries:
        page(as_alice)
    assert len(queries) <= 12


def test_questions_that_other_documents_answer_now_are_not_compared(shelf: Made, owner: Membership, as_alice: Client) -> None:
    golden.mark("canteen", shelf["canteen.txt"].pk, actor=owner)
    measure(owner)
    golden.mark("canteen", shelf["parking.txt"].pk, actor=owner)
    assert "no question in common" in page(as_alice, f"{PAGE}/{measure(owner).pk}")


@pytest.mark.parametrize("query", [{"of": "x"}, {"of": "<script>"}, {"before": "x"}, {"page": "-1"}, {"page": "x"}])
def test_what_makes_no_sense_is_as_if_nothing_were_said(measured: Measurement, as_alice: Client, query: dict[str, str]) -> None:
    found = measured
    assert "script>" not in page(as_alice, **query).split("<main")[1].split("</main")[0]
    page(as_alice, f"{PAGE}/{found.pk}", **query)


# --- weights ------------------------------------------------------------------------------------------------------------------------
def fill(shelf: Made, actor: Membership, count: int) -> None:
    for number in range(count):
        golden.mark(f"canteen at noon {number}", shelf["canteen.txt"].pk, actor=actor)


def test_too_few_questions_fit_nothing_and_that_is_said(shelf: Made, owner: Membership, as_alice: Client) -> None:
    fill(shelf, owner, 3)
    found = measure(owner, Kind.FIT)
    assert found.status == "failed" and "Weights are fitted from 30 questions on; 3 can be asked" in found.error
    assert found.error in page(as_alice) and "from 30 questions on" in page(as_alice)


def test_weights_are_fitted_by_the_search_itself(
    shelf: Made, owner: Membership, judge: None, as_alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, few in {"FEWEST": 5, "WORDS": (0.5, 1.0, 2.0), "BLENDS": (0.5, 1.0)}.items():
        monkeypatch.setattr(fitting, name, few)
    fill(shelf, owner, 5)
    found = measure(owner, Kind.FIT)
    assert found.status == "done" and found.figures["questions"] == 5, found.error
    values = Outcome.objects.first().values
    assert len(values) == 6 and all(0 <= value <= 1 for value in values.values())
    html = page(as_alice)
    assert "On questions that each choice was made without" in html
    if not found.figures["better"]:
        with pytest.raises(Refused, match="not found to be better"):
            actions.use(found, actor=owner)
        assert "the defaults stay" in html


def fit_of(owner: Membership, **weights: float) -> Measurement:
    values = {"cosine": 0.001, "words": 5.0, "offset": -1.0, "blend": 0.4, "own": True, **weights}
    return Measurement.objects.create(
        workspace=owner.workspace, kind=Kind.FIT, status="done", weights=values, embed_model=wiring.model_name("embed"),
        figures={"better": True, "gain": 0.1, "interval": [0.01, 0.2], "questions": 40, "words": 2.0, "blend": 1.0},
    )  # fmt: skip


def test_fitted_weights_are_used_shown_measured_and_reset(shelf: Made, owner: Membership, reader: Membership, as_alice: Client) -> None:
    golden.mark("canteen", shelf["canteen.txt"].pk, actor=owner)
    ids = str(owner.workspace_id), str(reader.user_id)
    before = passages.search(*ids, "noon in the canteen", 5)
    assert "weigh as everywhere" in page(as_alice)
    as_alice.post(f"{PAGE}/{fit_of(owner).pk}/use")
    row = SearchWeights.objects.get()
    assert (row.cosine, row.words, row.blend) == (0.001, 5.0, 0.4)
    after = passages.search(*ids, "noon in the canteen", 5)
    assert after[0].why["fused"] == pytest.approx(0.001 * after[0].why["dense"] + 5 * after[0].why["sparse"] - 1 + after[0].why["named"])
    assert passages.find(*ids, "noon in the canteen", 5).passages[0].why["fused"] == after[0].why["fused"] != before[0].why["fused"]
    html = page(as_alice)
    assert (
        "by its own weights: cosine 0.001, words 5" in html and measure(owner).weights["own"] is True and "own weights:" in page(as_alice)
    )
    for _twice in range(2):
        as_alice.post(f"{PAGE}/weights/reset")
    assert not SearchWeights.objects.exists()
    assert passages.search(*ids, "noon in the canteen", 5)[0].why["fused"] == before[0].why["fused"]
    said = list(AuditEvent.objects.filter(action__startswith="search.").order_by("number").values_list("action", flat=True))
    assert said == ["search.weigh", "search.weigh_as_everywhere"]


@pytest.mark.django_db
def test_weights_of_other_models_are_not_used_and_that_is_said(owner: Membership, as_alice: Client) -> None:
    actions.use(fit_of(owner), actor=owner)
    SearchWeights.objects.update(embed_model="another")
    assert passages.weights_of(str(owner.workspace_id)) == {}
    assert "fitted for other models (another) and are not used" in page(as_alice)


@pytest.mark.django_db
def test_another_workspaces_weights_change_nothing_here(owner: Membership, other_workspace: Workspace) -> None:
    SearchWeights.objects.create(workspace=other_workspace, embed_model=wiring.model_name("embed"), cosine=1, words=1, offset=0, blend=1)
    assert passages.weights_of(str(owner.workspace_id)) == {} != passages.weights_of(str(other_workspace.pk))


def test_a_reworded_question_forgets_what_was_measured(shelf: Made, owner: Membership) -> None:
    golden.mark("canteen", shelf["canteen.txt"].pk, actor=owner)
    measure(owner)
    golden.reword(GoldenQuestion.objects.get(), "lunch", actor=owner)
    assert not Outcome.objects.exists()


def test_the_sweeper_says_again_what_a_lost_message_said(owner: Membership, broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = actions.begin(Kind.MEASURE, actor=owner)
    said: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks, "hint", lambda *given, **_: said.append(given))
    tasks.sweep()
    Measurement.objects.take(made.pk)
    tasks.sweep()
    assert said == [("evaluation.measure", str(made.pk))], "what is held is left alone"


def test_both_retrievers_search_alike(shelf: Made, owner: Membership) -> None:
    """The fit's search is the one that people's searches use, with the defaults."""
    scope = passages.scope(str(owner.workspace_id), str(owner.user_id), passages.EVERYTHING)
    embed = wiring.embedder().embed_queries
    own = Retriever(wiring.index(), embed_query=embed, embed_passages=embed, recheck=passages.recheck)
    fused = own.search("days of leave", scope, 5, weights=passages.default_weights())
    assert [one.why["fused"] for one in fused] == [
        one.why["fused"] for one in wiring.retriever(passages.recheck).search("days of leave", scope, 5)
    ]
