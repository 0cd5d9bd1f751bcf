"""Electronic books (EPUB): their pages in reading order, each as HTML. (Kreuzberg leaves some of a book's pages out.)"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from posixpath import dirname, join, normpath
from typing import Final
from urllib.parse import unquote
from zipfile import ZipFile

from lxml import etree

from retrieval.errors import Unreadable
from retrieval.parsers.archives import check_archive
from retrieval.parsers.cleaning import Draft
from retrieval.parsers.html import write_html
from retrieval.parsers.properties import describe
from retrieval.parsers.text import decode
from retrieval.types import Parsed

ANY: Final = "{*}"


def parse(data: bytes) -> Parsed:
    check_archive(data)
    draft = Draft("application/epub+zip")
    with ZipFile(BytesIO(data)) as archive:
        try:
            container = _xml(archive.read("META-INF/container.xml"))
            listing = str(container.find(f".//{ANY}rootfile").get("full-path"))
            package = _xml(archive.read(listing))
        except (KeyError, AttributeError, etree.XMLSyntaxError) as error:
            raise Unreadable("its list of pages is damaged") from error
        draft.title = package.findtext(f".//{ANY}title") or ""
        authors = [element.text for element in package.iterfind(f".//{ANY}metadata/{ANY}creator")]
        describe(draft, authors=authors, created=package.findtext(f".//{ANY}metadata/{ANY}date"))
        for page in _pages(package, dirname(listing)):
            if page in archive.namelist():
                draft.paragraph()
                write_html(draft, decode(archive.read(page)))
            else:
                draft.note(f'The page "{page}" is missing from the book.')
    return draft.parsed()


def _pages(package: etree._Element, folder: str) -> Iterator[str]:
    """The pages' names in the archive, in reading order."""
    items = {item.get("id"): item.get("href", "") for item in package.iterfind(f".//{ANY}manifest/{ANY}item")}
    for reference in package.iterfind(f".//{ANY}spine/{ANY}itemref"):
        if href := items.get(reference.get("idref")):
            yield normpath(join(folder, unquote(href)))


def _xml(data: bytes) -> etree._Element:
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
