"""Pictures of text (PNG, JPEG, TIFF, ...): what is written on them, by text recognition. Each picture in the file is a page."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from retrieval.errors import TooLarge, Unreadable
from retrieval.parsers import recognition
from retrieval.parsers.cleaning import Draft
from retrieval.parsers.pdf_words import clamped
from retrieval.types import Parsed, Way, Word

FORMATS: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "GIF": "image/gif", "BMP": "image/bmp"} | {
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
MAX_PIXELS: Final = 120_000_000
MAX_FRAMES: Final = 500
READ_PIXELS: Final = 16_000_000
"""A larger picture is made smaller before it is read: letters are large enough on it."""
SMALL: Final = 1000
"""Points of the longer side, below which a picture is made twice as large: letters are small on it."""
BROKEN: Final = (OSError, UnidentifiedImageError, SyntaxError, ValueError, EOFError)
RESOLUTIONS: Final = range(70, 1201)


def parse(data: bytes, way: Way) -> Parsed:
    picture = _open(data)
    frames = 1 if picture.format in ("GIF", "MPO", "WEBP") else min(getattr(picture, "n_frames", 1), MAX_FRAMES)
    draft, words = Draft(FORMATS[str(picture.format)]), list[Word]()
    recogniser = recognition.Recogniser(way.languages, way.seconds)
    unread = 0
    for number in range(1, frames + 1):
        draft.paragraph()
        first = draft.length
        if number in way.without:
            continue
        if way.recognise == "never" or not recogniser.ready or recogniser.spent:
            unread += 1
            continue
        words += _write(draft, recogniser, _frame(picture, number), number)
        draft.place("page", str(number), first, draft.length)
    lacking = recognition.missing(way.languages) if way.recognise != "never" else ""
    if unread and not lacking:
        draft.note(f"{unread} of {frames} pages were not read, as reading them would have taken too long or was switched off.")
    if lacking:
        draft.note(lacking)
    return draft.parsed(words=words, pages=frames, nothing=lacking.rstrip(".") or "no words were recognised in the picture")


def _write(draft: Draft, recogniser: recognition.Recogniser, frame: Image.Image, number: int) -> Iterator[Word]:
    resolution = round(float(frame.info.get("dpi", (0, 0))[0] or 0))
    for place, token in enumerate(recogniser.read(_sized(frame), resolution if resolution in RESOLUTIONS else 300)):
        draft.write(token.before if place else "")
        start, end = draft.write(token.text)
        yield Word(start, end, number, clamped(token.box))


def draw_page(data: bytes, page: int, *, width: int = 1200) -> bytes:
    """The picture (1 is the first) as PNG, at most `width` pixels wide. Raises Unreadable, TooLarge."""
    frame = _frame(_open(data), page)
    frame.thumbnail((width, width * 10))
    png = BytesIO()
    frame.convert("RGB").save(png, "PNG", compress_level=3)
    return png.getvalue()


def _open(data: bytes) -> Image.Image:
    """The picture, of which only the head was read. Raises TooLarge by what that says."""
    try:
        Image.MAX_IMAGE_PIXELS = None  # weighed below, in our own words
        picture = Image.open(BytesIO(data), formats=[name for name in FORMATS if name != "MPO"])  # a kind of JPEG
    except BROKEN as error:
        raise Unreadable("it is not a picture that can be read") from error
    _weigh(picture)
    return picture


def _weigh(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise TooLarge(f"The picture has {picture.width:,} x {picture.height:,} points", f"{MAX_PIXELS // 1_000_000} million points")


def _frame(picture: Image.Image, number: int) -> Image.Image:
    """One picture of the file, turned as its camera says, without transparency."""
    try:
        picture.seek(number - 1)
        _weigh(picture)
        info = dict(picture.info)
        upright = ImageOps.exif_transpose(picture)
        if "A" in upright.getbands() or "transparency" in info:
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        frame = upright.convert("RGB")
    except BROKEN as error:
        raise Unreadable("its picture is damaged") from error
    frame.info = info
    return frame


def _sized(frame: Image.Image) -> Image.Image:
    grey = frame.convert("L")
    if grey.width * grey.height > READ_PIXELS:
        factor = (READ_PIXELS / (grey.width * grey.height)) ** 0.5
        return grey.resize((max(1, int(grey.width * factor)), max(1, int(grey.height * factor))))
    return grey.resize((grey.width * 2, grey.height * 2)) if max(grey.size) < SMALL else grey
