"""What a chat model is asked in its conformance test, and by which rule each answer is right. No model judges another, and none itself.

The questions stand in `conformance.json`. Each probe is a function (examiner, questions, form) -> Outcome.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import regex
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from north.inference.errors import ContextTooLong
from north.inference.examiner import Examiner, Said
from north.inference.outcomes import LANGUAGE, Outcome

Questions = Mapping[str, Any]
Asked = tuple[bool, str]
"""Whether the answer was right, and what was wrong with it."""
ANSWER_TOKENS, JSON_TOKENS, CALL_TOKENS = 90, 160, 96
FAULT_CHARACTERS = 160
FIRST_LENGTH = 512
ENOUGH_SECONDS = 1.0
"""A prompt that is read faster than this says little of the speed: a longer one is tried."""
CUT = 0.75
"""A server that counts fewer tokens than this share of those expected has cut the prompt in silence."""


@dataclass(frozen=True, slots=True)
class Form:
    """How thoroughly: at most so many questions a probe, prompts of at most so many tokens, found within about so many seconds."""

    questions: int
    most_context: int
    context_seconds: float
    seconds: float
    """Of the whole test; what is not reached stays untested."""


QUICK = Form(questions=3, most_context=16_384, context_seconds=45, seconds=480)
FULL = Form(questions=1000, most_context=131_072, context_seconds=1200, seconds=5400)


# --- speed and length ---------------------------------------------------------------------------------------------------------------
def speed(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Prompt tokens a second (of those not cached), words a second, and the time to the first of them after a prompt of about 300 tokens.
    A fast model reads longer prompts too; the best rate counts, since each includes the way to the server."""
    first, best, tokens = 0.0, 0.0, 0
    for length in (300, 2000, 8000):
        story = _story(questions, length, "Count from one to sixty in words.")
        try:
            said = examiner.ask(story, max_tokens=48)
        except ContextTooLong:
            if not first:
                raise
            break
        if not first:
            first, tokens = said.first, said.tokens_in
            examiner.characters_a_token = sum(len(message.text) for message in story) / max(said.tokens_in, 1)
        best = max(best, (said.tokens_in - said.cached) / max(said.first, 1e-6))
        if said.first > ENOUGH_SECONDS:
            break
    examiner.reading_rate = best
    writing = (said.tokens_out - 1) / max(said.seconds - said.first, 1e-6) if said.tokens_out > 1 else 0.0
    figures = {"prompt_tokens_per_second": best, "tokens_per_second": writing, "first_word_seconds": first, "prompt_tokens": tokens}
    faults = () if said.counted else ("The server does not count tokens: they are estimated.",)
    return Outcome("speed", int(bool(said.text)), 1, figures=figures, faults=faults)


