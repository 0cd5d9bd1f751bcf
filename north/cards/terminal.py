"""`manage.py models test`: the test of a chat model in this process, whatever the model worker does, told as it goes."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError

from north import health, wiring
from north.cards.actions import ask
from north.cards.examination import Watch, carry_out, machine_of
from north.cards.models import Card, identity
from north.cards.words import line, table, title, uses
from north.inference.conformance import Begun, Stopped
from north.inference.errors import ModelError
from north.inference.outcomes import Outcome
from north.leases import LeaseLost

Say = Callable[[str], object]


class NoTest(ModelError):
    """Why a test cannot begin."""

    permanent = True


def test(name: str | None, *, full: bool, say: Say) -> bool:
    """Tests the model of this name by the engine of the settings, and keeps its card. False: somebody stopped it. Raises ModelError."""
    config = {**settings.MODELS["chat"], **({"model": name} if name else {})}
    if "models_dir" in config and health.fresh("gpu"):
        say("North is running, and two models share this machine now: the speeds will be lower than they are.")
    card = taken(identity(config), full=full)
    outcomes: list[Outcome] = []
    try:
        with card.kept_alive() as lost:
            say(f"Loading {card.model} ...")
            model = wiring.engine("chat", model=config["model"])
            for told in carry_out(card, model, machine_of(config), Watch(card, lost)):
                if isinstance(told, Begun):
                    say(f"{told.number:3} of {told.of}  {title(told.probe)} ...")
                else:
                    outcomes.append(told)
                    say(f"           {line(told).verdict}, {told.seconds:.1f} s")
    except (KeyboardInterrupt, Stopped):
        card.held().update(status=Card.Status.CANCELLED, doing="", lease_token=None, lease_until=None)
        return False
    except LeaseLost as loss:
        raise NoTest("Another worker has taken this test over. See the models page of the administration.") from loss
    except (ModelError, ImportError, RuntimeError, OSError, MemoryError) as error:
        card.held().update(status=Card.Status.FAILED, error=str(error), doing="", lease_token=None, lease_until=None)
        raise error if isinstance(error, ModelError) else NoTest(str(error)) from error
    say(f"\n{table(outcomes)}\n")
    for sentence in uses(card):
        say(f"- {sentence}")
    return True


def taken(named: dict[str, str], *, full: bool) -> Card:
    """The card of this model, leased to this process. Raises NoTest."""
    try:
        asked = ask(named, full=full)
        card = Card.objects.take(asked.pk) if asked else None
    except DatabaseError as error:
        raise NoTest("There is no database yet to keep the card in. Start North once (make run), then test.") from error
    if card is None:
        raise NoTest("This model is being tested just now. Wait for it, or stop that test on the models page of the administration.")
    return card
