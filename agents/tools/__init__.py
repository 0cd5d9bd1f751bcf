"""What an agent can do: one file, one function each. A tool reaches the world through its Context only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from agents.tools.search import search

Effect = Literal["reads", "writes"]

TOOLS: Mapping[str, tuple[Callable[..., Any], Effect]] = {"search": (search, "reads")}
