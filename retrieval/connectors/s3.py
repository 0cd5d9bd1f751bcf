"""Objects of a bucket in S3-compatible storage (AWS, MinIO, Ceph, Cloudflare R2, ...), by ListObjectsV2. What is under a key is a file at
that path. Who may read an object, such a storage says in policies that nobody can list, so this connector gives no rights.

Requests are signed by `signing.py`, since the clients that Amazon keeps connect by themselves and could not take the one way out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from retrieval.connectors import markup, signing
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Answer, Branch, Config, Connector, Finding, Outside, Setting, all_in
from retrieval.errors import (
    ItemBroken,
    RateLimited,
    RightMissing,
    SettingWrong,
    SourceGarbled,
    SourceMissing,
    SourceUnreachable,
    TokenRefused,
)
from retrieval.types import Cursor, Fetched, Item, Listing, Skipped

MAX_BYTES: Final = 200_000_000
FROZEN: Final = ("GLACIER", "DEEP_ARCHIVE")
WRONG_KEYS: Final = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired")
SLOWER: Final = ("SlowDown", "RequestLimitExceeded", "ThrottlingException")


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Every object by its key; its revision is its etag. Each pass lists all: storage has no feed of changes to ask for."""
    bucket = Bucket(config, outside)
    yield Listing()
    for page in bucket.pages(config["prefix"]):
        for one in markup.named(page, "Contents"):
            if event := bucket.event(one):
                yield event
    yield Cursor({}, complete=True)


class Bucket:
    def __init__(self, config: Config, outside: Outside) -> None:
        self._config = config
        self._max = config["megabytes"] * 1_000_000
        endpoint = config["endpoint"] or f"https://s3.{config['region']}.amazonaws.com"
        if config["style"] == "path":
            self._base = f"{endpoint}/{config['bucket']}/"
        else:
            parts = urlsplit(endpoint)
            self._base = f"{parts.scheme}://{config['bucket']}.{parts.netloc}{parts.path}/"
        self._keys = signing.Keys(config["key"], config["secret"], config["region"])
        self._asker = Asker(outside, self._base, right="s3:GetObject", max_bytes=MAX_BYTES)

    def pages(self, prefix: str, delimiter: str = "", most: int = 0) -> Iterator[Any]:
        """The listing, page by page. Raises SourceGarbled for half of one, and for pages that go in a circle."""
        onward, seen = "", list[str]()
        while True:
            wanted = {"list-type": "2", "prefix": prefix, "delimiter": delimiter, "continuation-token": onward, "max-keys": most or ""}
            answer = self._asked("", {name: str(value) for name, value in wanted.items() if value})
            page = markup.xml(answer.content, self._base)
            if not str(page.tag).endswith("ListBucketResult"):
                raise SourceGarbled(self._base, "no list of objects; it may be no S3, or have another address")
            yield page
            onward = markup.text(page, "NextContinuationToken")
            if markup.text(page, "IsTruncated") != "true" or most:
                return
            if not onward or seen.count(onward) > 2:
                raise SourceGarbled(self._base, "a list that goes in a circle")
            seen = [*seen[-9:], onward]

    def event(self, one: Any) -> Item | Skipped | None:
        key, size = markup.text(one, "Key"), markup.text(one, "Size")
        folder, _slash, name = key.rpartition("/")
        if not name:
            return None
        bytes_ = int(size) if size.isascii() and size.isdigit() and len(size) < 20 else None
        if (bytes_ or 0) > self._max:
            told = f"It has {(bytes_ or 0) / 1e6:,.1f} MB; at most {self._max / 1e6:,.0f} MB are read. Split it."
            return Skipped(key, name, told, folder)
        if markup.text(one, "StorageClass") in FROZEN:
            return Skipped(key, name, "It lies in an archive that gives nothing out at once. Restore it there first.", folder)
        revision = markup.text(one, "ETag").strip('"')
        return Item(key, name, self.reader(key), _time(markup.text(one, "LastModified")), folder=folder, revision=revision, size=bytes_)

    def reader(self, key: str) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                return self._asked(key, {}).content
            except (SourceMissing, SourceUnreachable, RightMissing) as error:
                raise ItemBroken(f"The object could not be read ({error}).") from error

        return read

    def _asked(self, key: str, params: Mapping[str, str]) -> Answer:
        url = self._base + quote(key, safe="/~") + ("?" + signing.query(params) if params else "")
        headers = {"accept": "*/*", **(self._keys.headers("GET", url) if self._config["key"] else {})}
        answer = self._asker.ask(url, headers=headers, accept=(301, 307, 400, 403, 404), max_bytes=self._max)
        if answer.status_code >= 300:
            self._refused(answer, key)
        return answer

    def _refused(self, answer: Answer, key: str) -> None:
        """By the code that S3 gives, which says more than the status."""
        where = urlsplit(self._base).hostname or ""
        code = _code(answer)
        if code in WRONG_KEYS:
            raise TokenRefused(where)
        if code in SLOWER:
            raise RateLimited(where)
        if code == "RequestTimeTooSkewed":
            raise SourceUnreachable(where, "this machine's clock is wrong")
        if code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect") or answer.status_code < 400:
            raise SettingWrong(
                "region", "The bucket lies in another region. Write the one that the storage's own page of the bucket shows."
            )
        if code == "NoSuchBucket":
            raise SettingWrong("bucket", "There is no such bucket. Write its name as the storage shows it.")
        if answer.status_code == 403:
            raise RightMissing(where, "s3:GetObject" if key else "s3:ListBucket")
        if answer.status_code == 404:
            raise SourceMissing(key or self._base)
        raise SourceUnreachable(where, f"it answered {answer.status_code}")


