"""One page of a PDF as a picture."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import pypdfium2 as pdfium

from retrieval.errors import Unreadable
from retrieval.parsers.pdf import open_pdf

MAX_WIDTH: Final = 4000
MAX_HEIGHT: Final = 12_000


def draw_page(data: bytes, page: int, *, width: int = 1200) -> bytes:
    """The page (1 is the first) as PNG, `width` pixels wide, at most 4000; less if it is very high.

    Raises Encrypted, Unreadable, TooLarge.
    """
    document = open_pdf(data)
    if not 1 <= page <= len(document):
        raise Unreadable(f"it has no page {page}; it has {len(document)}")
    if document.get_formtype():
        document.init_forms()
    try:
        sheet = document[page - 1]
        across, down = sheet.get_size()
        scale = min(min(width, MAX_WIDTH) / max(across, 1), MAX_HEIGHT / max(down, 1))
        picture = sheet.render(scale=scale, may_draw_forms=True).to_pil().convert("RGB")
    except pdfium.PdfiumError as error:
        raise Unreadable(f"its page {page} is damaged") from error
    png = BytesIO()
    picture.save(png, "PNG", compress_level=3)
    return png.getvalue()
