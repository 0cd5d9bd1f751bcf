"""What a connector is: a table of settings, and three functions. Knows no connector, no document and no network.

`fetch(config, cursor, outside)` yields what `retrieval.types.Fetched` names, and keeps these rules, which
`tests/retrieval/connectors/conformance.py` checks:

- Without a cursor it yields a Listing first, then everything the source holds, then a Cursor that is `complete`. With one it goes on from
  there: what changed since, or a Listing again where the source has no feed of changes.
- A Cursor may come at any time; after a crash the next pass begins from the last one. An Item twice does no harm.
- What cannot be listed wholly ends without `complete`, or in a SourceError: then nothing is deleted.
- One thing that cannot be fetched is Skipped, or raises ItemBroken from its `data`; the others go on.
- Where the source has rights, each Item carries its own as they are now, also where its bytes are unchanged; and accounts and groups come
  as Account and Members, in a Listing("people") wherever all are named. Rights that cannot be read are None, never a guess.
- It reaches the world by `outside` only, and raises the leaves of SourceError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from glob import escape
from typing import Any, Literal, Protocol

from retrieval.types import Fetched, Item

Config = Mapping[str, Any]
"""The values of the settings by their names, secrets in plain words; what was left out has its default."""


class Answer(Protocol):
    """What came back, whole. `headers` are found whatever their case."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


class Outside(Protocol):
    """The one way out, handed in. It refuses addresses that may not be contacted (SourceNotAllowed), bounds time and bytes
    (SourceUnreachable), and keeps what is sent in headers from any host but the first."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        redirects: int = 0,
        seconds: float | None = None,
        max_bytes: int | None = None,
    ) -> Answer:
        """The answer, whatever its status."""

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """The host's addresses, checked: where a library insists on connecting by itself, it is given one of these and not the name."""

    def dial(self, host: str, port: int, seconds: float = 30.0) -> Any:
        """A connected socket, for what is not HTTP."""

    def passes_over(self, folder: str) -> bool:
        """Whether nothing in this folder, a path as Items have it, is wanted: then it need not be listed."""

    def sleep(self, seconds: float) -> None:
        """Waits, and gives up where the pass was stopped."""

    def keep(self, name: str, secret: str, before: str) -> None:
        """The source gave a new secret in place of this setting's, such as the next refresh token: it is kept from now on, unless
        something else than `before` stands there by now."""

    def newest(self, name: str) -> str:
        """This setting's secret as it is kept now: another pass may have had it replaced. "" where none is kept."""


