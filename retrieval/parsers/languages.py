"""Which language a text is in, by the trigrams of kreuzberg's detector (whatlang). Knows no document; asked once for each, outside the
reading child: it takes a tenth of a millisecond, the library a tenth of a second to load.
"""

from __future__ import annotations

from typing import Final

from kreuzberg import ConcurrencyConfig, ExtractionConfig, LanguageDetectionConfig, extract_bytes_sync

LOOKED_AT: Final = 20_000
"""Characters, from the middle of the text: its beginning may be a cover, a letterhead or a table of contents."""
CONFIG: Final = ExtractionConfig(
    use_cache=False,
    enable_quality_processing=False,
    output_format="plain",
    language_detection=LanguageDetectionConfig(enabled=True, min_confidence=0.5, detect_multiple=False),
    concurrency=ConcurrencyConfig(max_threads=1),
)
# fmt: off
CODES: Final = (
    "afr:af aka:ak amh:am ara:ar aze:az bel:be ben:bn bul:bg cat:ca ces:cs cmn:zh cym:cy dan:da deu:de ell:el eng:en epo:eo est:et fin:fi "
    "fra:fr guj:gu heb:he hin:hi hrv:hr hun:hu hye:hy ind:id ita:it jav:jv jpn:ja kan:kn kat:ka khm:km kor:ko lat:la lav:lv lit:lt mal:ml "
    "mar:mr mkd:mk mya:my nep:ne nld:nl nob:nb ori:or pan:pa pes:fa pol:pl por:pt ron:ro rus:ru sin:si slk:sk slv:sl sna:sn spa:es srp:sr "
    "swe:sv tam:ta tel:te tgl:tl tha:th tuk:tk tur:tr ukr:uk urd:ur uzb:uz vie:vi yid:yi zul:zu"
)
# fmt: on
ISO_639_1: Final = dict(pair.split(":") for pair in CODES.split())


def language_of(text: str) -> str:
    """ISO 639-1 of most of the text, e.g. "de"; empty where it is too short, mixed or no language."""
    start = max(0, (len(text) - LOOKED_AT) // 2)
    found = extract_bytes_sync(text[start : start + LOOKED_AT].encode(), "text/plain", config=CONFIG).detected_languages
    return ISO_639_1.get(found[0], "") if found else ""
