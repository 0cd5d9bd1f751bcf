"""What can go wrong in a run, besides what the model and the search raise themselves: that passes through unchanged.

AgentError
├── Cancelled        a person or a shutdown stopped it; nothing is wrong
├── OutOfTime        its time is up: within a run only, which then ends with what it has
├── ModelFailed      the chat model gave nothing that can be used
├── PlanUnusable     what a person made of a plan makes no sense; it was not taken
├── ToolFailed       a tool could not do what was asked; its step fails, the run goes on
└── StateUnreadable  the saved state is damaged, forged or another run's; nothing of it was used

`permanent` says whether trying the same again is pointless. The message is for a person.
"""

from __future__ import annotations


class AgentError(Exception):
    permanent = True


class Cancelled(AgentError):
    permanent = True

    def __init__(self) -> None:
        super().__init__("The run was stopped.")


class OutOfTime(AgentError):
    permanent = True

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The {seconds:g} seconds that this agent has for one question are used up.")


class ModelFailed(AgentError):
    permanent = False

    def __init__(self, what: str) -> None:
        super().__init__(f"The chat model {what}. Ask again; if it happens again, look at the model's health on the admin page.")


class PlanUnusable(AgentError):
    permanent = True


class ToolFailed(AgentError):
    permanent = True


class StateUnreadable(AgentError):
    permanent = True

    def __init__(self, what: str) -> None:
        super().__init__(f"The saved state of this run cannot be used: {what}. Ask the question again.")