def context(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Asks for a word that was hidden at the head of ever longer prompts, until the server refuses one, cuts it or the word is forgotten;
    then between the last two. `tokens`: the longest prompt that was read whole and remembered; `accepted`: the longest that was taken;
    `ends`: 1 if the server takes no longer one. The prompts begin alike, so that a server with a prefix cache reads only what is new."""
    low, high, remembered, accepted, ended = 0, form.most_context + 1, 0, 0, "bound"
    length, began, word = FIRST_LENGTH, time.monotonic(), _word(questions)
    while low < length < high and high - low > max(256, low // 8):
        rate = examiner.reading_rate
        if rate and low and time.monotonic() - began + (length - low) / rate > form.context_seconds:
            ended = "time"
            break
        taken, known, said = _remembers(examiner, questions, length, word)
        accepted = max(accepted, taken)
        if known:
            low, remembered = length, max(remembered, taken)
        else:
            high, ended = length, said
        length = min(length * 2, form.most_context) if high > form.most_context else (low + high) // 2
    figures = {"tokens": remembered, "accepted": accepted, "ends": float(ended in {"refused", "cut"})}
    enough = remembered >= CUT * FIRST_LENGTH
    return Outcome("context", int(enough), 1, figures=figures, faults=(ENDED[ended],))


def _word(questions: Questions) -> str:
    return f"{secrets.choice(questions['hidden_words'])}-{secrets.randbelow(900) + 100}"


def _remembers(examiner: Examiner, questions: Questions, length: int, word: str) -> tuple[int, bool, str]:
    """Tokens of the prompt that were taken, whether the word at its head was known, if need be at a second try with another one, and what
    ended it if not."""
    taken = 0
    for hidden in (word, _word(questions)):
        try:
            said = _hidden(examiner, questions, length, hidden)
        except ContextTooLong:
            return 0, False, "refused"
        if said.tokens_in < CUT * length:
            return 0, False, "cut"
        taken = said.tokens_in
        if any(part in said.text.lower() for part in hidden.split("-")):
            return taken, True, ""
    return taken, False, "forgotten"


ENDED = {
    "bound": "Not asked for more than this test's longest prompt.",
    "time": "Longer prompts would have taken too long to read in this test.",
    "forgotten": "In a longer prompt the word at its head was forgotten.",
    "cut": "A longer prompt was cut in silence.",
    "refused": "A longer prompt was refused.",
}


def _hidden(examiner: Examiner, questions: Questions, tokens: int, word: str) -> Said:
    task = "What is the code word that stands at the beginning? Reply with the code word only."
    return examiner.ask(_story(questions, tokens, task, f"The code word is {word}.", examiner.characters_a_token), max_tokens=16)


def _story(questions: Questions, tokens: int, task: str, head: str = "", characters_a_token: float = 4.0) -> list[BaseMessage]:
    """A prompt of about so many tokens. Its head is new each time, so that no cache knows it."""
    lines = [head or f"Report {secrets.token_hex(4)}."]
    length, left = len(lines[0]) + len(task), tokens * characters_a_token
    for number, sentence in enumerate(cycle(questions["filler"]), 1):
        line = f"{number}. {sentence}"
        length += len(line) + 1
        if length > left:
            break
        lines.append(line)
    return [HumanMessage("\n".join([*lines, "", task]))]


# --- forms and tools ----------------------------------------------------------------------------------------------------------------
def schemas(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Whether a JSON schema that constrains the answer is kept, also where the question asks for something else."""

    def kept(case: Mapping[str, Any]) -> Asked:
        said = _json(examiner, [HumanMessage(case["ask"])], case["schema"])
        fault = keeps(said, case["schema"])
        return not fault, f"{case['ask']} → {fault}"

    return _each("json", form, questions["schemas"], kept)


def native_tools(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Whether the right tool is called with the right argument, through the server's own `tools`. Given up where it calls none at first:
    free words instead of a call are long."""
    given = [
        {"name": tool["name"], "description": tool["does"], "parameters": _object({tool["argument"]: TEXT})}
        for tool in questions["tools"]["tools"]
    ]

    def called(case: Mapping[str, Any]) -> Asked:
        messages = [SystemMessage(questions["tools"]["system"]), HumanMessage(case["ask"])]
        said = examiner.ask(messages, tools=[{"type": "function", "function": tool} for tool in given], max_tokens=CALL_TOKENS)
        nothing: Mapping[str, Any] = {"name": "none", "args": {}}
        call = said.calls[0] if said.calls else nothing
        return _chosen(case, str(call["name"]), " ".join(map(str, call["args"].values())), said.text)

    cases = questions["tools"]["cases"][: form.questions + 1]
    first = _each("tools_native", form, cases[:2], called)
    return _plus(first, _each("tools_native", form, cases[2:], called)) if first.passed else first


def tools(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """The same by JSON that is constrained to a tool's name and its argument."""
    known = questions["tools"]["tools"]
    listed = "\n".join(f"- {tool['name']}({tool['argument']}): {tool['does']}" for tool in known)
    schema = _object({"tool": {"enum": [*(tool["name"] for tool in known), "none"]}, "argument": TEXT})
    head = f'{questions["tools"]["system"]}\nTools:\n{listed}\n- none: no tool fits\nReply with {{"tool": "...", "argument": "..."}}'

    def called(case: Mapping[str, Any]) -> Asked:
        said = _json(examiner, [SystemMessage(head), HumanMessage(case["ask"])], schema)
        return _chosen(case, str(said.get("tool")), str(said.get("argument")), str(said))

    return _each("tools", form, questions["tools"]["cases"], called, extra=1)


TEXT = {"type": "string", "maxLength": 120}


def _chosen(case: Mapping[str, Any], name: str, argument: str, said: str) -> Asked:
    right = name == case["tool"] and (name == "none" or _holds(argument, case["holds"]))
    return right, f"{case['ask']} → {name}({argument}) {_short(said) if name == 'none' else ''}".strip()


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


# --- reading ------------------------------------------------------------------------------------------------------------------------
def grounded(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Whether the answer holds the fact of the right passage and none of the others'."""

    def answered(case: Mapping[str, Any]) -> Asked:
        said = examiner.ask(_material(questions, case, _task("English")), max_tokens=ANSWER_TOKENS)
        return _states(said.text, case), f"{case['ask']} → {_short(said.text)}"

    return _each("grounded", form, _readings(questions), answered)


def cited(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Whether the model can name the passage that holds the answer."""

    def named(case: Mapping[str, Any]) -> Asked:
        schema = _object({"passage": {"type": "integer", "minimum": 1, "maximum": len(case["passages"])}})
        task = 'Which passage holds the answer? Reply with {"passage": its number}.'
        said = _json(examiner, _material(questions, case, task), schema)
        return said.get("passage") == case["passage"], f"{case['ask']} → passage {said.get('passage')}, not {case['passage']}"

    return _each("cited", form, _readings(questions), named)


def refusal(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Pairs: that the passages hold the one answer, and that they do not hold the other. Who always says the same has none right."""

    def judged(case: Mapping[str, Any]) -> Asked:
        said = [_found(examiner, questions, {**case, "ask": ask}) for ask in (case["ask"], case["unanswerable"])]
        return said == ["yes", "no"], f"{case['ask']} → {said[0]}; {case['unanswerable']} → {said[1]}"

    return _each("refusal", form, _readings(questions), judged)


def _found(examiner: Examiner, questions: Questions, case: Mapping[str, Any]) -> str:
    task = 'Is the answer in the passages? Reply with {"found": "yes"} or {"found": "no"}.'
    return str(_json(examiner, _material(questions, case, task), _object({"found": {"enum": ["yes", "no"]}})).get("found"))


def follow_up(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
    """Whether a follow-up becomes a question of its own: all that it needs must stand in it."""

    def rewritten(case: Mapping[str, Any]) -> Asked:
        told = (
            f"Conversation:\nQuestion: {case['asked']}\nAnswer: {case['answered']}\n\nFollow-up: {case['ask']}\n\n"
            "Rewrite the follow-up as one complete question that can be understood without the conversation, in the language of the "
            'follow-up. Reply with {"question": "..."}'
        )
        schema = _object({"question": {"type": "string", "maxLength": 400}})
        said = str(_json(examiner, [SystemMessage(questions["system"]), HumanMessage(told)], schema).get("question"))
        return all(_holds(said, words) for words in case["needs"]), f"{case['ask']} → {_short(said)}"

    return _each("follow_up", form, questions["follow_ups"], rewritten)


def language(code: str) -> Callable[[Examiner, Questions, Form], Outcome]:
    """The probe of one language: question and passage in it, and an answer in it that holds the fact."""

    def probe(examiner: Examiner, questions: Questions, form: Form) -> Outcome:
        spoken = questions["languages"][code]

        def answered(case: Mapping[str, Any]) -> Asked:
            asked = {**case, "passages": [case["passage"]]}
            said = examiner.ask(_material(questions, asked, _task(spoken["name"])), max_tokens=ANSWER_TOKENS)
            right = _states(said.text, case) and is_in(said.text, code, questions["languages"])
            return right, f"{case['ask']} → {_short(said.text)}"

        return _each(LANGUAGE + code, form, spoken["cases"][: 1 if form is QUICK else None], answered)

    return probe


def is_in(text: str, code: str, languages: Mapping[str, Any]) -> bool:
    """By its script, in which half of the letters must be; in Latin ones by frequent words, of which no other language may show more."""
    spoken = languages[code]
    if "script" in spoken:
        own = len(regex.findall(spoken["script"], text))
        beside = len(regex.findall(spoken["with"], text)) if "with" in spoken else 0
        alien = "never" in spoken and regex.search(spoken["never"], text)
        return own > 0 and not alien and 2 * (own + beside) >= len(regex.findall(r"\p{L}", text))
    said = regex.findall(r"[^\W\d_]+", text.lower())
    counts = {name: sum(word in other["words"].split() for word in said) for name, other in languages.items() if "words" in other}
    return counts[code] > 0 and counts[code] == max(counts.values())


# --- what they share ----------------------------------------------------------------------------------------------------------------
def _plus(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(one.probe, one.passed + other.passed, one.tried + other.tried, faults=(*one.faults, *other.faults))


def _each(probe: str, form: Form, cases: Sequence[Any], ask: Callable[[Any], Asked], extra: int = 0) -> Outcome:
    done = [ask(case) for case in cases[: form.questions + extra]]
    faults = tuple(fault[: 2 * FAULT_CHARACTERS] for right, fault in done if not right)
    return Outcome(probe, sum(right for right, _ in done), len(done), faults=faults)


def _readings(questions: Questions) -> list[Mapping[str, Any]]:
    """The questions of each set of passages with their unanswerable counterpart; sets in turn, so that a quick test sees each."""
    sets = [
        [
            {**asked, "passages": some["passages"], "unanswerable": other}
            for asked, other in zip(some["questions"], some["unanswerable"], strict=True)
        ]
        for some in questions["reading"]
    ]
    return [case for turn in zip(*sets, strict=True) for case in turn]


def _material(questions: Questions, case: Mapping[str, Any], task: str) -> list[BaseMessage]:
    fenced = "\n".join(f"<passage {number}>\n{text}\n</passage>" for number, text in enumerate(case["passages"], 1))
    return [SystemMessage(questions["system"]), HumanMessage(f"{fenced}\n\nQuestion: {case['ask']}\n\n{task}")]


def _task(language: str) -> str:
    return f"Answer the question in {language}, in one complete sentence, with the facts of the passages."


def _json(examiner: Examiner, messages: Sequence[BaseMessage], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object that the model replied with under this schema; empty if it is none."""
    wanted = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}
    try:
        said = json.loads(examiner.ask(messages, response_format=wanted, max_tokens=JSON_TOKENS).text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _states(text: str, case: Mapping[str, Any]) -> bool:
    return _holds(text, case["fact"]) and not _holds(text, case["not"])


def _holds(text: str, any_of: Sequence[str]) -> bool:
    return any(words in " ".join(text.casefold().split()) for words in any_of)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= FAULT_CHARACTERS else line[: FAULT_CHARACTERS - 1] + "…"


def keeps(value: Any, schema: Mapping[str, Any]) -> str:
    """What is wrong with a value under a schema, in a few words; nothing if it keeps it. Knows the parts of JSON Schema that we use."""
    return next(_breaks(value, schema, "it"), "")


def _breaks(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if "enum" in schema:
        if value not in schema["enum"]:
            yield f"{where} is {value!r}"
        return
    kind: type = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}[schema["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield f"{where} is no {schema['type']}"
    elif isinstance(value, dict):
        if unlike := set(schema["required"]) ^ set(value):
            yield f"{where} has not just its fields: {', '.join(sorted(unlike))}"
        for name in schema["properties"].keys() & value.keys():
            yield from _breaks(value[name], schema["properties"][name], name)
    elif isinstance(value, int):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{where} is {value}"
    elif isinstance(value, list | str):
        unit = "Items" if kind is list else "Length"
        if not schema.get(f"min{unit}", 0) <= len(value) <= schema.get(f"max{unit}", len(value)):
            yield f"{where} has a length of {len(value)}"
        for item in value if kind is list else ():
            yield from _breaks(item, schema["items"], f"an item of {where}")
