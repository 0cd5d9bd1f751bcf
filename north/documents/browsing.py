"""What lies in a source, folder by folder, for whoever sets it up and chooses what is to come. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from north.documents import actions, configuring, reaching
from north.documents.errors import Refused
from north.documents.models import Source
from north.workspaces.models import Membership
from retrieval.connectors.contract import Branch
from retrieval.errors import SourceError

MOST = 500
PATH_LENGTH = 4000


@dataclass(frozen=True)
class Choice:
    """A branch as it can be chosen: `include` are the lines for `setting`, "" being the patterns of what is to come; `exclude` the
    patterns that leave it out."""

    path: str
    name: str
    inner: bool
    setting: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]

    @property
    def around(self) -> str:
        return next((pattern for pattern in self.exclude if pattern.endswith("/")), "")


@dataclass(frozen=True)
class Tree:
    """`more`: not all are told. `fault`: why none can be, in words."""

    choices: Sequence[Choice] = ()
    more: bool = False
    fault: str = ""


def browse(source: Source | None, connector: str, given: Mapping[str, Any], path: str = "", around: str = "", *, actor: Membership) -> Tree:
    """The branches at a path of a source with these settings, "" being its top. Raises Refused for settings that cannot be."""
    actions.owned(source, actor) if source else actions.may_set_up(actor)
    kind = configuring.connector(connector)
    if kind.browse is None:
        raise Refused(_("This kind of source is one list: there is nothing to look into."), field="connector")
    if "\0" in path + around or len(path) + len(around) > PATH_LENGTH:
        raise Refused(_("There is no such place in the source."), field="path")
    row = Source(workspace=actor.workspace, connector=connector, name=connector)
    config = {**settings_for(connector, given, source), **reaching.given_to(connector)}
    try:
        found = list(islice(kind.browse(config, path, reaching.Way(source or row, seconds=configuring.SECONDS)), MOST + 1))
    except SourceError as error:
        return Tree(fault=str(error))
    return Tree([choice(one, around) for one in found[:MOST]], len(found) > MOST)


def settings_for(connector: str, given: Mapping[str, Any], source: Source | None) -> dict[str, Any]:
    """As `taken`, without those that only say what is wanted: whoever chooses that has not said it yet."""
    found = configuring.judged(connector, given, source)
    found.wrong.update(configuring.unreachable(connector, given))
    later = {setting.name for setting in configuring.connector(connector).settings if setting.scope}
    for name, words in found.wrong.items():
        if name not in later:
            raise Refused(words, field=name)
    return found.values


def choice(one: Branch, around: str) -> Choice:
    patterns = tuple(around + pattern for pattern in one.patterns)
    setting, line = one.line or ("", "")
    return Choice(one.path, one.name, one.inner, setting, (line,) if setting else patterns, patterns)