def _code(answer: Answer) -> str:
    try:
        return markup.text(markup.xml(answer.content, ""), "Code")
    except SourceGarbled:
        return ""


def _time(said: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(said.replace("Z", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo else None


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    bucket = Bucket(config, outside)
    page = next(bucket.pages(config["prefix"], most=50))
    found = list(markup.named(page, "Contents"))
    more = " and more" if markup.text(page, "IsTruncated") == "true" else ""
    yield Finding(True, f"The bucket can be listed: {len(found)} objects{more}.")
    if not found:
        yield Finding(None, "Nothing lies there. Check the bucket, and the beginning of the keys.")
    for one in found:
        if (markup.text(one, "Size") or "x").isdigit() and 0 < int(markup.text(one, "Size")) < 1_000_000:
            try:
                bucket.reader(markup.text(one, "Key"))()
                yield Finding(True, "Objects can be read.")
            except ItemBroken as error:
                yield Finding(False, f"Objects are listed, but not given out. {error}")
            break
    yield Finding(None, "Storage does not say who may see what: say yourself who may see these files here.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    for page in Bucket(config, outside).pages(path or config["prefix"], delimiter="/"):
        for one in markup.named(page, "CommonPrefixes"):
            prefix = markup.text(one, "Prefix")
            name = prefix.rstrip("/").rpartition("/")[2]
            yield Branch(prefix, name, patterns=all_in(name if path else prefix))


def no_bucket(name: str) -> str:
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    return "" if plain.isascii() and plain.isalnum() and len(name) <= 255 and ".." not in name else "Write the bucket's name only."


CONNECTOR: Final = Connector(
    title="S3-compatible storage",
    help="Files in a bucket: Amazon S3, MinIO, Ceph, Cloudflare R2, and others that speak the same.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    settings=(
        Setting(
            "endpoint", "Address of the storage", "Left empty, it is Amazon's. As https://minio.example.com.", kind="url", required=False
        ),
        Setting("bucket", "Bucket", "Its name, without any address.", check=no_bucket),
        Setting("prefix", "Only keys that begin with", "As reports/2026/. Left empty, all.", required=False),
        Setting("key", "Access key", "Of an account that may s3:ListBucket and s3:GetObject there, and nothing else.", required=False),
        Setting("secret", "Secret key", kind="secret", required=False),
        Setting("region", "Region", "As eu-central-1; many other storages take us-east-1.", required=False, default="us-east-1"),
        Setting(
            "style",
            "Where the bucket's name stands",
            "Almost all storages know it in the path; some of Amazon's newer buckets only in the host.",
            kind="choice",
            required=False,
            default="path",
            choices=(("path", "In the path"), ("host", "In the host name")),
        ),
        Setting("megabytes", "Largest file, in MB", kind="number", required=False, default=100, least=1, most=200),
    ),
)
