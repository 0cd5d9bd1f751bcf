"""Mail of one mailbox by IMAP: a folder is a folder, a mail is a file (message/rfc822) that never changes. Those named as its readers may
see it, and nobody else.

The cursor keeps which mails of each folder are known, so that a pass asks for new ones only, and says what is gone without a listing.
Where the folder's UIDVALIDITY is another, all its mails are new (RFC 3501, 2.3.1.1); where nothing counted has changed, it is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, all_in
from retrieval.connectors.mailbox import Folder, Head, Mailbox, State, numbers, ranges
from retrieval.types import Account, Cursor, Deleted, Fetched, Item, Listing, Members, Rights, Skipped

BATCH: Final = 100
READERS: Final = "readers"
RIGHTS: Final = Rights(groups=frozenset({READERS}))
PASSED_OVER: Final = frozenset({"\\junk", "\\trash", "\\drafts", "\\all", "\\flagged"})
"""Special folders (RFC 6154) that hold no letters of worth, or the same ones again."""


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    known: dict[str, dict[str, Any]] = {name: dict(one) for name, one in (cursor or {}).get("folders", {}).items()}
    box = mailbox(config, outside)
    if cursor is None:
        yield Listing()
    yield from people(config)
    wanted = chosen(config, box.folders())
    for folder in wanted:
        yield from news(box, folder, known, config)
    for name in set(known) - {one.name for one in wanted}:
        yield from gone(name, known.pop(name))
    yield Cursor({"folders": known}, complete=True)
    box.close()


def news(box: Mailbox, folder: Folder, known: dict[str, dict[str, Any]], config: Config) -> Iterator[Fetched]:
    """What has come into a folder, and what has gone."""
    state, before = box.state(folder.name), known.get(folder.name)
    if before and before["validity"] != state.validity:
        yield from gone(folder.name, before)
        before = None
    days = config["days"]
    if before and not days and state.modseq and before.get("state") == [state.next, state.count, state.modseq]:
        return
    there = box.uids(folder.name, datetime.now(UTC) - timedelta(days=days) if days else None)
    settled = numbers(before["uids"]) if before else set()
    for uid in sorted(settled - there):
        yield Deleted(id_of(folder.name, state.validity, uid))
    settled &= there
    new = sorted(there - settled, reverse=True)
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        for head in box.heads(folder.name, batch):
            yield item(box, folder, state, head, config["megabytes"] * 1_000_000)
        settled.update(batch)
        known[folder.name] = {"validity": state.validity, "uids": ranges(settled)}
        if start + BATCH < len(new):
            yield Cursor({"folders": {name: dict(one) for name, one in known.items()}})
    known[folder.name] = {"validity": state.validity, "uids": ranges(settled), "state": [state.next, state.count, state.modseq]}


def gone(name: str, before: Mapping[str, Any]) -> Iterator[Deleted]:
    for uid in sorted(numbers(before["uids"])):
        yield Deleted(id_of(name, before["validity"], uid))


def item(box: Mailbox, folder: Folder, state: State, head: Head, most: int) -> Item | Skipped:
    id = id_of(folder.name, state.validity, head.uid)
    name = (head.subject or "No subject").removesuffix(".eml") + ".eml"
    if (head.size or 0) > most:
        return Skipped(id, name, f"The mail has {(head.size or 0) / 1e6:,.1f} MB; at most {most / 1e6:,.0f} MB are read.")
    return Item(id, name, reader(box, folder.name, head.uid), head.at, RIGHTS, folder.path, f"{state.validity}-{head.uid}", head.size)


def reader(box: Mailbox, folder: str, uid: int) -> Callable[[], bytes]:
    return lambda: box.mail(folder, uid)


def id_of(folder: str, validity: int, uid: int) -> str:
    return f"{folder};{validity};{uid}"


def people(config: Config) -> Iterator[Fetched]:
    """The readers are whom the settings name: who sets up a mailbox vouches for them."""
    readers = frozenset(one.lower() for one in config["readers"] or [config["user"]])
    yield Listing("people")
    for address in sorted(readers):
        yield Account(address, email=address if "@" in address else "")
    yield Members(READERS, readers, name="Readers of the mailbox")


def chosen(config: Config, folders: list[Folder]) -> list[Folder]:
    """Those named and all in them; else all but what is not worth it."""
    named, without = [one.strip("/").lower() for one in config["folders"]], [one.strip("/").lower() for one in config["without"]]

    def within(folder: Folder, paths: list[str]) -> bool:
        return any(f"{folder.path.lower()}/".startswith(f"{path}/") for path in paths)

    return [
        one for one in folders if not within(one, without) and (within(one, named) if named else not one.flags & PASSED_OVER)
    ]  # fmt: skip


def mailbox(config: Config, outside: Outside) -> Mailbox:
    port = config["port"] or (993 if config["security"] == "tls" else 143)
    return Mailbox(outside, config["host"], port, security=config["security"], user=config["user"], password=config["password"])


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    box = mailbox(config, outside)
    folders = box.folders()
    wanted = chosen(config, folders)
    counts = [box.state(one.name).count for one in wanted[:50]]
    box.close()
    yield Finding(True, f"The mailbox opens; {len(wanted)} of its {len(folders)} folders are in scope, with {sum(counts):,} mails.")
    if not wanted:
        yield Finding(False, "No folder is in scope. Check how the folders are named.")
    if config["security"] == "none":
        yield Finding(None, "The password and all mails go over the network unencrypted. Choose TLS if the server knows it.")
    if not config["readers"] and "@" not in config["user"]:
        yield Finding(None, f"Nobody is known to be {config['user']}: name the mailbox's readers, or map that account to a person.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    box = mailbox(config, outside)
    ways = [one.path.split("/") for one in box.folders()]
    box.close()
    found = {"/".join(way[: depth + 1]) for way in ways for depth in range(len(way))}
    for one in sorted(found):
        if one.rpartition("/")[0] == path:
            name, inner = one.rpartition("/")[2], any(other.startswith(f"{one}/") for other in found)
            yield Branch(one, name, inner, all_in(name), ("folders", one))


def no_host(value: str) -> str:
    plain = value.replace("-", "").replace(".", "").replace(":", "")
    return "" if plain.isalnum() else "Write only the name of the server, as imap.example.com."


CONNECTOR: Final = Connector(
    title="Mailbox (IMAP)",
    help="Mails of one mailbox, such as a shared one for questions, with their attachments.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    rights=True,
    group="messages",
    settings=(
        Setting("host", "Server", "As imap.example.com.", check=no_host),
        Setting(
            "security",
            "Encryption",
            kind="choice",
            required=False,
            default="tls",
            choices=(("tls", "TLS from the beginning"), ("starttls", "STARTTLS"), ("none", "None: only inside one machine")),
        ),
        Setting("port", "Port", "0 is the usual one: 993, or 143 without TLS.", kind="number", required=False, default=0, most=65535),
        Setting("user", "User name", "Often the mailbox's address."),
        Setting("password", "Password", "With two-factor login, one made for programs.", kind="secret"),
        Setting(
            "readers",
            "Who may read the mails",
            "E-mail addresses, one on each line. Left empty: only the person whose address is the user name.",
            kind="list",
            required=False,
        ),
        Setting("folders", "Only these folders", "One on each line. Left empty: all but junk, bin and drafts.", "list", False),
        Setting("without", "Not these folders", "One on each line.", kind="list", required=False),
        Setting("days", "Only mails of the last days", "0 takes all.", kind="number", required=False, default=0, most=36_500),
        Setting("megabytes", "Largest mail, in MB", kind="number", required=False, default=25, least=1, most=60),
    ),
)  # fmt: skip
