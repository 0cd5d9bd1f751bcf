"""What a file says of itself beside its text: who wrote it, when it was made and when it was changed last. Believed only as far as it makes
sense; what makes none is left out. Knows no index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from zipfile import ZipFile

from lxml import etree

from retrieval.parsers.archives import BROKEN
from retrieval.parsers.cleaning import Draft, one_line

MAX_AUTHOR: Final = 200
EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
NEVER: Final = {datetime(1980, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), datetime(2013, 12, 23, 23, 15, tzinfo=UTC)}
"""What programs write where they know no time, or want the same file every time: the zero of DOS, reportlab's, python-docx's template."""
LARGEST: Final = 1_000_000
"""Bytes of a part that holds properties."""
NOBODY: Final = re.compile(
    r"(?i)(unknown|anonymous|user|admin|administrator|author|owner|python-docx|python-pptx|openpyxl|"
    r"microsoft( office)?( user)?|apache poi|n/?a|none|-|\\?)"
)
"""What programs write where they know no author."""
PDF_DATE: Final = re.compile(r"(?:D:|(?=\d{14}))(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?|Z)?.{0,6}")
LEAST: Final = (0, 1, 1, 0, 0, 0)
ELEMENTS: Final = {"author": ("initial-creator", "creator"), "created": ("created", "creation-date"), "updated": ("modified", "date")}
"""Local names of Office Open XML's core properties (docProps/core.xml) and of OpenDocument's (meta.xml), the better one first."""


def describe(draft: Draft, *, authors: Iterable[object] = (), created: object = None, updated: object = None) -> None:
    """Writes into the draft what of this is a name or a time."""
    names = [one_line(str(name)) for name in authors if name]
    draft.author = "; ".join(dict.fromkeys(name for name in names if name and not NOBODY.fullmatch(name)))[:MAX_AUTHOR]
    draft.created_at, draft.updated_at = moment(created), moment(updated)
    if draft.created_at and draft.updated_at:
        draft.updated_at = max(draft.created_at, draft.updated_at)


def describe_by_archive(draft: Draft, archive: ZipFile) -> None:
    """The same from the properties that an Office or OpenDocument file holds; none, or damaged ones, say nothing."""
    found: dict[str, str] = {}
    for name in {"docProps/core.xml", "meta.xml"} & set(archive.namelist()):
        if archive.getinfo(name).file_size > LARGEST:
            continue
        try:
            root = etree.fromstring(archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        except (*BROKEN, etree.XMLSyntaxError):
            continue
        found |= {etree.QName(element).localname: element.text for element in root.iter(etree.Element) if (element.text or "").strip()}
    first = {kind: next((found[name] for name in names if name in found), "") for kind, names in ELEMENTS.items()}
    describe(draft, authors=[first["author"]], created=first["created"], updated=first["updated"])


def moment(said: object) -> datetime | None:
    """The time in any of the ways that files say it (datetime, ISO 8601, RFC 5322, PDF's), aware; None where it is none, lies before 1970
    or in the future, or is one of NEVER."""
    at = said if isinstance(said, datetime) else _read(one_line(str(said or ""))[:60])
    if at is None:
        return None
    try:
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return at if EARLIEST <= at <= datetime.now(UTC) + timedelta(days=2) and at not in NEVER else None


def _read(text: str) -> datetime | None:
    if found := PDF_DATE.fullmatch(text):
        return _pdf(found)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _pdf(found: re.Match[str]) -> datetime | None:
    """ISO 32000-1, 7.9.4."""
    year, month, day, hour, minute, second = (int(part) if part else least for part, least in zip(found.groups()[:6], LEAST, strict=True))
    sign, hours, minutes = found[7], int(found[8] or 0), int(found[9] or 0)
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return at - timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1)
