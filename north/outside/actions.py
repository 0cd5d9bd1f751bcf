"""An owner's verbs: which hosts agents may ask for pages."""

from __future__ import annotations

import re

from django.db import transaction
from django.utils.translation import gettext as _

from north.outside.models import AllowedHost
from north.workspaces.access import demand
from north.workspaces.audit import record
from north.workspaces.errors import Refused
from north.workspaces.models import Membership, Role

MOST = 100
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+(?::\d{{1,5}})?")


def set_hosts(text: str, *, actor: Membership) -> list[str]:
    """The hosts of these lines and no others. Raises Refused for what is no host, and keeps all as it was."""
    demand(actor, Role.OWNER)
    hosts = sorted({plain(line) for line in text.replace(",", "\n").splitlines() if line.strip()})
    if len(hosts) > MOST:
        raise Refused(_("At most %(most)d hosts can be on the list.") % {"most": MOST})
    with transaction.atomic():
        rows = AllowedHost.objects.filter(workspace=actor.workspace)
        before = set(rows.values_list("host", flat=True))
        rows.exclude(host__in=hosts).delete()
        new = [AllowedHost(workspace=actor.workspace, host=host, added_by=actor.user) for host in hosts if host not in before]
        AllowedHost.objects.bulk_create(new)
        if before != set(hosts):
            record("outside.hosts", actor=actor, thing=actor.workspace, hosts=hosts)
    return hosts


def plain(line: str) -> str:
    """The host of a line, which may be a whole address; in the letters that the network knows (IDNA). Raises Refused."""
    said = line.strip().lower().rstrip(".")
    said = re.sub(r"^https?://", "", said).split("/")[0]
    try:
        host = said.encode("ascii" if said.isascii() else "idna").decode()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise Refused(_("“%(line)s” is not the name of a host. Write it as in an address: www.example.com") % {"line": line.strip()[:80]})
    return host
