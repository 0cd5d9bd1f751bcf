"""Which of ten languages a question is in, and what we say in it ourselves. Knows nothing of models; other languages get English."""

from __future__ import annotations

import re
from collections.abc import Sequence

NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch",
    "ja": "Japanese", "zh": "Chinese", "ar": "Arabic",
}  # fmt: skip

# Words that are frequent in one of the languages and hardly a word in the others.
_TELLTALES = {
    "en": "the is are what how who when where which do does can may must i my of and to for have has much many long",
    "de": "der die das ist sind was wie wer wann wo welche welcher welches darf kann muss ich mein meine und zu für habe hat viel viele"
    " lange wem nach",
    "fr": "le la les est sont quel quelle quels quelles combien qui quand où puis peut dois je mon ma et à pour ai a-t-il du des une"
    " comment faut",
    "es": "el los las es son qué cuál cuáles cuánto cuántos cuántas quién cuándo dónde puedo puede debo yo mi y para tengo tiene del una"
    " cómo",
    "it": "il gli sono quali quanti quante chi dove può mio mia ho hai della nel nella che di è perché",
    "pt": "os são quantos quantas quem onde pode eu meu minha tenho tem não uma é quais",
    "nl": "het een is zijn wat hoe waar wanneer welke hoeveel mag moet mijn heb hebben heeft voor naar niet van ik",
}
# Kana before Han, which both write; Arabic without the letters of Persian and Urdu.
_SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ar": re.compile(r"^(?!.*[\u067e\u0686\u0698\u06a9\u06af\u06cc]).*[\u0621-\u064a]", re.DOTALL),
}
_SETS = {language: frozenset(words.split()) for language, words in _TELLTALES.items()}

_REFUSALS = {
    "en": ("I could not find this in the documents that you may read.", "I searched for: ", "“", "”", ", "),
    "de": ("Das habe ich in den Dokumenten, die Sie lesen dürfen, nicht gefunden.", "Gesucht habe ich nach: ", "„", "“", ", "),
    "fr": ("Je n’ai pas trouvé cela dans les documents que vous pouvez lire.", "J’ai cherché : ", "« ", " »", ", "),
    "es": ("No he encontrado esto en los documentos que usted puede leer.", "He buscado: ", "«", "»", ", "),
    "it": ("Non l’ho trovato nei documenti che lei può leggere.", "Ho cercato: ", "«", "»", ", "),
    "pt": ("Não encontrei isto nos documentos que pode ler.", "Procurei: ", "“", "”", ", "),
    "nl": ("Dit heb ik niet gevonden in de documenten die u mag lezen.", "Gezocht heb ik naar: ", "“", "”", ", "),
    "zh": ("在您可以阅读的文件中没有找到相关内容。", "搜索内容：", "“", "”", "、"),
    "ar": ("لم أجد هذا في المستندات التي يحق لك قراءتها.", "بحثت عن: ", "«", "»", "، "),
    "ja": ("閲覧できる文書の中には見つかりませんでした。", "検索した語句：", "「", "」", "、"),
}


def language_of(text: str) -> str | None:
    """One of NAMES; None if it is another or cannot be told."""
    for language, script in _SCRIPTS.items():
        if script.search(text):
            return language
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text.lower())
    scores = {language: sum(word in telltales for word in words) for language, telltales in _SETS.items()}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] and list(scores.values()).count(scores[best]) == 1 else None


def refusal(question: str, searched: Sequence[str]) -> str:
    """A sentence that says that nothing was found, and what was searched, in the question's language if it is one of the ten."""
    sentence, searched_for, opening, closing, comma = _REFUSALS[language_of(question) or "en"]
    space = "" if sentence.endswith("。") else " "
    return f"{sentence}{space}{searched_for}{comma.join(opening + query + closing for query in searched)}{'。' if not space else '.'}"
