"""E-mail as files: sender, recipients, date and subject as lines, then the body, then the names of what is attached:
each file is a document of its own. A mail that is attached to one is read with it."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from typing import Final

from retrieval.errors import Encrypted, Unreadable
from retrieval.parsers.cleaning import Draft, one_line
from retrieval.parsers.html import write_html
from retrieval.parsers.names import clean_name
from retrieval.parsers.properties import describe
from retrieval.parsers.text import decode
from retrieval.types import Attached, Parsed

SHOWN: Final = ("From", "To", "Cc", "Date", "Subject")
MAX_DEPTH: Final = 3
MAX_PARTS: Final = 1000
MAX_ATTACHED: Final = 200
MAX_ATTACHED_BYTES: Final = 100_000_000
DECORATION: Final = 20_000
SEALED: Final = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")


def parse(data: bytes) -> Parsed:
    message = message_from_bytes(_as_ascii(data), policy=policy.compat32)
    if not any(message.get(name) for name in (*SHOWN, "Received", "MIME-Version", "Message-ID")):
        raise Unreadable("it has none of an e-mail's lines such as From, Date or Subject")
    draft = Draft("message/rfc822")
    draft.title = _header(message, "Subject")
    senders = getaddresses([_header(message, "From")])
    describe(draft, authors=[name or address for name, address in senders], created=_header(message, "Date"))
    _write(draft, message, 0)
    return draft.parsed()


def _as_ascii(data: bytes) -> bytes:
    """Whole mails that a program saved as UTF-16 are brought back to bytes that a mail can be."""
    return decode(data).encode() if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:100] else data


def _write(draft: Draft, message: Message, depth: int) -> None:
    for name in SHOWN:
        if value := _header(message, name):
            draft.line(f"{name}: {value}")
    parts = list(_parts(message))
    if message.get_content_type() in SEALED and "signed-data" not in str(message.get("Content-Type")):
        raise Encrypted
    _write_body(draft, [part for part in parts if not _is_attached(part)])
    for part in parts:
        if _is_attached(part):
            _write_attachment(draft, part, depth)


def _parts(message: Message) -> Iterator[Message]:
    """Leaves in order; a forwarded message is one leaf."""
    waiting = [message]
    for _ in range(MAX_PARTS):
        if not waiting:
            return
        part = waiting.pop()
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            waiting.extend(reversed([child for child in inner if isinstance(child, Message)]))
        else:
            yield part


def _is_attached(part: Message) -> bool:
    kind = part.get_content_type()
    return kind not in ("text/plain", "text/html") or part.get_content_disposition() == "attachment"


def _write_body(draft: Draft, parts: list[Message]) -> None:
    """The plain text, or the HTML where there is no plain text, or hardly any."""
    plain = "\n\n".join(_text(part).strip() for part in parts if part.get_content_type() == "text/plain").strip()
    pages = [_text(part) for part in parts if part.get_content_type() == "text/html"]
    if plain and (len(plain) >= 200 or not pages):
        draft.paragraph(plain)
        return
    draft.paragraph()
    before = draft.length
    for page in pages:
        write_html(draft, page)
    if draft.length - before < len(plain):
        draft.paragraph(plain)


def _write_attachment(draft: Draft, part: Message, depth: int) -> None:
    name = clean_name(_filename(part))
    inner = part.get_payload()
    if part.get_content_type() == "message/rfc822" and isinstance(inner, list) and inner and isinstance(inner[0], Message):
        draft.heading(f"Attached message: {_header(inner[0], 'Subject') or name}")
        if depth < MAX_DEPTH:
            _write(draft, inner[0], depth + 1)
        return
    data = part.get_payload(decode=True)
    draft.line(f"Attachment: {name}")
    if not isinstance(data, bytes) or not data or _is_decoration(part, data):
        return
    if len(draft.attached) == MAX_ATTACHED or sum(len(one.data) for one in draft.attached) + len(data) > MAX_ATTACHED_BYTES:
        draft.note(f'The attachment "{name}" was left out: the mail has too many, or too large ones.')
        return
    draft.attached.append(Attached(name, data))


def _is_decoration(part: Message, data: bytes) -> bool:
    """A small picture inside of the text: a signature's logo, a smiley."""
    return part.get_content_maintype() == "image" and len(data) < DECORATION and part.get("Content-ID") is not None


def _filename(part: Message) -> str:
    name = part.get_filename() or part.get_param("name") or ""
    return _readable(name if isinstance(name, str) else name[2]) or "file"


def _text(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        return data.decode(part.get_content_charset() or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return decode(data) if data else ""


def _header(message: Message, name: str) -> str:
    return _readable(", ".join(str(value) for value in message.get_all(name, [])))


def _readable(raw: str) -> str:
    try:
        return one_line(str(make_header(decode_header(raw))))
    except (MessageError, LookupError, UnicodeError, ValueError):
        return one_line(raw.encode("ascii", "surrogateescape").decode("utf-8", "replace") if not raw.isascii() else raw)
