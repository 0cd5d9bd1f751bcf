"""What kind of file these bytes are: by their first bytes and, for kinds without any, by the name's extension. Reads no content."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final
from zipfile import ZipFile

from retrieval.errors import EmptyFile, Encrypted, UnknownType, Unreadable
from retrieval.parsers.archives import BROKEN, open_archive
from retrieval.parsers.names import clean_name

KNOWN: Final = (
    "PDF, Word (docx, doc), PowerPoint (pptx, ppt), Excel (xlsx, xls), OpenDocument (odt, ods, odp), EPUB, RTF, HTML, e-mail (eml, "
    "msg), CSV and TSV, JSON, XML, YAML, Markdown, plain text, text on pictures (PNG, JPEG, TIFF, GIF, BMP, WebP), and archives of these "
    "(zip, tar, gz, bz2, xz)"
)
OPENXML: Final = "application/vnd.openxmlformats-officedocument"
BY_EXTENSION: Final = {
    **dict.fromkeys(("txt", "text", "log", "rst", "adoc", "asciidoc", "org", "tex", "vtt", "srt", "ini", "toml", "conf", ""), "text/plain"),
    **dict.fromkeys(("md", "markdown", "mdown"), "text/markdown"),
    **dict.fromkeys(("csv", "tsv", "tab"), "text/csv"),
    **dict.fromkeys(("json", "jsonl", "ndjson"), "application/json"),
    **dict.fromkeys(("yaml", "yml"), "application/yaml"),
    **dict.fromkeys(("html", "htm", "xhtml"), "text/html"),
    **dict.fromkeys(("eml",), "message/rfc822"),
    **dict.fromkeys(("xml", "nxml", "xbrl", "rss", "atom"), "application/xml"),
}
BINARY: Final = (
    "pdf docx docm dotx pptx pptm ppsx xlsx xlsm xlsb doc xls ppt msg odt ods odp epub rtf "
    "png jpg jpeg gif bmp tif tiff webp zip tar gz tgz bz2 tbz2 xz txz"
)
BINARY_EXTENSIONS: Final = frozenset(BINARY.split())
PACKED: Final = frozenset(("tar", "gz", "tgz", "bz2", "tbz2", "xz", "txz"))
BY_MEMBER: Final = {
    "word/document.xml": f"{OPENXML}.wordprocessingml.document",
    "word/document2.xml": f"{OPENXML}.wordprocessingml.document",
    "ppt/presentation.xml": f"{OPENXML}.presentationml.presentation",
    "xl/workbook.xml": f"{OPENXML}.spreadsheetml.sheet",
    "xl/workbook.bin": f"{OPENXML}.spreadsheetml.sheet",
}
BY_MIMETYPE: Final = {
    b"application/vnd.oasis.opendocument.text": "application/vnd.oasis.opendocument.text",
    b"application/vnd.oasis.opendocument.spreadsheet": "application/vnd.oasis.opendocument.spreadsheet",
    b"application/vnd.oasis.opendocument.presentation": "application/vnd.oasis.opendocument.presentation",
    b"application/epub+zip": "application/epub+zip",
}
PICTURES: Final = {
    "image/png": re.compile(rb"\x89PNG\r\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/bmp": re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL),
    "image/tiff": re.compile(rb"II\*\0|MM\0\*"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
OTHER_PICTURES: Final = re.compile(rb"....ftyp(heic|avif|mif1)", re.DOTALL)
PDF: Final = re.compile(rb"%PDF-\d")
HTML: Final = re.compile(rb"\s*(?:<\?xml[^>]*>\s*|<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
MARKUP: Final = re.compile(rb"\s*(<\?xml|<!doctype\s|<svg\b)", re.IGNORECASE)
MARKS: Final = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def sniff(name: str, data: bytes) -> str:
    """A key of PARSERS. Raises EmptyFile, Encrypted, UnknownType, or Unreadable where the bytes are not what the name promises."""
    if not data:
        raise EmptyFile
    extension = PurePosixPath(clean_name(name)).suffix.lower().lstrip(".")
    if media_type := "application/x-tar" if is_packed(name, data) else _by_magic(name, data):
        return media_type
    if extension in BINARY_EXTENSIONS:
        raise Unreadable(f"its content is not that of a .{extension} file")
    if OTHER_PICTURES.match(data) or extension not in BY_EXTENSION:
        raise UnknownType(clean_name(name), KNOWN)
    media_type = BY_EXTENSION[extension]
    if media_type not in ("text/html", "application/xml") and MARKUP.match(_opening(data)):
        raise UnknownType(clean_name(name), KNOWN)
    return media_type


def is_packed(name: str, data: bytes) -> bool:
    """Whether it is a tar file or something packed, by its bytes and its name both: a program's own format may begin alike."""
    ends = PurePosixPath(clean_name(name)).suffix.lower().lstrip(".") in PACKED
    return ends and (data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")) or data[257:262] == b"ustar")


def _by_magic(name: str, data: bytes) -> str | None:
    opening = _opening(data)
    if data.startswith((b"PK\3\4", b"PK\5\6")):
        return _zipped(name, data)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound(name, data)
    if HTML.match(opening):
        return "text/html"
    if PDF.search(data, 0, 1024 + 7):
        return "application/pdf"
    if data.startswith(b"{\\rtf"):
        return "application/rtf"
    return next((media_type for media_type, opens in PICTURES.items() if opens.match(data)), None)


def may_be_scanned(head: bytes) -> bool:
    """Whether a file that begins so may hold pictures of text, which take long to read."""
    return PDF.search(head, 0, 1024 + 7) is not None or any(opens.match(head) for opens in PICTURES.values())


def _opening(data: bytes) -> bytes:
    """The first 4 kB as ASCII-compatible bytes, whatever their encoding, without a byte order mark."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data[:8192].decode(encoding, errors="ignore").encode()
    return data[:4096].removeprefix(b"\xef\xbb\xbf")


def _zipped(name: str, data: bytes) -> str:
    archive = open_archive(data, sealed=PurePosixPath(clean_name(name)).suffix.lower() == ".zip")
    members = set(archive.namelist())
    for member, media_type in BY_MEMBER.items():
        if member in members:
            return media_type
    if "mimetype" in members:
        try:
            with archive.open("mimetype") as stream:
                media_type = BY_MIMETYPE.get(stream.read(200).strip(), "")
            sealed = _is_sealed(archive)
        except BROKEN as error:
            raise Unreadable("its zip archive is damaged") from error
        if sealed:
            raise Encrypted
        if media_type:
            return media_type
    if PurePosixPath(clean_name(name)).suffix.lower() == ".zip":
        return "application/zip"
    raise UnknownType(clean_name(name), KNOWN)


def _is_sealed(archive: ZipFile) -> bool:
    """Whether an OpenDocument's list of its parts says that they are encrypted."""
    for entry in archive.infolist():
        if entry.filename == "META-INF/manifest.xml" and entry.file_size < 10_000_000:
            return b"encryption-data" in archive.read(entry)
    return False


def _compound(name: str, data: bytes) -> str:
    """Microsoft's compound files by the names of their streams, which stand in them as UTF-16."""

    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in data

    if holds("EncryptedPackage"):
        raise Encrypted
    if holds("PowerPoint Document"):
        return "application/vnd.ms-powerpoint"
    if holds("__properties_version1.0"):
        return "application/vnd.ms-outlook"
    if holds("WordDocument"):
        return "application/msword"
    if holds("Workbook") or holds("Book\0"):
        return "application/vnd.ms-excel"
    raise UnknownType(clean_name(name), KNOWN)
