from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image

from retrieval import reading
from retrieval.errors import EmptyFile, Encrypted, NoText, ParseError, ReaderUnavailable, TooLarge, TooSlow, UnknownType, Unreadable
from retrieval.reading import ROOT, draw, read
from tests.retrieval import files

HOSTILE = "tests.retrieval.hostile"
OPENXML = "application/vnd.openxmlformats-officedocument"
SAMPLES = {
    "a.txt": (b"Thirty days.", "text/plain", "Thirty days."),
    "a.md": (b"# Leave\n\nThirty days.", "text/markdown", "Thirty days."),
    "a.html": (b"<html><p>Thirty days.</p></html>", "text/html", "Thirty days."),
    "a.json": (b'{"days": 30}', "application/json", '"days": 30'),
    "a.yaml": (b"days: 30", "application/yaml", "days: 30"),
    "a.csv": (b"Name,Days\nAnn,30\n", "text/csv", "Name: Ann; Days: 30"),
    "a.eml": (b"From: a@b\nSubject: Leave\n\nThirty days.", "message/rfc822", "Thirty days."),
    "a.pdf": (files.pdf(["Thirty days."]), "application/pdf", "Thirty days."),
    "a.docx": (files.docx([("Normal", "Thirty days.")]), f"{OPENXML}.wordprocessingml.document", "Thirty"),
    "a.pptx": (files.pptx([("Leave", "Thirty days.", "")]), f"{OPENXML}.presentationml.presentation", "Thirty"),
    "a.xlsx": (files.xlsx({"A": [["Name", "Days"], ["Ann", 30]]}), f"{OPENXML}.spreadsheetml.sheet", "Days: 30"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_kind_is_read_in_a_child(name: str) -> None:
    data, media_type, words = SAMPLES[name]
    parsed = read(name, data)
    assert parsed.media_type == media_type and words in parsed.text


def test_a_file_is_read_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "stored-under-an-id"
    path.write_bytes(SAMPLES["a.csv"][0])
    assert read("a.csv", path) == read("a.csv", SAMPLES["a.csv"][0])


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("a.txt", b"", EmptyFile),
        ("a.txt", b" \n", NoText),
        ("a.docx", b"no docx", Unreadable),
        ("a.pdf", files.pdf(["a"], password="x"), Encrypted),
        ("a.pdf", files.pdf_of_pictures(), NoText),
        ("a.png", b"\x89PNG\r\n\x1a\n", Unreadable),
        ("a.bin", b"\x00\x01\x02", UnknownType),
        ("a.txt", b"x" * 1001, TooLarge),
    ],
)
def test_what_cannot_be_read_says_why(name: str, data: bytes, error: type[ParseError]) -> None:
    with pytest.raises(error) as caught:
        read(name, data, max_bytes=1000 if error is TooLarge else 10_000_000)
    assert caught.value.permanent and len(str(caught.value)) > 20


def test_an_honest_child_is_believed() -> None:
    assert read("honest", b"x", child=HOSTILE).text == "words"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("crash", Unreadable),
        ("abort", Unreadable),
        ("exit", Unreadable),
        ("noise", Unreadable),
        ("liar", Unreadable),
        ("stranger", Unreadable),
        ("traceback", Unreadable),
        ("loop", TooSlow),
        ("sleep", TooSlow),
        ("allocate", TooLarge),
        ("endless", TooLarge),
        ("killed", ReaderUnavailable),
        ("unready", ReaderUnavailable),
    ],
)
def test_whatever_a_child_does_its_parent_says_so_and_lives(name: str, error: type[Exception]) -> None:
    start = time.monotonic()
    with pytest.raises(error) as caught:
        read(name, b"x", seconds=2, child=HOSTILE)
    assert time.monotonic() - start < 20
    assert str(caught.value)


def test_what_a_child_says_is_cleaned_and_cut() -> None:
    with pytest.raises(Unreadable) as caught:
        read("talker", b"x", child=HOSTILE)
    assert len(str(caught.value)) <= 1000 and "\u202e" not in str(caught.value)


