"""Real files of other projects' test suites, some broken, encrypted or hostile. They are no part of this repository."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from retrieval.errors import Encrypted, ParseError
from retrieval.parsers.cleaning import clean
from retrieval.reading import ROOT, read

OPEN = ROOT.parent / "shared" / "data" / "open.tar.gz"
FOLDER = "open/torture-open/"
KINDS = ("pdf", "docx", "pptx", "xlsx", "html", "eml", "csv", "odt", "epub", "rtf", "doc", "xls")
EACH = 1
MAX_BYTES = 300_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not OPEN.exists():
        pytest.skip("the evaluation data (../shared/data/open.tar.gz) is not on this machine")
    target = tmp_path_factory.mktemp("torture")
    with tarfile.open(OPEN) as archive:
        for member in archive:
            if member.name.startswith(FOLDER) and member.isfile() and (member.size <= MAX_BYTES or member.name.endswith("manifest.jsonl")):
                (target / Path(member.name).name).write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]
    return target


def test_broken_and_encrypted_files_and_some_of_each_kind_are_read_or_refused(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["ext"] in KINDS and (folder / row["file"]).exists()]
    seen: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for row in rows:
        seen[row["ext"]] += 1
        if seen[row["ext"]] > EACH and not {"broken", "encrypted"} & set(row["flags"]):
            continue
        try:
            parsed = read(row["file"], folder / row["file"], seconds=60)
        except ParseError as error:
            outcomes[type(error).__name__] += 1
            assert "encrypted" not in row["flags"] or isinstance(error, Encrypted), row["file"]
            continue
        outcomes["read"] += 1
        assert clean(parsed.text) == parsed.text
    assert outcomes["read"] >= 18 and outcomes["Encrypted"] >= 3, outcomes
