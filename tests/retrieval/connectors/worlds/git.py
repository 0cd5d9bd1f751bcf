from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said, once
from tests.retrieval.connectors.worlds.unruled import RIGHTS, Unruled, filled_in

HOST = "git.example"
NO_RIGHTS = "Git has no rights for single files: who has the repository has all of it."
WHOLE = "A commit comes whole, with hashes over all of it, or not at all: there are no pages."
NOBODY = {"GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "PATH": os.environ["PATH"]}
AUTHOR = {f"GIT_{who}_{what}": "ann@acme.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class GitWorld(Unruled):
    """Git's own server (http-backend) over a repository that Git's own program commits to."""

    connector = CONNECTORS["git"]
    impossible: Mapping[str, str] = {
        **dict.fromkeys(RIGHTS, NO_RIGHTS),
        "duplicate page": WHOLE,
        "poison item": "A blob is part of its commit's one pack. What cannot be taken, such as LFS, is in `test_git.py`.",
    }

    def __init__(self, folder: Path) -> None:
        self.root = folder / "book.git"
        self.root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.outside = InProcess(HOST, self.serve)
        self.config: dict[str, Any] = filled_in(self.connector, {"url": f"https://{HOST}/book.git", "token": "right"})

    def git(self, *words: str) -> bytes:
        return subprocess.run(["git", *words], cwd=self.root, env=NOBODY | AUTHOR, check=True, capture_output=True).stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")

    def serve(self, asked: Asked) -> Said:
        """As a web server runs it (CGI)."""
        url, body = urlsplit(asked.url), asked.body or b""
        told = {
            "GIT_PROJECT_ROOT": str(self.root.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": url.path.replace("book.git/", "book.git/.git/"),
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": asked.method,
            "CONTENT_TYPE": asked.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
        }
        words = ["git", "-c", "safe.directory=*", "http-backend"]
        done = subprocess.run(words, input=body, env=NOBODY | told, check=True, capture_output=True).stdout
        head, _blank, content = done.partition(b"\r\n\r\n")
        headers = Headers(dict(line.split(": ", 1) for line in head.decode().splitlines()))
        return Said(int(headers.get("status", "200").split()[0]), content, headers)

    def put(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)
        self.commit()

    def delete(self, name: str) -> None:
        (self.root / name).unlink()
        self.commit()

    def move(self, name: str, to: str) -> None:
        (self.root / name).rename(self.root / to)
        self.commit()

    def fault(self, fault: Fault, name: str = "") -> None:
        match fault:
            case "rate limit":
                self.outside.faults = [once(Said(429, headers=Headers({"retry-after": "600"})), posted)]
            case "token expiry":
                self.outside.faults = [lambda asked: Said(401) if posted(asked) else None]
            case "truncated page":
                self.outside.faults = [self.half]
            case "cursor expiry":
                self.git("checkout", "-q", "--orphan", "anew")
                self.commit()
                self.git("branch", "-q", "-M", "anew", "main")
                self.git("reflog", "expire", "--expire=now", "--all")
                self.git("gc", "-q", "--prune=now")

    def half(self, asked: Asked) -> Said | None:
        if not posted(asked) or b"command=fetch" not in asked.body:
            return None
        whole = self.serve(asked)
        return Said(200, whole.content[: len(whole.content) // 2], whole.headers)

    def mend(self) -> None:
        self.outside.faults = []


def posted(asked: Asked) -> bool:
    return asked.method == "POST"


def world(folder: Path) -> GitWorld:
    return GitWorld(folder)
