"""A Paper as a file, made in a child process within limits of time and memory: the libraries live and die with it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from north.exports.paper import Block, Paper, plain

logger = logging.getLogger(__name__)

SECONDS = 60
ROOT = Path(__file__).resolve().parents[2]
FORMATS: Mapping[str, str] = {
    "md": "text/markdown; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
}
NAME_CHARACTERS = 80


class ExportFailed(Exception):
    """It could not be made into this file; the words are for people."""

    permanent = True


@dataclass(frozen=True, slots=True)
class File:
    name: str
    media_type: str
    content: bytes


def offered(blocks: Collection[Block]) -> list[str]:
    """The formats that make sense for them: a sheet where there is a table, a picture where there is a chart."""
    kinds = {block.kind for block in blocks}
    return ["docx", "pdf", "md", *(["xlsx"] if kinds & {"table", "chart"} else []), *(["svg"] if "chart" in kinds else [])]


def made(paper: Paper, kind: str, *, seconds: float = SECONDS) -> File:
    """Raises ExportFailed."""
    kinds = offered(paper.blocks)
    if kind not in kinds:
        raise ExportFailed(f"This cannot be had as {kind}: choose one of {', '.join(kinds)}.")
    asked = json.dumps({"kind": kind, "paper": plain(paper)}).encode()
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-s", "-m", "north.exports.child"], input=asked, capture_output=True, timeout=seconds, check=False,
            cwd="/", env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "MALLOC_ARENA_MAX": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ExportFailed(f"Making this file took longer than {seconds:g} seconds. Shorten the text, or take Markdown.") from None
    if child.returncode or not child.stdout:
        logger.error("A file could not be made: %s", child.stderr.decode(errors="replace")[-2000:], extra={"kind": kind})
        raise ExportFailed("This file could not be made. Take Markdown instead, and tell your administrator.")
    return File(f"{file_name(paper.title)}.{kind}", FORMATS[kind], child.stdout)


def file_name(title: str) -> str:
    """Without what is a path, a command or invisible to some system."""
    kept = "".join(letter if letter.isalnum() or letter in " -_().,’'" else " " for letter in title)
    return " ".join(kept.split())[:NAME_CHARACTERS].strip(" .") or "North"
