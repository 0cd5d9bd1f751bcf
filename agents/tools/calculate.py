"""Works out an expression of numbers. Nothing but arithmetic: no names but the functions below, no attributes, no code."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Any

from simpleeval import DEFAULT_OPERATORS, InvalidExpression, SimpleEval

from agents.context import Context
from agents.errors import ToolFailed
from agents.tool import Outcome, Tool

CHARACTERS = 300
DIGITS = 28
FUNCTIONS = {
    "min": min,
    "max": max,
    "abs": abs,
    "round": lambda number, places=0: round(number, int(places)),
    "sum": lambda *numbers: sum(numbers),
    "sqrt": lambda number: number.sqrt(),
}
NOT_ARITHMETIC = (
    InvalidExpression, InvalidOperation, Overflow, ArithmeticError, SyntaxError, TypeError, ValueError, AttributeError, LookupError,
    RecursionError, MemoryError,
)  # fmt: skip

_GROUPED = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_PERCENT_OF = re.compile(r"(\d+(?:\.\d+)?)\s*%\s*(?:of|von|de|di)\s+", re.IGNORECASE)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%(?!\s*\d)")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    expression = str(arguments["expression"])
    return Outcome(f"{expression.strip()} = {shown(value_of(expression))}")


def value_of(expression: str) -> Decimal:
    """In decimals, so that 0.1 + 0.2 is 0.3. Raises ToolFailed."""
    if len(expression) > CHARACTERS:
        raise ToolFailed(f"The expression has {len(expression)} characters; at most {CHARACTERS} are worked out.")
    evaluator = SimpleEval(operators=_operators(), functions={**FUNCTIONS, "decimal": Decimal}, names={"pi": Decimal(str(math.pi))})
    try:
        with localcontext(prec=DIGITS):
            value = evaluator.eval(_plain(expression))
            return value if isinstance(value, Decimal) else Decimal(value)
    except (ZeroDivisionError, DivisionByZero):
        raise ToolFailed(f"{expression}: there is a division by zero in it.") from None
    except NOT_ARITHMETIC:
        raise ToolFailed(
            f"“{expression[:80]}” cannot be worked out. Write numbers, + - * / ** ( ) and min, max, round, sum, sqrt."
        ) from None


def shown(value: Decimal) -> str:
    """Without zeros at the end and without an exponent, at most ten places."""
    if not value.is_finite() or abs(value) >= Decimal(10) ** 21:
        return str(value)
    plain = f"{round(value, 10):f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _plain(expression: str) -> str:
    """As SimpleEval reads it: every number a decimal, signs as on a keyboard, per cent as a share."""
    text = expression.strip().rstrip("=? ")
    for sign, plain in (("×", "*"), ("·", "*"), ("÷", "/"), ("−", "-"), ("–", "-"), ("^", "**")):
        text = text.replace(sign, plain)
    text = _GROUPED.sub(lambda match: match[0].replace(",", ""), text)
    text = _PERCENT.sub(r"(\1/100)", _PERCENT_OF.sub(r"\1/100*", text))
    return _NUMBER.sub(lambda match: f"decimal('{match[0]}')", text)


def _operators() -> dict[Any, Any]:
    return {kind: (_power if kind.__name__ == "Pow" else work) for kind, work in DEFAULT_OPERATORS.items() if kind.__name__ in _ARITHMETIC}


_ARITHMETIC = {"Add", "Sub", "Mult", "Div", "FloorDiv", "Mod", "Pow", "USub", "UAdd"}


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > 1000:
        raise ValueError("too large")
    return base**exponent


CALCULATE = Tool(
    name="calculate",
    effect="reads",
    about="works out an arithmetic expression of numbers",
    arguments={"expression": {"type": "string", "minLength": 1, "maxLength": CHARACTERS}},
    run=run,
)
