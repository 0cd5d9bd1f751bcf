"""Figures as Prometheus reads them (text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/).

Written out here rather than taken from prometheus-client, because that keeps counters in a process, and ours stand in rows and in the
broker, the same for whichever process is asked; tests read it with that library's parser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Family:
    """`name` without the prefix north_; a counter's ends in _total."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        self.samples.append((labels, value))


def text(families: Iterable[Family]) -> str:
    lines = []
    for family in families:
        if family.samples:
            name = f"north_{family.name}"
            lines += [f"# HELP {name} {escaped(family.help)}", f"# TYPE {name} {family.kind}"]
            lines += [f"{name}{braced(labels)} {float(value):.15g}" for labels, value in family.samples]
    return "\n".join(lines) + "\n"


def braced(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{escaped(value, quotes=True)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def escaped(value: str, *, quotes: bool = False) -> str:
    plain = value.replace("\\", r"\\").replace("\n", r"\n")
    return plain.replace('"', r"\"") if quotes else plain
