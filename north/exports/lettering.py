"""Which font has a letter. DejaVu Sans is shipped: Latin, Greek, Cyrillic and their neighbours. Chinese, Japanese and Korean are left to
the reader's program, which brings such fonts (PDF 32000-1, 9.7.5). Scripts written from right to left or to be shaped are not set."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

FONTS = Path(__file__).parent / "fonts"
SANS, BOLD, NONE = "DejaVu", "DejaVu-Bold", "▯"
JAPANESE, CHINESE, KOREAN = "HeiseiKakuGo-W5", "STSong-Light", "HYGothic-Medium"
_KANA, _HANGUL = re.compile("[\u3040-\u30ff]"), re.compile("[\u1100-\u11ff\uac00-\ud7af]")
EASTERN = re.compile("[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_SHAPED = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


class Letters:
    """Markup in which every letter has a font; remembers the scripts that it has none for."""

    def __init__(self, text: str) -> None:
        pdfmetrics.registerFont(TTFont(SANS, str(FONTS / "DejaVuSans.ttf")))
        pdfmetrics.registerFont(TTFont(BOLD, str(FONTS / "DejaVuSans-Bold.ttf")))
        pdfmetrics.registerFontFamily(SANS, normal=SANS, bold=BOLD, italic=SANS, boldItalic=BOLD)
        self.eastern = JAPANESE if _KANA.search(text) else KOREAN if _HANGUL.search(text) else CHINESE
        self.is_eastern = bool(EASTERN.search(text))
        if self.is_eastern:
            pdfmetrics.registerFont(UnicodeCIDFont(self.eastern))
            pdfmetrics.registerFontFamily(self.eastern, *[self.eastern] * 4)
        self.known = frozenset(pdfmetrics.getFont(SANS).face.charToGlyph)
        self.missing: set[str] = set()

    def markup(self, text: str) -> str:
        parts = []
        for eastern, letters in groupby(map(self.letter, text), key=lambda letter: bool(EASTERN.match(letter))):
            said = escape("".join(letters)).replace("\n", "<br/>")
            parts.append(f'<font name="{self.eastern}">{said}</font>' if eastern else said)
        return "".join(parts)

    def letter(self, letter: str) -> str:
        if EASTERN.match(letter) or letter in " \n\t":
            return letter
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Mn") and ord(letter) not in self.known:
            return "" if not script(letter) else self.lacking(letter)
        return letter if ord(letter) in self.known and not _SHAPED.match(letter) else self.lacking(letter)

    def lacking(self, letter: str) -> str:
        self.missing.add(script(letter) or f"U+{ord(letter):04X}")
        return NONE


@cache
def script(letter: str) -> str:
    """As the first word of its name in Unicode says it; "" for what is of no script."""
    name = unicodedata.name(letter, "").split(" ")[0].title()
    return "" if name in ("", "Zero", "Variation", "Left-To-Right", "Right-To-Left", "Word", "Combining") else name
