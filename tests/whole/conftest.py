from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import SCRIPTED, Installation


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A whole installation with a scripted chat model and everything else real; alice owns acme, bob edits, rita reads."""
    folder: Path = tmp_path_factory.mktemp("north")
    installation = Installation(folder, **SCRIPTED, SCRIPTED_DELAY="0.05").start()
    installation.people(alice="owner", bob="editor", rita="reader")
    yield installation
    installation.stop()
