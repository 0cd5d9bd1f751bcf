"""What comes of a conformance test, without what is needed to carry one out: pages load this, and no model library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

WELL = 2 / 3
"""The share of right answers from which on a model is used for something."""
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "ja", "zh", "ar")
LANGUAGE = "language-"
PROBES = (
    *("speed", "json", "tools_native", "tools", "grounded", "cited", "refusal", "follow_up"),
    *(LANGUAGE + code for code in LANGUAGES),
    "context",  # last: it takes what time is left
)
Verdict = Literal["well", "partly", "failed", "untested"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one probe: `passed` of `tried` (none: untested), figures with their units in their names, and what went wrong."""

    probe: str
    passed: int = 0
    tried: int = 0
    seconds: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if not self.tried:
            return "untested"
        share = self.passed / self.tried
        return "well" if share == 1 else "partly" if share >= WELL else "failed"
