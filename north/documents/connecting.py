"""Connecting a source by a person's consent. What was begun is remembered in their session alone, and is good once, for minutes: an answer
that somebody else's browser began, or that comes again, connects nothing."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from north.documents import actions, channels, configuring, reaching
from north.documents.consents import Connection
from north.documents.errors import Refused
from north.documents.models import Source
from north.workspaces.audit import record
from north.workspaces.models import Membership
from retrieval.connectors import consenting
from retrieval.connectors.consenting import Begun, Device, Given
from retrieval.connectors.contract import Consent
from retrieval.errors import SourceError

Session = MutableMapping[str, Any]
BEGUN, DEVICE = "consents begun", "device consents"
LASTS = 600
MOST = 5


def consent_of(source: Source) -> Consent:
    """Raises Refused where the source is not to be connected that way."""
    consent = configuring.connector(source.connector).consent
    if consent is None or source.config.get(consent.when[0]) != consent.when[1]:
        raise Refused(_("This source is not connected by consent. Choose that in its settings, if its kind knows it."), field="")
    return consent


def way_back() -> str:
    """The one address that the app must know."""
    return settings.PUBLIC_URL + reverse("consent")


def begin(source: Source, session: Session, *, actor: Membership) -> Begun:
    actions.owned(source, actor)
    begun = consenting.begin(consent_of(source), config(source), way_back())
    entry = {"source": str(source.pk), "slug": actor.workspace.slug, "verifier": begun.verifier, "until": time.time() + LASTS}
    session[BEGUN] = dict([*list((session.get(BEGUN) or {}).items())[-MOST + 1 :], (begun.state, entry)])
    return begun


def taken(session: Session, state: str) -> dict[str, Any] | None:
    """What this browser began under that name; it is forgotten by this."""
    begun = dict(session.get(BEGUN) or {})
    entry: dict[str, Any] | None = begun.pop(state, None)
    session[BEGUN] = begun
    return entry if entry and entry["until"] > time.time() else None


def finish(source: Source, entry: dict[str, Any], code: str, error: str, *, actor: Membership) -> None:
    """Raises Refused in words."""
    actions.owned(source, actor)
    consent = consent_of(source)
    if error or not code:
        words = consenting.WORDS.get(error, consenting.WORDS["access_denied"])
        raise Refused(words, field="")
    try:
        way = reaching.Way(source, seconds=10)
        given = consenting.finish(consent, config(source), code, entry["verifier"], way, back=way_back())
    except SourceError as fault:
        raise Refused(str(fault), field="") from fault
    keep(source, consent, given, actor)


def begin_device(source: Source, session: Session, *, actor: Membership) -> Device:
    actions.owned(source, actor)
    consent = consent_of(source)
    if consent.device is None:
        raise Refused(_("This service knows no codes to type in. Use “Connect”."), field="")
    try:
        found = consenting.begin_device(consent, config(source), reaching.Way(source, seconds=10))
    except SourceError as fault:
        raise Refused(str(fault), field="") from fault
    session[DEVICE] = {
        "source": str(source.pk),
        "code": found.code,
        "until": time.time() + found.seconds,
        "next": 0.0,
        "wait": found.interval,
    }
    return found


def poll(source: Source, session: Session, *, actor: Membership) -> bool:
    """Whether the person has agreed. Raises Refused where they will not any more."""
    actions.owned(source, actor)
    begun, now = session.get(DEVICE) or {}, time.time()
    if begun.get("source") != str(source.pk) or begun["until"] < now:
        raise Refused(consenting.WORDS["expired_token"], field="")
    if now < begun["next"]:
        return False
    session[DEVICE] = {**begun, "next": now + begun["wait"]}
    consent = consent_of(source)
    try:
        given = consenting.poll(consent, config(source), begun["code"], reaching.Way(source, seconds=10))
    except SourceError as fault:
        session[DEVICE] = {}
        raise Refused(str(fault), field="") from fault
    if given:
        session[DEVICE] = {}
        keep(source, consent, given, actor)
    return given is not None


def disconnect(source: Source, *, actor: Membership) -> None:
    actions.owned(source, actor)
    consent = consent_of(source)
    channels.withdraw(source)
    with transaction.atomic():
        secret(source, consent.kept, "")
        Connection.objects.filter(source=source).delete()
        record("source.disconnect", actor=actor, thing=source, name=source.name)


def keep(source: Source, consent: Consent, given: Given, actor: Membership) -> None:
    with transaction.atomic():
        secret(source, consent.kept, given.secret)
        Connection.objects.update_or_create(source=source, defaults={"name": given.name, "by": actor.user})
        record("source.connect", actor=actor, thing=source, name=source.name, account=given.name)
        actions.start(source)
        channels.look_again(source)


def secret(source: Source, name: str, value: str) -> None:
    row = Source.objects.select_for_update().get(pk=source.pk)
    found = {**configuring.secrets_of(row), name: value}
    Source.objects.filter(pk=row.pk).update(secrets=reaching.sealed(row, {key: one for key, one in found.items() if one}))


def config(source: Source) -> dict[str, Any]:
    """With every setting there, as connectors take it."""
    kind = configuring.connector(source.connector)
    return {setting.name: "" for setting in kind.settings if setting.kind == "secret"} | reaching.config_of(source)
