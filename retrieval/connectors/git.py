"""Files of one branch of a Git repository, over http or https. The newest commit is fetched without its history, and only where it is
another than the last time; a file's revision is its blob's name, so what a commit did not touch is not read again.

Dulwich speaks the protocol, in this process and over the one way out; what the server packed is unpacked in a confined child, with limits
on time, memory, objects and bytes (`parsers/git_pack.py`). No program runs, and nothing is checked out. Git has no rights.
"""

from __future__ import annotations

import tempfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from dulwich.client import AbstractHttpGitClient
from dulwich.errors import ChecksumMismatch, GitProtocolError, NotGitRepository, ObjectFormatException

from retrieval import reading
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, folders_in
from retrieval.errors import ParseError, SettingWrong, SourceGarbled
from retrieval.types import Cursor, Fetched, Item, Listing, Skipped

MAX_BYTES: Final = 200_000_000
PACK: Final = "pack"
BROKEN: Final = (
    *(GitProtocolError, NotGitRepository, ObjectFormatException, ChecksumMismatch),
    *(ValueError, LookupError, EOFError, AssertionError, BufferError, zlib.error),
)
"""What Dulwich raises over bytes that make no sense."""


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Where the branch is at the commit of the cursor, there is nothing to tell."""
    with tempfile.TemporaryDirectory(prefix="north-git-") as name:
        folder = Path(name)
        commit = Remote(config, outside).fetched(folder / PACK, (cursor or {}).get("commit", ""))
        if cursor is None or commit != cursor.get("commit"):
            yield Listing()
            yield from files(folder, commit, config)
        yield Cursor({"commit": commit}, complete=True)


def files(folder: Path, commit: str, config: Config) -> Iterator[Fetched]:
    asked = {"commit": commit, "most": config["megabytes"] * 1_000_000}
    try:
        for known, data in reading.unpacked(folder / PACK, folder, asked):
            yield item(known, data, config)
    except ParseError as error:
        raise SourceGarbled(config["url"], str(error)) from error


def item(known: Mapping[str, Any], data: bytes, config: Config) -> Item | Skipped:
    path: str = known["path"]
    folder, _slash, name = path.rpartition("/")
    if known["left"] == "large":
        told = f"It has {known['bytes'] / 1e6:,.1f} MB; at most {config['megabytes']:,.0f} MB are read. Split it."
        return Skipped(path, name, told, folder)
    if known["left"]:
        return Skipped(path, name, "It lies in large file storage (LFS), which is not read.", folder)
    return Item(path, name, data, folder=folder, revision=known["sha"], size=len(data), link=_link(path, config))


def _link(path: str, config: Config) -> str:
    return config["link"].replace("{path}", path) if config["link"].startswith(("https://", "http://")) else ""


class Remote(AbstractHttpGitClient):
    """The repository behind the way out."""

    def __init__(self, config: Config, outside: Outside) -> None:
        self._config = config
        said = b64encode(f"{config['user'] or 'git'}:{config['token']}".encode()).decode()
        headers = {"authorization": f"Basic {said}"} if config["token"] else {}
        self._ask = Asker(outside, config["url"], headers=headers, right="read the repository", max_bytes=MAX_BYTES)
        super().__init__(config["url"] + "/", thin_packs=False)

    def fetched(self, path: Path, known: str) -> str:
        """The commit that the branch is at; all of it is in the pack at the path, unless it is the one that is known."""
        with path.open("wb") as pack, in_words(self._config):
            wants: Any = lambda refs, depth=None: self._wants(refs, known)  # noqa: E731
            return self.at(self.fetch_pack(b"", wants, _NOTHING, pack.write, depth=1).refs)

    def at(self, refs: Mapping[Any, Any]) -> str:
        name = f"refs/heads/{self._config['branch']}" if self._config["branch"] else "HEAD"
        found = refs.get(name.encode())
        if not found:
            raise SettingWrong("branch", f'The repository has no branch "{self._config["branch"] or "HEAD"}". Write one that it has.')
        return str(found.decode())

    def _wants(self, refs: Mapping[Any, Any], known: str) -> list[Any]:
        there = self.at(refs)
        return [] if there == known else [there.encode()]

    def _http_request(
        self, url: str, headers: dict[str, str] | None = None, data: Any = None, raise_for_status: bool = True
    ) -> tuple[Any, Callable[[int], bytes]]:
        body = data if data is None or isinstance(data, bytes) else b"".join(data)
        sent = {name: value for name, value in (headers or {}).items() if name.lower() != "content-length"}
        answer = self._ask.ask(url, method="GET" if body is None else "POST", body=body, headers=sent)
        return _Told(answer.headers.get("content-type", "")), BytesIO(answer.content).read


class _Told:
    redirect_location = ""
    status = 200

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type

    def close(self) -> None:
        """It has been read."""


class _Nothing:
    """Nothing is there yet: every object is asked for."""

    shallow: frozenset[bytes] = frozenset()
    unshallow: frozenset[bytes] = frozenset()

    def __next__(self) -> None:
        return None

    def ack(self, sha: bytes) -> None:
        """There is nothing to note."""

    def nak(self) -> None:
        """Nor here."""

    def update_shallow(self, new: Any, old: Any) -> None:
        """The history is not kept."""


_NOTHING: Final[Any] = _Nothing()


@contextmanager
def in_words(config: Config) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise SourceGarbled(config["url"], "no Git repository, or only a part of one") from error


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    remote = Remote(config, outside)
    with in_words(config):
        refs = remote.get_refs(b"").refs
    commit = remote.at(refs)
    branches = sum(name.startswith(b"refs/heads/") for name in refs)
    yield Finding(True, f"The repository can be read; it has {branches:,} branches, and this one is at {commit[:10]}.")
    yield Finding(None, "Git does not say who may see what: say yourself who may see these files here.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    yield from folders_in(fetch(config, None, outside), path)


CONNECTOR: Final = Connector(
    title="Git repository",
    help="Files of one branch, over https: handbooks, documentation, source code.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    settings=(
        Setting("url", "Address", "The one to clone from, as https://git.example.com/team/handbook.git.", kind="url"),
        Setting("branch", "Branch", "Left empty, the repository's main one.", required=False),
        Setting("user", "User name", "Most servers take any name beside a token.", required=False),
        Setting("token", "Token or password", "One that may read the repository and nothing else.", kind="secret", required=False),
        Setting("link", "Address of a file", "As https://git.example.com/team/handbook/blob/main/{path}.", required=False),
        Setting("megabytes", "Largest file, in MB", kind="number", required=False, default=20, least=1, most=100),
    ),
)