Fetch = Callable[[Config, Mapping[str, Any] | None, Outside], Iterator[Fetched]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One question that whoever sets up a source is asked. `help` says in words where the answer is found."""

    name: str
    label: str
    help: str = ""
    kind: Literal["text", "url", "secret", "number", "choice", "list", "switch", "long"] = "text"
    """text: one line (str); url: http or https (str); secret: kept sealed and never shown (str); number: int; choice: one of `choices`;
    list: a line each (list of str); switch: bool; long: many lines (str)."""
    required: bool = True
    default: str | int | bool | tuple[str, ...] = ""
    choices: tuple[tuple[str, str], ...] = ()
    """(value, label)"""
    least: int = 0
    most: int = 1_000_000_000
    check: Callable[[Any], str] | None = None
    """Gives a sentence on what is wrong with a value, or nothing."""
    when: tuple[str, str] | None = None
    """(name, value): asked only where that choice has this value."""
    scope: bool = False
    """Says what is wanted of the source: the source can be browsed before it is answered."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a probe. `works`: True, False, or None for what is worth knowing. `words` say what works, or what is missing and how
    to mend it."""

    works: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Branch:
    """One entry of a source's tree. `path` is given to `browse` again to see what is in it, where `inner`.

    `patterns` stand for what it holds, in Items' paths (folder and name), after the pattern of the branch that it lies in. `line`: a
    setting that is a list, and the line of it that takes this and nothing else."""

    path: str
    name: str
    inner: bool = True
    patterns: tuple[str, ...] = ()
    line: tuple[str, str] | None = None


def all_in(folder: str) -> tuple[str, ...]:
    """The pattern of all that lies in a folder of this name."""
    return (escape(folder.strip("/")) + "/",)


def just(name: str) -> tuple[str, ...]:
    """The pattern of the one thing of this name."""
    return (escape(name),)


def folders_in(items: Iterable[object], path: str) -> Iterator[Branch]:
    """The folders right in this one, told from everything that a source lists."""
    inside = path.strip("/") + "/" if path else ""
    ways = {f"{item.folder}/" for item in items if isinstance(item, Item) and f"{item.folder}/".startswith(inside) and item.folder}
    rest = [way[len(inside) :].split("/") for way in ways if len(way) > len(inside)]
    for name in sorted({way[0] for way in rest}):
        yield Branch(inside + name, name, any(way[0] == name and len(way) > 2 for way in rest), all_in(name))


@dataclass(frozen=True, slots=True)
class Called:
    """A request that came in. Names of `headers` are lower case."""

    headers: Mapping[str, str]
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that is the source's own. `id` tells it from others, so that one sent twice counts once. `reply`: what the source wants to
    be answered. `changed`: there is something to look for. `secret`: the source told the one that it signs with from now on."""

    id: str = ""
    reply: str = ""
    changed: bool = True
    secret: str = ""


Channel = Mapping[str, Any]
"""As what the service knows it, and `until` (seconds since 1970) it tells."""


class Office(Protocol):
    """Where channels are opened by which a service tells of changes, and which it forgets after some days. Its verbs raise SourceError."""

    def keys(self) -> Iterable[str]:
        """What is to be told of, such as drives."""

    def open(self, key: str, address: str, secret: str, before: Channel | None) -> Channel:
        """A channel to this address, whose messages carry the secret; or the one from before, made to last."""

    def close(self, key: str, channel: Channel) -> None:
        """Raises SourceMissing where it is gone already."""


@dataclass(frozen=True, slots=True)
class Push:
    """How a source says that something changed. `help`: where its administrator enters the address and the secret. `hear`: by the secret
    and the time, whether the request is the source's own; None where it is not. `whose` secret: made here ("ours"), the source's own and
    entered here ("theirs"), or told by its first message ("told")."""

    help: str
    hear: Callable[[Called, str, float], Heard | None]
    whose: Literal["ours", "theirs", "told"] = "ours"
    office: Callable[[Config, Outside], Office] | None = None
    """Where North enters the address by itself, and renews that before it is forgotten; without it an administrator enters it there."""


@dataclass(frozen=True, slots=True)
class Consent:
    """How a person's consent is asked for by OAuth 2.0, for an app of the deployer's own: its id and secret are the settings "client_id"
    and "client_secret". `when`: the setting and its value with which it is. `kept`: the secret setting that the answer's `given` goes to.
    `basic`: the app proves itself in a header. `lacking`: what is to be done where the answer holds no such token."""

    authorize: Callable[[Config], str]
    token: Callable[[Config], str]
    who: Callable[[Config, Mapping[str, Any], str, Outside], str]
    """The name of the account, by the answer and its access token."""
    scopes: str = ""
    also: Callable[[Config], str] = lambda config: ""
    """More scopes, where the settings ask for them."""
    device: Callable[[Config], str] | None = None
    """Where a code to type in is given, if the service knows that."""
    more: Mapping[str, str] = field(default_factory=dict)
    when: tuple[str, str] = ("access", "refresh")
    kept: str = "refresh"
    given: str = "refresh_token"
    basic: bool = False
    lacking: str = "The service gave no token that lasts. Let the app's tokens expire and be refreshed, in its settings there."


def all_well(config: Config, outside: Outside) -> Iterable[Finding]:
    return ()


@dataclass(frozen=True, slots=True)
class Connector:
    """`probe` tries, quickly and without fetching documents, what a sync will need, and says what it found. `browse` lists what lies at a
    path of the source, "" being its top. `rights`: whether it tells who may see a thing."""

    title: str
    help: str
    fetch: Fetch
    settings: tuple[Setting, ...] = ()
    probe: Callable[[Config, Outside], Iterable[Finding]] = all_well
    browse: Callable[[Config, str, Outside], Iterable[Branch]] | None = None
    again: Callable[[Config, Sequence[str], Outside], Iterator[Fetched]] | None = None
    """Single things once more, by their external ids, as `fetch` would yield them: what could not be had when a feed of changes named it.
    Without it everything is listed afresh now and then, while something is missing."""
    push: Push | None = None
    """Without it, whoever knows the secret may say that something changed: `hearing.BY_TOKEN`."""
    consent: Consent | None = None
    rights: bool = False
    group: Literal["files", "pages", "messages", "work", "data"] = "files"
    """Where people look for it in the list of connectors."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Values as a connector takes them, and what is wrong with those given, by their settings' names."""

    values: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def checked(settings: Iterable[Setting], given: Mapping[str, Any]) -> Checked:
    """What was given, as the settings want it. What no setting asks for is wrong, too."""
    asked = {setting.name: setting for setting in settings}
    found = Checked(wrong={name: "This connector has no such setting." for name in given if name not in asked})
    for name, setting in asked.items():
        if setting.when and str(given.get(setting.when[0], asked[setting.when[0]].default)) != setting.when[1]:
            found.values[name] = plain(setting.default)
            continue
        value, wrong = _taken(setting, given.get(name))
        found.values[name] = value
        if wrong:
            found.wrong[name] = wrong
    return found


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _taken(setting: Setting, given: Any) -> tuple[Any, str]:
    if given is None or given in ("", [], ()):
        empty = [] if setting.kind == "list" else plain(setting.default)
        value = plain(setting.default) or empty
        return value, "This is needed." if setting.required and value in ("", []) and setting.kind not in ("switch", "number") else ""
    value, wrong = _READ[setting.kind](setting, given)
    if not wrong and setting.check:
        wrong = setting.check(value)
    return value, wrong


def _line(setting: Setting, given: Any) -> tuple[Any, str]:
    if not isinstance(given, str) or "\0" in given or len(given) > 10_000:
        return "", "Write it as text."
    text = given.strip()
    if "\n" in text and setting.kind != "long":
        return text, "Write it on one line."
    return text, ""


def _secret(setting: Setting, given: Any) -> tuple[Any, str]:
    return (given.strip(), "") if isinstance(given, str) and "\0" not in given else ("", "Write it as text.")


def _url(setting: Setting, given: Any) -> tuple[Any, str]:
    text, wrong = _line(setting, given)
    right = text.lower().startswith(("http://", "https://")) and not any(mark in text for mark in (" ", "\\", "@"))
    return text.rstrip("/"), wrong or ("" if right else "Write the whole address, as https://host/path, without a name or password in it.")


def _number(setting: Setting, given: Any) -> tuple[Any, str]:
    try:
        number = int(str(given))
    except ValueError:
        return 0, "Write a whole number."
    within = setting.least <= number <= setting.most and not isinstance(given, bool)
    return number, "" if within else f"Write a number from {setting.least} to {setting.most}."


def _choice(setting: Setting, given: Any) -> tuple[Any, str]:
    values = [value for value, _label in setting.choices]
    return given, "" if given in values else f"Choose one of: {', '.join(values)}."


def _list(setting: Setting, given: Any) -> tuple[Any, str]:
    lines = given.splitlines() if isinstance(given, str) else given
    if not isinstance(lines, (list, tuple)) or not all(isinstance(line, str) and "\0" not in line for line in lines):
        return [], "Write one on each line."
    found = [line.strip() for line in lines if line.strip()]
    return found, "" if len(found) <= 1000 else "At most 1000 lines."


def _switch(setting: Setting, given: Any) -> tuple[Any, str]:
    return (given, "") if isinstance(given, bool) else (False, "Say true or false.")


_READ: dict[str, Callable[[Setting, Any], tuple[Any, str]]] = {
    "text": _line,
    "long": _line,
    "url": _url,
    "secret": _secret,
    "number": _number,
    "choice": _choice,
    "list": _list,
    "switch": _switch,
}
