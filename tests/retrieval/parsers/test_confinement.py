"""Each test confines a process of its own: what is given up cannot be taken back."""

from __future__ import annotations

import subprocess
import sys

import pytest

from retrieval.reading import ROOT

CONFINED = "from retrieval.parsers.confinement import confine\ncut_off = confine(seconds=5, megabytes=400, output=1000)\n"


def confined(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CONFINED + code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.socket()",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
        "import os; os.execv('/bin/true', ['true'])",
    ],
)
def test_python_opens_no_socket_and_starts_no_program(code: str) -> None:
    done = confined(code)
    assert done.returncode != 0
    assert "a parser may not use" in done.stderr


def test_a_network_of_its_own_holds_nothing() -> None:
    done = confined("print(cut_off, [line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]])")
    assert done.stdout.startswith("False") or done.stdout.split() == ["True", "['lo']"]


def test_memory_is_limited() -> None:
    assert "MemoryError" in confined("bytearray(10 << 30)").stderr


def test_files_are_limited() -> None:
    done = confined("import tempfile\nfile = tempfile.TemporaryFile(buffering=0)\nwhile True: file.write(b'x' * 500)")
    assert "File too large" in done.stderr


def test_processor_time_is_limited() -> None:
    done = confined("import resource; print(resource.getrlimit(resource.RLIMIT_CPU))")
    assert done.stdout.strip() == "(5, 6)"
