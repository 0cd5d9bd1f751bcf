"""Text in pictures, by tesseract's library (libtesseract) inside of this process: no program is started, and the limits of the confined
child hold for it too. Knows no document. Tesseract is optional: `missing` says what to install.

R. Smith 2007, "An Overview of the Tesseract OCR Engine"; the interface is that of tesseract/capi.h, the words' boxes those of its TSV.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image

from retrieval.parsers.cleaning import clean
from retrieval.parsers.pdf_words import Box, Token

LIBRARIES: Final = ("libtesseract.so.5", "libtesseract.so.4")
DATA: Final = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
)
# fmt: off
NAMES: Final = (
    "ar:ara be:bel bg:bul bn:ben ca:cat cs:ces cy:cym da:dan de:deu el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fr:fra ga:gle gl:glg "
    "gu:guj he:heb hi:hin hr:hrv hu:hun hy:hye id:ind is:isl it:ita ja:jpn ka:kat kk:kaz km:khm kn:kan ko:kor la:lat lt:lit lv:lav mk:mkd "
    "ml:mal mr:mar ms:msa nb:nor nl:nld pa:pan pl:pol pt:por ro:ron ru:rus sk:slk sl:slv sq:sqi sr:srp sv:swe ta:tam te:tel th:tha tl:tgl "
    "tr:tur uk:ukr ur:urd uz:uzb vi:vie yi:yid zh:chi_sim"
)
# fmt: on
CODES: Final = dict(pair.split(":") for pair in NAMES.split())
"""ISO 639-1 to tesseract's own names."""
MOST_LANGUAGES: Final = 2
"""Read at once: each makes it slower."""
AUTOMATIC: Final = 3
"""PSM_AUTO: columns and blocks are found by itself."""
SURE: Final = 40
"""Of 100: words that tesseract believes less are left out, as specks and lines of drawings are."""
DOUBTED: Final = 75
"""A page whose words it believes less than this on average may stand on its side."""
WORD_LEVEL: Final = "5"
ONLY_SIGNS: Final = 70
BREAKS: Final = ("", " ", "\n", "\n\n")


@cache
def library() -> ctypes.CDLL | None:
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # Threads that wait for each other on a busy machine make it ten times slower.
    for name in LIBRARIES:
        try:
            found = ctypes.CDLL(name)
        except OSError:
            continue
        found.TessBaseAPICreate.restype = found.TessMonitorCreate.restype = ctypes.c_void_p
        found.TessBaseAPIGetTsvText.restype = ctypes.c_void_p
        found.TessBaseAPIInit3.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
        found.TessBaseAPISetVariable.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
        found.TessBaseAPISetPageSegMode.argtypes = found.TessBaseAPISetSourceResolution.argtypes = (ctypes.c_void_p, ctypes.c_int)
        found.TessBaseAPISetImage.argtypes = (ctypes.c_void_p, ctypes.c_char_p, *(ctypes.c_int,) * 4)
        found.TessBaseAPIRecognize.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        found.TessBaseAPIGetTsvText.argtypes = found.TessMonitorSetDeadlineMSecs.argtypes = (ctypes.c_void_p, ctypes.c_int)
        found.TessDeleteText.argtypes = (ctypes.c_void_p,)
        found.TessBaseAPIDetectOrientationScript.argtypes = (ctypes.c_void_p,) * 5
        return found
    return None


@cache
def installed() -> frozenset[str]:
    """Tesseract's names of the languages that can be read here; none where it is not installed."""
    return frozenset(path.stem for path in Path(folder()).glob("*.traineddata")) - {"osd"} if library() and folder() else frozenset()


def folder() -> str:
    return next((name for name in DATA if Path(name).is_dir()), "")


def missing(languages: Sequence[str]) -> str:
    """What is to be installed to read these languages (ISO 639-1), as a sentence; empty where nothing is."""
    wanted = [code.replace("_", "-") for language in languages if (code := CODES.get(language)) and code not in installed()]
    if not installed():
        packs = " ".join(f"tesseract-ocr-{code}" for code in wanted or ["eng"])
        return f"Text recognition is not installed on the server: apt-get install tesseract-ocr {packs}, then read the file again."
    if wanted:
        packs = " ".join(f"tesseract-ocr-{code}" for code in wanted)
        return f"Text recognition lacks a language of it on the server: apt-get install {packs}, then read the file again."
    return ""


