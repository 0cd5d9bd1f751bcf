"""Tokenising in other processes: the same tokens, whatever happens to the processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from north.inference.encoding import Embedder, Row
from north.inference.errors import ModelUnavailable
from north.inference.tokenising import Words
from north.inference.tokenizer_processes import FEW, TokenizerProcesses, default_count
from tests.inference import tiny

ODD = " Größe\u200b "
TEXTS = [f"how many days of leave do {'i get ' * (number % 9)}?{'' if number % 7 else ODD}" for number in range(300)] + [""]
CHILDREN = 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.tokenizer().save(str(tmp_path / "tokenizer.json"))
    return tmp_path


@pytest.fixture
def apart(folder: Path) -> Iterator[TokenizerProcesses]:
    yield TokenizerProcesses("tiny", folder / "tokenizer.json", Words(tiny.tokenizer()), CHILDREN)


def wanted(texts: list[str]) -> list[list[int]]:
    return [tiny.tokenizer().encode(text, add_special_tokens=False).ids for text in texts]


def children() -> set[int]:
    return {child.pid for child in multiprocessing.active_children() if child.pid}


def gone(pids: set[int], within: float) -> bool:
    end = time.monotonic() + within
    while alive := [pid for pid in pids if lives(pid)]:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return not alive


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_texts_have_the_same_tokens_as_in_this_process_and_in_their_order(apart: TokenizerProcesses) -> None:
    found = apart(TEXTS)
    assert [ids.tolist() for ids in found] == wanted(TEXTS) and {ids.dtype for ids in found} == {np.dtype(np.int32)}


def test_a_process_with_several_processors_to_itself_finds_the_same(folder: Path) -> None:
    alone = TokenizerProcesses("tiny", folder / "tokenizer.json", Words(tiny.tokenizer()), 1)
    assert [ids.tolist() for ids in alone(TEXTS)] == wanted(TEXTS)


def test_threads_share_the_processes(apart: TokenizerProcesses) -> None:
    found: dict[int, list[list[int]]] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.setdefault(n, [ids.tolist() for ids in apart(TEXTS[n:])])) for n in range(0, 200, 25)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == len(threads) and all(ids == wanted(TEXTS[number:]) for number, ids in found.items())


def test_a_query_and_few_texts_ask_no_other_process(folder: Path) -> None:
    asked: list[int] = []

    def here(texts: list[str]) -> list[np.ndarray]:
        asked.append(len(texts))
        return Words(tiny.tokenizer())(texts)

    apart = TokenizerProcesses("tiny", folder / "tokenizer.json", here, CHILDREN)  # type: ignore[arg-type]
    assert [ids.tolist() for ids in apart(TEXTS[:1])] == wanted(TEXTS[:1])
    assert len(apart(TEXTS[:FEW])) == FEW and len(apart(TEXTS)) == len(TEXTS)
    assert asked == [1, FEW]


def test_after_a_child_was_killed_the_call_is_repeated_in_new_ones(folder: Path) -> None:
    before = children()
    apart = TokenizerProcesses("tiny", folder / "tokenizer.json", Words(tiny.tokenizer()), CHILDREN)
    first = children() - before
    assert len(first) == CHILDREN
    for _ in range(2):
        killed, end = (children() - before).pop(), time.monotonic() + 10
        os.kill(killed, signal.SIGKILL)
        while killed in children() or len(children() - before) < CHILDREN:  # the others may end a call before anybody sees it
            assert [ids.tolist() for ids in apart(TEXTS)] == wanted(TEXTS) and time.monotonic() < end
    assert gone(first, within=10), "the broken pool's other children are not left behind"


def test_threads_that_meet_a_broken_pool_make_one_new_pool(folder: Path) -> None:
    before = children()
    apart = TokenizerProcesses("tiny", folder / "tokenizer.json", Words(tiny.tokenizer()), CHILDREN)
    os.kill((children() - before).pop(), signal.SIGKILL)
    found: list[list[list[int]]] = []
    threads = [threading.Thread(target=lambda: found.append([ids.tolist() for ids in apart(TEXTS)])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [wanted(TEXTS)] * 6 and len(children() - before) == CHILDREN


def test_where_children_cannot_start_it_is_told_in_words(folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="tokenise for the model tiny ended"):
        TokenizerProcesses("tiny", folder / "none.json", Words(tiny.tokenizer()), 1)


def test_they_end_with_the_engine(folder: Path) -> None:
    before = children()
    apart = TokenizerProcesses("tiny", folder / "tokenizer.json", Words(tiny.tokenizer()), CHILDREN)
    mine = children() - before
    assert len(mine) == CHILDREN
    del apart
    assert gone(mine, within=10)


PROGRAM = """
import multiprocessing, sys, time
from pathlib import Path
from north.inference.tokenising import Words, read
from north.inference.tokenizer_processes import TokenizerProcesses
if __name__ == "__main__":
    path = Path(sys.argv[1])
    apart = TokenizerProcesses("tiny", path, Words(read(path)), 2)
    print(len(apart(["how many"] * 100)), *(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(float(sys.argv[2]))
"""


def started(folder: Path, seconds: float) -> tuple[subprocess.Popen[str], set[int]]:
    """A program that tokenises in processes and then sleeps; and these processes."""
    (folder / "program.py").write_text(PROGRAM)
    root = str(Path(__file__).parents[2])
    program = subprocess.Popen(
        [sys.executable, "program.py", "tokenizer.json", str(seconds)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout
    count, *pids = map(int, program.stdout.readline().split())
    assert count == 100 and len(pids) == 2 and all(map(lives, pids))
    return program, set(pids)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_no_orphan(folder: Path, how: signal.Signals) -> None:
    program, pids = started(folder, 60)
    program.send_signal(how)
    assert program.wait(10) == -how and gone(pids, within=10)


def test_a_program_that_ends_takes_them_along_and_ends_well(folder: Path) -> None:
    program, pids = started(folder, 0)
    assert program.wait(20) == 0 and gone(pids, within=1)


def test_a_child_loads_no_framework_and_no_model_library() -> None:
    code = "import north.inference.tokenizer_processes, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    assert {"tokenizers", "numpy"} <= set(loaded.split()) and not {"django", "celery", "torch", "transformers", "onnxruntime"} & set(
        loaded.split()
    )


def test_an_engine_gives_the_same_vectors_with_processes_as_without(folder: Path) -> None:
    def backend(rows: list[Row]) -> np.ndarray:
        return np.array([np.bincount(row.ids, minlength=22)[: tiny.HIDDEN] for row in rows], np.float32)

    spec = tiny.spec("embed", passage="the ")
    texts = [text * (1 + 20 * (number % 3 == 0)) for number, text in enumerate(TEXTS)]
    engines = [Embedder(spec, folder, backend, budget=1000, processes=count) for count in (0, CHILDREN)]  # type: ignore[arg-type]
    plain, apart = (engine.embed_passages(texts) for engine in engines)
    assert np.array_equal(plain, apart) and np.ptp(plain) > 0


def test_half_the_processors_tokenise_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, count in ((None, 0), (1, 0), (2, 1), (6, 3), (16, 4)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert default_count() == count
