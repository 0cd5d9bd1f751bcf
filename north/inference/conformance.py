"""The conformance test of a chat model: what it can really do, measured by asking it, scored by rules.

    for told in examine(model):
        ...  # Begun before each probe, its Outcome after it

Works with any LangChain chat model that streams, best with those of `chat.py`. `probes.py` says what is asked; the quick form takes
less than three minutes with a model of 1.5B parameters on two cores. Knows no card, no page and no agent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from north.inference import probes
from north.inference.errors import ContextTooLong, ModelError, ModelUnavailable
from north.inference.examiner import Examiner, Stopped, TimeIsUp
from north.inference.outcomes import LANGUAGE, LANGUAGES, PROBES, Outcome
from north.inference.probes import FULL, QUICK, Form

QUESTIONS = json.loads(Path(__file__).with_name("conformance.json").read_text(encoding="utf-8"))
PUT: dict[str, Callable[..., Outcome]] = {
    "speed": probes.speed,
    "json": probes.schemas,
    "tools_native": probes.native_tools,
    "tools": probes.tools,
    "grounded": probes.grounded,
    "cited": probes.cited,
    "refusal": probes.refusal,
    "follow_up": probes.follow_up,
    **{LANGUAGE + code: probes.language(code) for code in LANGUAGES},
    "context": probes.context,
}
CANNOT = (ModelError, ValueError, TypeError, NotImplementedError)
"""What an engine raises that does not know what a probe asks for."""


@dataclass(frozen=True, slots=True)
class Begun:
    probe: str
    number: int
    of: int


def examine(
    model: BaseChatModel, form: Form = QUICK, *, cancelled: Callable[[], bool] = lambda: False, seconds: float | None = None
) -> Iterator[Begun | Outcome]:
    """Each probe as it begins and ends. One whose question the server refuses has failed, in the server's words; a server that answers
    nothing at all ends the test. Raises Stopped, ModelUnavailable, Overloaded.

    `seconds`: of the whole test, in place of the form's; the probes not reached by then are untested.
    """
    with Examiner(model, seconds=seconds or form.seconds, cancelled=cancelled) as examiner:
        is_there(examiner)
        for number, name in enumerate(PROBES, 1):
            yield Begun(name, number, len(PROBES))
            began = time.monotonic()
            outcome = carry_out(name, PUT[name], examiner, form)
            yield replace(outcome, seconds=round(time.monotonic() - began, 2))


def carry_out(name: str, probe: Callable[..., Outcome], examiner: Examiner, form: Form) -> Outcome:
    try:
        return probe(examiner, QUESTIONS, form)
    except Stopped:
        raise
    except TimeIsUp as error:
        return Outcome(name, faults=(str(error),))
    except CANNOT as error:
        is_there(examiner)
        return Outcome(name, 0, 1, faults=(str(error),))


def is_there(examiner: Examiner) -> None:
    """Raises ModelUnavailable and Overloaded if the model does not answer the simplest question."""
    try:
        examiner.ask([HumanMessage("Say yes.")], max_tokens=2)
    except ContextTooLong as error:
        raise ModelUnavailable("The model cannot read two words. Look at the context that its server was started with.") from error
    except TimeIsUp:
        return


__all__ = ["FULL", "QUICK", "Begun", "Form", "Stopped", "examine"]