class Recogniser:
    """Reads pictures in some languages (ISO 639-1), those of them that are installed, else in any that is; for `seconds` in all."""

    def __init__(self, languages: Sequence[str], seconds: float) -> None:
        self._until = time.monotonic() + seconds
        known = [code for language in languages if (code := CODES.get(language)) in installed()]
        self._names = known[:MOST_LANGUAGES] or sorted(installed(), key=lambda name: (name != "eng", name))[:1]
        self._engines: dict[str, int] = {}

    @property
    def ready(self) -> bool:
        return bool(self._names)

    @property
    def spent(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self._until

    def read(self, picture: Image.Image, resolution: int = 300) -> list[Token]:
        """The words in reading order, with their boxes on the picture. One that stands on its side or its head is turned for reading."""
        grey = picture.convert("L")
        best, turned = self._read(grey, resolution), 0
        if _belief(best) < DOUBTED:
            for quarters in self._quarters(grey):
                if self.spent:
                    break
                found = self._read(grey.transpose(TURNS[quarters]), resolution)
                if _belief(found) > _belief(best):
                    best, turned = found, quarters
                if _belief(found) >= DOUBTED:
                    break
        return [Token(token.text, _turned_back(token.box, turned), token.before) for token in _believed(best)]

    def _read(self, grey: Image.Image, resolution: int) -> list[tuple[Token, float]]:
        """Each word with how far it is believed."""
        tesseract, engine = library(), self._engine("+".join(self._names))
        assert tesseract
        tesseract.TessBaseAPISetPageSegMode(engine, AUTOMATIC)
        tesseract.TessBaseAPISetImage(engine, grey.tobytes(), grey.width, grey.height, 1, grey.width)
        tesseract.TessBaseAPISetSourceResolution(engine, resolution)
        monitor = tesseract.TessMonitorCreate()
        tesseract.TessMonitorSetDeadlineMSecs(monitor, max(1, round((self._until - time.monotonic()) * 1000)))
        if tesseract.TessBaseAPIRecognize(engine, monitor):
            return []
        said = tesseract.TessBaseAPIGetTsvText(engine, 0)
        if not said:
            return []
        try:
            return list(_words(ctypes.string_at(said).decode(errors="replace"), grey.size))
        finally:
            tesseract.TessDeleteText(said)

    def _quarters(self, grey: Image.Image) -> Sequence[int]:
        """By how many quarters (against the clock) the picture may have to be turned to stand upright; all, where that cannot be told."""
        tesseract = library()
        if tesseract is None or not Path(folder(), "osd.traineddata").exists():
            return list(TURNS)
        engine = self._engine("osd")
        tesseract.TessBaseAPISetImage(engine, grey.tobytes(), grey.width, grey.height, 1, grey.width)
        degrees, sure, script, script_sure = ctypes.c_int(), ctypes.c_float(), ctypes.c_char_p(), ctypes.c_float()
        said = [ctypes.addressof(value) for value in (degrees, sure, script, script_sure)]
        told = tesseract.TessBaseAPIDetectOrientationScript(engine, *said)
        return [quarters for quarters in (degrees.value // 90 % 4,) if quarters] if told else list(TURNS)

    def _engine(self, name: str) -> int:
        tesseract = library()
        assert tesseract
        if name not in self._engines:
            engine = tesseract.TessBaseAPICreate()
            if tesseract.TessBaseAPIInit3(engine, folder().encode(), name.encode()):
                raise OSError(f"tesseract cannot load {name}")
            tesseract.TessBaseAPISetVariable(engine, b"debug_file", b"/dev/null")
            self._engines[name] = engine
        return self._engines[name]


TURNS: Final = {1: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180}


def _believed(found: Sequence[tuple[Token, float]]) -> Iterator[Token]:
    """Without those that are not sure enough, which leave the line's end where it was."""
    skipped = ""
    for token, sure in found:
        if sure >= (SURE if any(map(str.isalnum, token.text)) else ONLY_SIGNS):
            yield Token(token.text, token.box, max(skipped, token.before, key=BREAKS.index))
            skipped = ""
        else:
            skipped = max(skipped, token.before, key=BREAKS.index)


def _belief(found: Sequence[tuple[Token, float]]) -> float:
    """On average over the letters."""
    letters = sum(len(token.text) for token, _ in found)
    return sum(len(token.text) * sure for token, sure in found) / letters if letters else 0.0


def _words(tsv: str, size: tuple[int, int]) -> Iterator[tuple[Token, float]]:
    """Of tesseract's table: level, page, block, paragraph, line, word, left, top, width, height, confidence, text."""
    across, down = size
    paragraph, line = "", ""
    for row in tsv.split("\n"):
        cells = row.split("\t")
        if len(cells) != 12 or cells[0] != WORD_LEVEL:
            continue
        text, sure = clean(cells[11]).strip(), float(cells[10])
        if not text or " " in text:
            continue
        here, there = ".".join(cells[1:4]), ".".join(cells[1:5])
        before = "\n\n" if here != paragraph else "\n" if there != line else " "
        paragraph, line = here, there
        left, top, width, height = (int(cell) for cell in cells[6:10])
        yield Token(text, (left / across, top / down, (left + width) / across, (top + height) / down), before), sure


def _turned_back(box: Box, quarters: int) -> Box:
    """The box on the picture before it was turned by so many quarters against the clock."""
    left, top, right, bottom = box
    for _ in range(quarters):
        left, top, right, bottom = 1 - bottom, left, 1 - top, right
    return left, top, right, bottom
