"""Which of five languages a question is in, and what we say in it ourselves. Knows nothing of models; other languages get English."""

from __future__ import annotations

import re
from collections.abc import Sequence

NAMES = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "ja": "Japanese"}

# Words that are frequent in one of the languages and hardly a word in the others.
_TELLTALES = {
    "en": "the is are what how who when where which do does can may must i my of and to for have has much many long",
    "de": "der die das ist sind was wie wer wann wo welche welcher welches darf kann muss ich mein meine und zu für habe hat viel viele"
    " lange wem nach",
    "fr": "le la les est sont quel quelle quels quelles combien qui quand où puis peut dois je mon ma et à pour ai a-t-il du des une"
    " comment faut",
    "es": "el los las es son qué cuál cuáles cuánto cuántos cuántas quién cuándo dónde puedo puede debo yo mi y para tengo tiene del una"
    " cómo",
}
_SETS = {language: frozenset(words.split()) for language, words in _TELLTALES.items()}

_REFUSALS = {
    "en": ("I could not find this in the documents that you may read.", "I searched for: ", "“", "”", ", "),
    "de": ("Das habe ich in den Dokumenten, die Sie lesen dürfen, nicht gefunden.", "Gesucht habe ich nach: ", "„", "“", ", "),
    "fr": ("Je n’ai pas trouvé cela dans les documents que vous pouvez lire.", "J’ai cherché : ", "« ", " »", ", "),
    "es": ("No he encontrado esto en los documentos que usted puede leer.", "He buscado: ", "«", "»", ", "),
    "ja": ("閲覧できる文書の中には見つかりませんでした。", "検索した語句：", "「", "」", "、"),
}


def language_of(text: str) -> str | None:
    """en, de, fr, es or ja; None if it is another or cannot be told."""
    if re.search(r"[\u3040-\u30ff]", text):
        return "ja"
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text.lower())
    scores = {language: sum(word in telltales for word in words) for language, telltales in _SETS.items()}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] and list(scores.values()).count(scores[best]) == 1 else None


def refusal(question: str, searched: Sequence[str]) -> str:
    """A sentence that says that nothing was found, and what was searched, in the question's language if it is one of the five."""
    sentence, searched_for, opening, closing, comma = _REFUSALS[language_of(question) or "en"]
    space = "" if sentence.endswith("。") else " "
    return f"{sentence}{space}{searched_for}{comma.join(opening + query + closing for query in searched)}{'。' if not space else '.'}"
