from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from retrieval.errors import TooLarge, Unreadable
from retrieval.parsers.pictures import draw_page, parse
from retrieval.types import AS_USUAL
from tests.retrieval import files


def huge_png(side: int) -> bytes:
    """A small file that says it is a very large picture."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(1000))) + part(b"IEND", b"")


def test_a_picture_of_50_000_by_50_000_points_is_refused_by_its_head() -> None:
    for work in (lambda: parse(huge_png(50_000), AS_USUAL), lambda: draw_page(huge_png(50_000), 1)):
        with pytest.raises(TooLarge, match="50,000 x 50,000 points"):
            work()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"])
def test_every_kind_of_picture_is_drawn(kind: str) -> None:
    drawn = Image.open(BytesIO(draw_page(files.picture("Words", kind=kind), 1, width=300)))
    assert drawn.size == (300, 50)


@pytest.mark.parametrize("cut", [30, 200])
def test_a_broken_picture_is_refused(cut: int) -> None:
    with pytest.raises(Unreadable):
        parse(files.picture("Words")[:cut], AS_USUAL)
