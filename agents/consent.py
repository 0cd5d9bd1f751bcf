"""The bounds between an agent and what it may change. Whatever writes, leaves the house or asks a person is proposed here first, and done
only by whoever keeps the approvals: bound to the run, the tool and the exact arguments, once.

Knows no rows: `north.threads` keeps them, tests keep theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agents.tool import Effect, Outcome

Rule = Literal["allow", "ask", "deny"]
Standing = Literal["waiting", "approved", "rejected", "denied", "expired", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One action that an agent wants. `key` names it within its run, the same after a resume."""

    key: str
    tool: str
    effect: Effect
    arguments: Mapping[str, Any]
    derived: tuple[str, ...] = ()
    """The arguments whose words come from documents, tool results or a model that has read them."""
    preview: str = ""

    @property
    def digest(self) -> str:
        return digest(self.tool, self.arguments)


@dataclass(frozen=True, slots=True)
class Decision:
    """How a proposal stands. `words`: the reason or, once it is done, what came of it; `arguments` may have been edited by the person."""

    standing: Standing
    arguments: Mapping[str, Any]
    words: str = ""


class Consent(Protocol):
    def free(self, tool: str) -> bool:
        """Whether this reading tool may be used without anybody's word."""

    def propose(self, proposal: Proposal) -> Decision:
        """How this action stands now; the first time it is judged by the rules. The same key with other arguments is denied."""

    def perform(self, key: str, act: Callable[[Mapping[str, Any]], Outcome]) -> Decision:
        """Does an approved action, its effect and the note that it is done in one transaction; what was done before is not done again."""


def rule_for(effect: Effect, stated: Rule | None, *, derived: bool) -> Rule:
    """ALLOW, ASK or DENY. Reading is free unless it was denied. Everything else asks unless somebody said otherwise, and asks all the same
    where its arguments come from what was read. An effect or a rule that is not known is denied."""
    if effect not in {"reads", "asks", "writes", "leaves"} or stated not in {None, "allow", "ask", "deny"}:
        return "deny"
    if stated == "deny":
        return "deny"
    if effect == "reads":
        return stated or "allow"
    return "allow" if effect != "asks" and stated == "allow" and not derived else "ask"


def digest(tool: str, arguments: Mapping[str, Any]) -> str:
    """SHA-256 over the tool and its exact arguments as canonical JSON."""
    canonical = json.dumps([tool, arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