def test_the_log_names_the_place_and_no_word_of_the_document(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(Unreadable) as caught:
        read("traceback", b"x", child=HOSTILE)
    assert "ValueError" in caplog.text and "hostile.py" in caplog.text
    assert "SECRET" not in caplog.text + str(caught.value)


def test_nothing_is_left_behind() -> None:
    read("honest", b"x", child=HOSTILE)  # its nursery stays, for the next
    before, others = len(os.listdir("/proc/self/fd")), children(os.getpid())
    for name in ("loop", "crash", "honest"):
        with suppress(ParseError):
            read(name, b"x", seconds=1, child=HOSTILE)
    assert len(os.listdir("/proc/self/fd")) == before
    assert set(children(os.getpid())) <= set(others)


def children(process: int) -> list[str]:
    return [child for task in Path(f"/proc/{process}/task").iterdir() for child in (task / "children").read_text().split()]


def lives(process: str) -> bool:
    """Not one that has ended and that nobody has asked about yet."""
    try:
        return psutil.Process(int(process)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_dies_with_its_parent() -> None:
    code = f"from retrieval.reading import read; read('sleep', b'x', child='{HOSTILE}')"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 20
    family: list[str] = []
    while len(family) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        nurseries = children(parent.pid)
        family = nurseries + [child for nursery in nurseries for child in children(int(nursery))]
    assert len(family) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(lives(process) for process in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(lives(process) for process in family)


def test_a_nursery_that_was_killed_is_replaced() -> None:
    read("honest", b"x", child=HOSTILE)
    for process in children(os.getpid()):
        if b"nursery" in Path(f"/proc/{process}/cmdline").read_bytes():
            os.kill(int(process), signal.SIGKILL)
    assert read("honest", b"x", child=HOSTILE).text == "words"


def test_a_child_that_kills_its_nursery_takes_nothing_along() -> None:
    with pytest.raises(ReaderUnavailable):
        read("patricide", b"x", child=HOSTILE)
    assert read("honest", b"x", child=HOSTILE).text == "words"


def test_nothing_of_one_file_reaches_the_next() -> None:
    assert [read("stain", b"x", child=HOSTILE).text for _ in range(3)] == ["clean"] * 3


def test_threads_read_side_by_side() -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda number: read(f"pause {number}", b"x", child=HOSTILE).text, range(4)))
    assert pages == [f"pause {number}" for number in range(4)]
    assert time.monotonic() - start < 4 * 1.5


def test_it_works_in_a_daemonic_process_such_as_a_celery_worker() -> None:
    """Celery's prefork workers are daemonic: they may start programs, but no children of multiprocessing."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    worker = context.Process(target=_read_and_tell, args=(answers,), daemon=True)
    worker.start()
    assert answers.get(timeout=30) == "Thirty days."
    worker.join(10)


def _read_and_tell(answers: multiprocessing.Queue[str]) -> None:
    answers.put(read("a.txt", SAMPLES["a.txt"][0]).text)


def test_the_environment_of_the_parent_does_not_reach_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    monkeypatch.setenv("SECRET_KEY", "SECRET")
    assert "SECRET_KEY" not in reading.ENVIRONMENT
    assert read("a.txt", b"words").text == "words"


def test_a_page_is_drawn_in_a_child() -> None:
    picture = Image.open(BytesIO(draw(SAMPLES["a.pdf"][0], 1, width=600)))
    assert picture.format == "PNG" and picture.size == (600, 849)
    with pytest.raises(Unreadable, match="has no page 2"):
        draw(SAMPLES["a.pdf"][0], 2)
    with pytest.raises(Unreadable):
        draw(b"no pdf", 1)


def test_a_small_file_is_read_at_once() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        read("a.md", SAMPLES["a.md"][0])
        times.append(time.perf_counter() - start)
    assert min(times) < 1
