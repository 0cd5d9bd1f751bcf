"""How people say kinds of documents, times and languages: tables for English, German and French, and Japanese, whose order of words is
another. Regular expressions without spaces at their ends; a language is added here."""

from __future__ import annotations

import re
from typing import Final

from django.conf.locale import LANG_INFO

TYPES: Final = {
    "pdf": r"pdfs?|pdf (?:files?|documents?)|pdf-?(?:dateien?|dokumente?)|fichiers? pdf|documents? pdf",
    "word": r"word (?:files?|documents?)|docx|word-?(?:dateien?|dokumente?)|(?:fichiers?|documents?) word",
    "slides": r"slides|slide decks?|presentations?|powerpoints?|pptx|folien|präsentation(?:en)?|présentations?|diapositives?",
    "sheet": r"spreadsheets?|excel(?: files?| sheets?)?|xlsx|tabellen|excel-?(?:dateien?|tabellen?)|tableurs?|feuilles? de calcul"
    r"|fichiers? excel",
    "mail": r"e-?mails?|mails|courriels?",
    "page": r"web ?pages?|html pages?|webseiten?|pages? web",
    "book": r"e-?books?|epubs?|e-?bücher|livres? numériques?",
}
DOCUMENTS: Final = r"documents?|files?|dokumente?|dateien?|unterlagen|fichiers?"
ENGLISH: Final = {info["name"].casefold(): code for code, info in LANG_INFO.items() if "name" in info and len(code) == 2}
NAMED: Final = {
    "en": "englisch anglais",
    "de": "deutsch allemand",
    "fr": "französisch français",
    "es": "spanisch espagnol",
    "it": "italienisch italien",
    "pt": "portugiesisch portugais",
    "nl": "niederländisch néerlandais",
    "pl": "polnisch polonais",
    "ja": "japanisch japonais",
    "zh": "chinesisch chinois",
    "ar": "arabisch arabe",
    "ru": "russisch russe",
}
LANGUAGES: Final = ENGLISH | {word: code for code, words in NAMED.items() for word in words.split()}
ENDING: Final = r"(?:en?|er|es|s)?"
"""Of an adjective: deutsche, anglais, anglaises."""
BEGIN: Final = (
    r"(?:(?:show|find|give|search|zeige?|suche?|finde?|cherche[rz]?|montre[rz]?|trouve[rz]?)(?: me| mir|[ -]moi)? )?"
    r"(?:all |alle |tous |toutes )?(?:the |die |das |les? |la )?"
)
ABOUT: Final = (
    r"about|on|regarding|concerning|that mentions?|which mentions?|mentioning|über|zum thema|zu|bezüglich|betreffend"
    r"|sur|à propos d(?:es?|u)|concernant|au sujet d(?:es?|u)"
)
DURING: Final = r"from|in|of|aus(?: dem jahr)?|von|vom jahr|im jahr|de|en"
SINCE, BEFORE, AFTER = r"since|seit|depuis", r"before|vor|avant", r"after|nach|après"
BETWEEN: Final = (r"between|from|zwischen|von|entre|de", r"and|to|until|und|bis|et|à")
IN: Final = r"in|auf|en"
CHANGED: Final = (
    r"changed|updated|modified|edited|geändert|bearbeitet|aktualisiert|modifiée?s?|mise?s? à jour"
    r"|written|created|geschrieben|erstellt|verfasst|écrite?s?|créée?s?"
)
CREATED: Final = re.compile(r"written|created|geschrieben|erstellt|verfasst|écrite?s?|créée?s?", re.IGNORECASE)
WROTE: Final = r"(?:(?:written|created|sent)\s+)?by|(?:geschrieben|verfasst|erstellt)\s+von|écrite?s?\s+par"
OF_PERSON: Final = r"von|de|par|d['’]"
UNITS: Final = {
    "day": (1, r"days?|tage?n?|jours?"),
    "week": (7, r"weeks?|wochen?|semaines?"),
    "month": (30, r"months?|monate?n?|mois"),
    "quarter": (91, r"quarters?|quartale?n?|trimestres?"),
    "year": (365, r"years?|jahre?n?|ans?|années?"),
}
UNIT: Final = "|".join(f"(?P<{name}>{words})" for name, (_days, words) in UNITS.items())
COUNT: Final = r"(?:(?P<count>\d{1,3})\s+)?"
LATELY: Final = (
    rf"(?:in|from|of|during|within)\s+the\s+(?:last|past)\s+{COUNT}(?:{UNIT})",
    rf"(?:im|in den|in der|aus dem|aus den|aus der|vom|von den|von der|innerhalb der)\s+(?:letzten|vergangenen)\s+{COUNT}(?:{UNIT})",
    rf"(?:au cours d(?:es?|u)|pendant les?|dans les?|des|de la|du)\s+{COUNT}derni(?:er|ère)s?\s+(?:{UNIT})",
    rf"(?:du|de la|de l['’]|au|le|la|l['’])\s*{COUNT}(?:{UNIT})\s+derni(?:er|ère)s?",
)

# --- Japanese: what is said of a document stands before it ----------------------------------------------------------------------------
JAPANESE_TYPES: Final = {
    "pdf": r"PDF(?:ファイル)?", "word": r"(?:Word|ワード)(?:文書|ファイル)?", "slides": r"スライド|プレゼン(?:テーション)?(?:資料)?",
    "sheet": r"(?:Excel|エクセル)(?:ファイル)?|スプレッドシート|表計算ファイル", "mail": r"(?:電子)?メール",
    "page": r"(?:ウェブ|Web)ページ", "book": r"電子書籍",
}  # fmt: skip
JAPANESE_LATELY: Final = {"昨日": 1, "先週": 7, "先月": 30, "昨年": 365, "去年": 365}
JAPANESE_UNITS: Final = {"日": 1, "週": 7, "か月": 30, "ヶ月": 30, "カ月": 30, "年": 365}
JAPANESE: Final = re.compile(
    r"(?:(?P<topic>.+?)(?:に関する|についての|に関して|について))?"
    rf"(?:(?P<year>(?:19|20)\d\d)年(?P<how>以降|以前)?の|(?P<lately>{'|'.join(JAPANESE_LATELY)})の"
    rf"|過去(?P<count>\d{{1,3}})(?P<unit>{'|'.join(JAPANESE_UNITS)})間?の)?"
    r"(?:(?P<name>[^\W\d_]{1,12}?)さん(?:の|が書いた))?"
    rf"(?:{'|'.join(f'(?P<{name}>{words})' for name, words in JAPANESE_TYPES.items())}|(?P<any>資料|文書|書類|ドキュメント|ファイル))"
    r"(?:を(?:探して|見せて|検索して|探す|検索)(?:ください)?)?[。?？]?",
    re.IGNORECASE,
)
