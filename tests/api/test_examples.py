"""The page for programmers: what it shows is taken from the page, given a key, and run as it stands, with the clients that it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html import unescape
from typing import Any

import pytest
from django.test import Client

from north.documents.models import Document
from north.programs.examples import EXAMPLES
from tests.api.clients.installing import driven, node, node_modules, python_path
from tests.threads.conftest import Actor

ANSWER = "The notice period is thirty days for all staff."
SECTION = re.compile(r'<section class="card" aria-labelledby="([^"]+)">.*?<pre[^>]*><code>(.*?)</code></pre>', re.DOTALL)


@pytest.fixture
def ranker(models: Actor, settings: Any) -> dict[str, Any]:
    return dict(settings.MODELS["score"])


@pytest.fixture
def guide(server: str, as_rita: Client) -> dict[str, str]:
    """The code of each section, as a reader at this address copies it."""
    shown = as_rita.get("/w/acme/programs", headers={"Host": server.removeprefix("http://")}).content.decode()
    return {name: unescape(code) for name, code in SECTION.findall(shown)}


def told(command: list[str], key: str, **more: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NORTH_KEY": key, "no_proxy": "127.0.0.1", **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_each_example_works_as_it_is_copied(
    ranker: dict[str, Any], whole_lane: Actor, notice: Document, guide: dict[str, str], key: str, settings: Any
) -> None:
    settings.MODELS = {**settings.MODELS, "score": ranker}
    assert {example.name for example in EXAMPLES} <= guide.keys()
    answer = json.loads(told(["bash", "-c", guide["curl"]], key))
    assert answer["message"]["content"][0]["text"] == ANSWER and answer["message"]["citations"][0]["sources"][0]["id"] == str(notice.pk)
    clients = python_path(old=False)
    said = told([sys.executable, "-c", guide["cohere-python"]], key, PYTHONPATH=clients).splitlines()
    assert said[0] == ANSWER and str(notice.pk) in said[1] and {one[0] for one in json.loads(said[2].translate({40: 91, 41: 93}))} == {0, 1}
    assert said[3] == "384"
    assert told([sys.executable, "-c", guide["openai"]], key, PYTHONPATH=clients).split("\n")[:2] == [ANSWER, "384"]
    script = node_modules().parent / "example.mjs"
    script.write_text(guide["cohere-js"])
    assert told([node()[0], str(script)], key) == ANSWER
    tools = driven("mcp", "2.3.0", "reads_config.py", guide["mcp"].replace("north_YOUR_KEY", key))
    assert json.loads(tools) == ["search", "fetch", "ask"]
    search = next(part for part in guide["rest"].split("\n\n") if "search" in part)
    assert json.loads(told(["bash", "-c", search], key))["results"][0]["document"] == str(notice.pk)
