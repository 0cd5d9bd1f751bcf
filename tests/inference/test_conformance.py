"""The conformance test of a chat model: each probe against a model that can do it and one that cannot, behind the real interface."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from north.inference import probes
from north.inference.conformance import PUT, QUESTIONS, Begun, Stopped, examine
from north.inference.errors import ContextTooLong, ModelUnavailable, Overloaded
from north.inference.examiner import Examiner
from north.inference.llama import LlamaServer
from north.inference.outcomes import LANGUAGES, PROBES, Outcome
from north.inference.probes import FULL, QUICK, is_in, keeps
from tests.scripted import Call, Reply, ScriptedChatModel

READ = {case["ask"]: some["passages"][case["passage"] - 1] for some in QUESTIONS["reading"] for case in some["questions"]}
FACTS = {case["ask"]: case["fact"][0] for spoken in QUESTIONS["languages"].values() for case in spoken["cases"]}
WORDS = {
    "en": "It is {} for the", "de": "Das sind {} und die", "fr": "Il est {} dans les", "es": "Son {} y los", "it": "Sono {} che il",
    "pt": "São {} não os", "nl": "Het is {} voor het", "ja": "{}です", "zh": "是{}。", "ar": "هو {}",
}  # fmt: skip
FOLLOW_UPS = {case["ask"]: " ".join(words[0] for words in case["needs"]) for case in QUESTIONS["follow_ups"]}
TOOLS = {case["ask"]: case for case in QUESTIONS["tools"]["cases"]}
PARAMETERS = {tool["name"]: tool["argument"] for tool in QUESTIONS["tools"]["tools"]}


class Able(ScriptedChatModel):
    """Has all answers right, remembers prompts of up to `context` words, and forgets from `forgets` words on. It reads instantly."""

    script: Any = None
    context: int = 1500
    forgets: int = 10**9
    refuses: tuple[str, ...] = ()
    """Of `response_format` and `tools`: what its server does not take."""

    def answer(self, call: Call) -> Reply:
        said = "\n".join(message.text for message in call.messages)
        if len(said.split()) > self.context:
            raise ContextTooLong("too long")
        for name in self.refuses:
            if name in call.bound:
                raise ModelUnavailable(f"The server does not take {name}.")
        if word := re.search(r"The code word is (\S+)\.", said):
            return word[1] if len(said.split()) < self.forgets else "none that I know of"
        if "tools" in call.bound:
            return tool_call(call.messages[-1].text)
        asked = (re.findall(r"(?:Question|Follow-up): (.*)", said) or [call.messages[-1].text])[-1]
        if call.schema is not None:
            return json.dumps(filled(call.schema, asked, said), ensure_ascii=False)
        language = next((code for code in LANGUAGES if f" in {QUESTIONS['languages'][code]['name']}, in one" in said), "en")
        return WORDS[language].format(FACTS[asked]) if asked in FACTS else READ.get(asked, "one two three four five six")


def tool_call(asked: str) -> Reply:
    case = TOOLS[asked]
    if case["tool"] == "none":
        return "You are welcome."
    call = {"name": case["tool"], "args": {PARAMETERS[case["tool"]]: case["holds"][0]}, "id": "1"}
    return AIMessage(content="", tool_calls=[call])


def filled(schema: Mapping[str, Any], asked: str, said: str) -> Any:
    wanted = schema["properties"].keys()
    if "tool" in wanted:
        return {"tool": TOOLS[asked]["tool"], "argument": " ".join(TOOLS[asked]["holds"][:1])}
    if "passage" in wanted:
        return {"passage": next(c["passage"] for s in QUESTIONS["reading"] for c in s["questions"] if c["ask"] == asked)}
    if wanted == {"question"} and asked in FOLLOW_UPS:
        return {"question": FOLLOW_UPS[asked]}
    if wanted == {"found"}:
        return {"found": "yes" if asked in READ else "no"}
    return simplest(schema)


def simplest(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {name: simplest(part) for name, part in schema["properties"].items()}
        case "array":
            return [simplest(schema["items"])]
        case "string":
            return "some words"
        case "integer":
            return schema["minimum"]
    return False


def probe(name: str, model: ScriptedChatModel, form: probes.Form = FULL) -> Outcome:
    with Examiner(model) as examiner:
        return PUT[name](examiner, QUESTIONS, form)


def says(*replies: str) -> ScriptedChatModel:
    """Says the same whatever it is asked."""
    return ScriptedChatModel(script=lambda messages: replies[0])


@pytest.mark.parametrize("name", PROBES)
def test_a_model_that_can_passes_each_probe(name: str) -> None:
    outcome = probe(name, Able())
    assert (outcome.verdict, outcome.passed) == ("well", outcome.tried), outcome.faults
    assert outcome.probe == name


@pytest.mark.parametrize("name", [name for name in PROBES if name not in {"speed", "context"}])
@pytest.mark.parametrize("reply", ["I do not know.", '{"found": "yes", "passage": 1, "tool": "calculate", "argument": "", "question": ""}'])
def test_a_model_that_always_says_the_same_fails_each_probe(name: str, reply: str) -> None:
    outcome = probe(name, says(reply))
    assert outcome.verdict == "failed", outcome
    assert len(outcome.faults) == outcome.tried - outcome.passed


@pytest.mark.parametrize("found", ["yes", "no"])
def test_who_always_judges_the_same_cannot_refuse(found: str) -> None:
    assert probe("refusal", says(json.dumps({"found": found}))).passed == 0


def test_who_recites_all_passages_does_not_answer() -> None:
    model = ScriptedChatModel(script=lambda messages: messages[-1].text)
    assert probe("grounded", model).verdict == "failed"


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_right_fact_in_another_language_is_no_answer(code: str) -> None:
    other = "de" if code == "en" else "en"
    facts = {case["ask"]: case["fact"][0] for case in QUESTIONS["languages"][code]["cases"]}

    def script(messages: Any) -> str:
        return WORDS[other].format(facts[re.findall(r"Question: (.*)", messages[-1].text)[0]]) + (" the is of" if other == "en" else "")

    assert probe(f"language-{code}", ScriptedChatModel(script=script)).passed == 0


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_language_is_known_by_its_own_questions(code: str) -> None:
    for case in QUESTIONS["languages"][code]["cases"]:
        told = [other for other in LANGUAGES if is_in(case["passage"], other, QUESTIONS["languages"])]
        assert told == [code]
        assert any(fact in case["passage"].casefold() for fact in case["fact"])


# --- length -------------------------------------------------------------------------------------------------------------------------
def test_the_length_of_prompts_is_found_between_what_is_read_and_what_is_refused() -> None:
    outcome = probe("context", Able(context=1500))
    assert 1200 < outcome.figures["tokens"] <= 1500
    assert "refused" in outcome.faults[0]


def test_what_is_forgotten_does_not_count_as_read() -> None:
    outcome = probe("context", Able(context=10**9, forgets=800))
    assert 500 < outcome.figures["tokens"] < 800 <= outcome.figures["accepted"]
    assert "forgotten" in outcome.faults[0]


def test_a_server_that_cuts_in_silence_is_found_out() -> None:
    def cut(messages: Any) -> AIMessage:
        words = messages[-1].text.split()[-700:]
        code = re.search(r"The code word is (\S+)\.", " ".join(words))
        usage = {"input_tokens": len(words), "output_tokens": 1, "total_tokens": len(words) + 1}
        return AIMessage(content=code[1] if code else "?", usage_metadata=usage)

    model = ScriptedChatModel(script=cut)
    outcome = probe("context", model)
    assert outcome.figures["tokens"] <= 700
    assert "cut in silence" in outcome.faults[0]


def test_prompts_grow_no_longer_than_the_form_says() -> None:
    model = Able(context=10**9)
    outcome = probe("context", model, QUICK)
    longest = max(sum(len(message.text) for message in call.messages) for call in model.calls)
    assert longest <= QUICK.most_context * 4.2
    assert outcome.figures["tokens"] > 10_000 and "longest prompt" in outcome.faults[0]


def test_a_slow_model_is_not_asked_to_read_what_takes_too_long() -> None:
    model = Able(context=10**9)
    with Examiner(model) as examiner:
        examiner.reading_rate = 30.0
        outcome = PUT["context"](examiner, QUESTIONS, QUICK)
    assert 400 < outcome.figures["tokens"] < 2500
    assert "too long to read" in outcome.faults[0]


def test_the_speed_is_that_of_tokens_that_were_really_read() -> None:
    def half_cached(messages: Any) -> AIMessage:
        time.sleep(1.1)
        details = {"cache_read": 200}
        usage = {"input_tokens": 400, "output_tokens": 6, "total_tokens": 406, "input_token_details": details}
        return AIMessage(content="one two three four five six", usage_metadata=usage)

    outcome = probe("speed", ScriptedChatModel(script=half_cached, delay=0.02))
    assert 150 < outcome.figures["prompt_tokens_per_second"] < 190
    assert 25 < outcome.figures["tokens_per_second"] < 51
    assert 1.1 < outcome.figures["first_word_seconds"] < 1.4


# --- the whole test -----------------------------------------------------------------------------------------------------------------
def test_it_tells_each_probe_as_it_begins_and_ends() -> None:
    told = list(examine(Able()))
    assert [one.probe for one in told if isinstance(one, Begun)] == list(PROBES)
    assert [one.probe for one in told if isinstance(one, Outcome)] == list(PROBES)
    assert told[0] == Begun("speed", 1, len(PROBES))
    assert all(one.verdict == "well" for one in told if isinstance(one, Outcome))


def test_the_quick_form_asks_few_questions() -> None:
    model = Able()
    list(examine(model, QUICK))
    assert len(model.calls) < 60
    assert all(one.passed + one.tried <= 2 * 4 for one in examine(Able(), QUICK) if isinstance(one, Outcome))


@pytest.mark.parametrize(
    ("refused", "failed"), [("tools", {"tools_native"}), ("response_format", {"json", "tools", "cited", "refusal", "follow_up"})]
)
def test_what_the_server_refuses_has_failed_in_its_words_and_the_rest_goes_on(refused: str, failed: set[str]) -> None:
    outcomes = [one for one in examine(Able(refuses=(refused,)), QUICK) if isinstance(one, Outcome)]
    assert {one.probe for one in outcomes if one.verdict == "failed"} == failed
    assert all(refused in one.faults[0] for one in outcomes if one.verdict == "failed")


def test_a_server_that_is_gone_ends_the_test() -> None:
    def gone(messages: Any) -> str:
        raise ModelUnavailable("The model toy does not answer.")

    with pytest.raises(ModelUnavailable, match="does not answer"):
        list(examine(ScriptedChatModel(script=gone)))


def test_a_server_that_goes_in_the_middle_ends_the_test() -> None:
    class Going(Able):
        def answer(self, call: Call) -> Reply:
            if len(self.calls) > 12:
                raise ModelUnavailable("It is gone.")
            return super().answer(call)

    told = []
    with pytest.raises(ModelUnavailable, match="gone"):
        told += list_into(told, examine(Going()))
    assert any(isinstance(one, Outcome) for one in told)


def list_into(into: list[Any], told: Any) -> list[Any]:
    for one in told:
        into.append(one)
    return []


def test_an_overloaded_server_is_waited_for() -> None:
    tries: list[int] = []

    def busy(messages: Any) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Overloaded(0.01)
        return "yes"

    with Examiner(ScriptedChatModel(script=busy)) as examiner:
        assert examiner.ask([]).text == "yes"


def test_it_stops_at_once_also_while_the_model_reads() -> None:
    reads, stop = threading.Event(), threading.Event()

    def reading(messages: Any) -> str:
        if "Count from" in messages[-1].text:
            stop.set()
            reads.wait(20)
        return "yes"

    began = time.monotonic()
    try:
        with pytest.raises(Stopped):
            list(examine(ScriptedChatModel(script=reading), cancelled=stop.is_set))
        assert time.monotonic() - began < 2
    finally:
        reads.set()


def test_what_is_not_reached_in_time_is_untested() -> None:
    outcomes = [one for one in examine(Able(delay=0.05), seconds=1.0) if isinstance(one, Outcome)]
    assert [one.probe for one in outcomes] == list(PROBES)
    assert outcomes[0].tried or outcomes[-1].verdict == "untested"
    assert {one.verdict for one in outcomes[4:]} == {"untested"}


# --- rules --------------------------------------------------------------------------------------------------------------------------
SCHEMA = QUESTIONS["schemas"][4]["schema"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"steps": [{"kind": "read", "text": "x"}]}, ""),
        ({"steps": [{"kind": "think", "text": "x"}]}, "kind is 'think'"),
        ({"steps": [{"kind": "read"}]}, "text"),
        ({"steps": [], "more": 1}, "more"),
        ({"steps": []}, "a length of 0"),
        ({"steps": "read"}, "no array"),
        ([], "no object"),
        ({"steps": [{"kind": "read", "text": "x" * 81}]}, "a length of 81"),
    ],
)
def test_a_schema_is_kept_or_not(value: Any, fault: str) -> None:
    assert fault in keeps(value, SCHEMA) and bool(fault) == bool(keeps(value, SCHEMA))


def test_a_truth_value_is_no_number() -> None:
    assert keeps(True, {"type": "integer"}) and not keeps(1, {"type": "integer", "minimum": 1, "maximum": 3})
    assert keeps(4, {"type": "integer", "minimum": 1, "maximum": 3})


@pytest.mark.parametrize(
    ("passed", "tried", "verdict"), [(0, 0, "untested"), (3, 3, "well"), (2, 3, "partly"), (1, 2, "failed"), (0, 1, "failed")]
)
def test_a_verdict_is_the_share_of_right_answers(passed: int, tried: int, verdict: str) -> None:
    assert Outcome("json", passed, tried).verdict == verdict


@pytest.mark.model
@pytest.mark.timeout(600)
def test_a_model_of_no_use_comes_out_as_weak(server: LlamaServer) -> None:
    outcomes = {one.probe: one for one in examine(server.chat_model(), QUICK) if isinstance(one, Outcome)}
    assert outcomes["json"].verdict == "well", "its server constrains what it says"
    assert outcomes["speed"].figures["prompt_tokens_per_second"] > 5
    assert 0 < outcomes["context"].figures["accepted"] <= 2048, "one prompt may take all that two share"
    weak = {name for name, one in outcomes.items() if one.verdict == "failed"}
    assert {"tools", "tools_native", "cited", "refusal"} <= weak
    assert len([name for name in weak if name.startswith("language-")]) >= 5
