"""The settings of a source: checked against its connector's schema, the secret ones sealed, and tried before they are used."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from north import wiring
from north.documents import reaching
from north.documents.errors import Refused
from north.documents.models import Source
from north.outbound import NotAllowed, OutboundError
from retrieval.connectors.contract import Checked, Connector, Finding, Setting, checked
from retrieval.errors import SourceError
from retrieval.types import Item

FOLDER = "folder"
SECONDS = 10.0
COUNTED = 10_000
SHOWN = 10
PATTERNS, PATTERN_LENGTH = 100, 200


def connector(kind: str) -> Connector:
    found = wiring.connectors().get(kind)
    if found is None:
        raise Refused(_("There is no such connector. Choose one of: %s.") % ", ".join(wiring.connectors()), field="connector")
    return found


def judged(kind: str, given: Mapping[str, Any], before: Source | None = None) -> Checked:
    """What was given, as the connector takes it, and what is wrong with it in words, but for addresses, which `unreachable` judges. A
    secret that is left out stays as it was, but not where the address is another one: else whoever may edit a source could have its
    secrets sent anywhere."""
    schema = connector(kind).settings
    kept = secrets_of(before) if before else {}
    left = {name: value for name, value in kept.items() if not given.get(name)}
    found = checked(schema, {**given, **left})
    if before and left and moved(schema, before, found.values):
        found.wrong.update(dict.fromkeys(left, _("The address is another one now, so enter this again.")))
    if kind == FOLDER and "path" not in found.wrong:
        try:
            found.values["path"] = allowed(found.values["path"])
        except Refused as refusal:
            found.wrong["path"] = str(refusal)
    return found


def moved(schema: Sequence[Setting], before: Source, values: Mapping[str, Any]) -> bool:
    """Whether anything has another value that may say where the secrets go: an address, a line of text such as a host, a port."""
    plain = [setting.name for setting in schema if setting.kind in ("text", "url") or setting.name == "port"]
    return any(values.get(name) != before.config.get(name, values.get(name)) for name in plain)


def taken(kind: str, given: Mapping[str, Any], before: Source | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings that may be shown, and the secrets. Raises Refused for the first that is wrong."""
    found = judged(kind, given, before)
    for name, words in found.wrong.items():
        raise Refused(words, field=name)
    secret = {setting.name for setting in connector(kind).settings if setting.kind == "secret"}
    plain = {name: value for name, value in found.values.items() if name not in secret}
    return plain, {name: str(value) for name, value in found.values.items() if name in secret and value}


def unreachable(kind: str, given: Mapping[str, Any]) -> dict[str, str]:
    """Which of these addresses North may not contact, in words. It asks the name service, which may take seconds: not in a transaction,
    which others would wait for."""
    schema = connector(kind).settings
    found = checked(schema, given)
    named = [setting.name for setting in schema if setting.kind == "url" and setting.name not in found.wrong]
    return {name: words for name in named if (words := not_allowed(found.values[name]))}


def look_up(kind: str, given: Mapping[str, Any]) -> None:
    """Raises Refused for the first of these addresses that North may not contact."""
    for name, words in unreachable(kind, given).items():
        raise Refused(words, field=name)


def not_allowed(url: str) -> str:
    try:
        reaching.outbound(tuple(settings.OUTBOUND_ALLOWED)).check(url) if url else None
    except NotAllowed as error:
        return str(error)
    except OutboundError:
        return ""
    return ""


def allowed(path: str) -> str:
    """The folder's real path, if it lies inside what the administrator allows."""
    real = Path(path).expanduser().resolve() if "\0" not in path else Path()
    if any(real.is_relative_to(root.resolve()) for root in settings.FOLDER_ROOTS):
        if real.is_dir():
            return str(real)
        raise Refused(_("This folder does not exist on the server. Check the path, and that it is mounted."), field="path")
    if not settings.FOLDER_ROOTS:
        raise Refused(
            _("The administrator allows no folders yet: set NORTH_FOLDER_ROOTS on the server and start North again."), field="path"
        )
    roots = ", ".join(str(root) for root in settings.FOLDER_ROOTS)
    words = _("This folder is not among those that the administrator allows: %s. Choose a folder in one of them.")
    raise Refused(words % roots, field="path")


def patterns(said: Sequence[str], name: str) -> list[str]:
    """Patterns of a scope, one a line."""
    found = [line.strip() for line in said if line.strip()]
    if len(found) > PATTERNS or any(len(line) > PATTERN_LENGTH or "\0" in line for line in found):
        raise Refused(_("At most 100 patterns of 200 characters."), field=name)
    return found


# --- secrets -----------------------------------------------------------------------------------------------------------------------
def secrets_of(source: Source) -> dict[str, str]:
    """Nothing where they cannot be read any more: then they are entered again."""
    try:
        return reaching.secrets_of(source)
    except SourceError:
        return {}


# --- before the first sync ---------------------------------------------------------------------------------------------------------
@dataclass
class Preview:
    """What a source with these settings would bring. `whole`: everything was counted."""

    findings: list[Finding] = field(default_factory=list)
    count: int = 0
    bytes: int = 0
    left_out: int = 0
    skipped: int = 0
    whole: bool = False
    examples: list[str] = field(default_factory=list)

    @property
    def works(self) -> bool:
        return not any(finding.works is False for finding in self.findings)


def previewed(source: Source, config: Mapping[str, Any], keeper: Source) -> Preview:
    """Asks the connector what works, and counts what it lists for some seconds; nothing is fetched, and nothing is kept but a secret that
    the service replaced meanwhile, with `keeper`."""
    found, way = Preview(), reaching.Way(keeper, seconds=SECONDS, scope=source)
    kind = connector(source.connector)
    try:
        found.findings += kind.probe(config, way)
        if found.works:
            count(found, source, kind, config, way)
    except SourceError as error:
        found.findings.append(Finding(False, str(error)))
    return found


def count(found: Preview, source: Source, kind: Connector, config: Mapping[str, Any], way: reaching.Way) -> None:
    inside, until = reaching.scope_of(source), time.monotonic() + SECONDS
    for event in until_then(kind.fetch(config, None, way), until):
        if not isinstance(event, Item):
            continue
        if not inside(event):
            found.left_out += 1
            continue
        found.count, found.bytes = found.count + 1, found.bytes + (event.size or 0)
        if len(found.examples) < SHOWN:
            found.examples.append(reaching.path_of(event))
        if found.count >= COUNTED:
            return
    found.whole = time.monotonic() <= until


def until_then(events: Iterator[Any], until: float) -> Iterator[Any]:
    for event in events:
        yield event
        if time.monotonic() > until:
            return
