"""Questions made by rule, for data that brings headings and keywords instead of questions. Pure; no language model.

A heading is put into a question of its language; a sentence "X does Y" becomes "What does Y?", the passage it stands in the answer; or the
sentence is the question as it is (the inverse cloze task, https://arxiv.org/abs/1906.00300), or its rare words are.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable

import regex

TEMPLATES = {
    "en": ("What is {}?", "How does {} work?", "Where do I find {}?", "tell me about {}", "Which options are there for {}?"),
    "de": ("Was ist {}?", "Wie funktioniert {}?", "Wo finde ich {}?", "Was muss ich über {} wissen?"),
    "fr": ("Qu'est-ce que {} ?", "Comment fonctionne {} ?", "Où trouver {} ?", "Que faut-il savoir sur {} ?"),
    "es": ("¿Qué es {}?", "¿Cómo funciona {}?", "¿Dónde se encuentra {}?", "¿Qué hay que saber sobre {}?"),
    "it": ("Che cos'è {}?", "Come funziona {}?", "Dove si trova {}?", "Che cosa bisogna sapere su {}?"),
    "pt": ("O que é {}?", "Como funciona {}?", "Onde encontro {}?", "O que preciso saber sobre {}?"),
    "nl": ("Wat is {}?", "Hoe werkt {}?", "Waar vind ik {}?"),
    "sv": ("Vad är {}?", "Hur fungerar {}?", "Var hittar jag {}?"),
    "da": ("Hvad er {}?", "Hvordan virker {}?", "Hvor finder jeg {}?"),
    "pl": ("Co to jest {}?", "Jak działa {}?", "Gdzie znajdę {}?"),
    "cs": ("Co je {}?", "Jak funguje {}?", "Kde najdu {}?"),
    "hu": ("Mi az a {}?", "Hogyan működik: {}?", "Hol található: {}?"),
    "ru": ("Что такое {}?", "Как работает {}?", "Где найти {}?"),
    "uk": ("Що таке {}?", "Як працює {}?", "Де знайти {}?"),
    "el": ("Τι είναι {};", "Πώς λειτουργεί: {};", "Πού θα βρω: {};"),
    "tr": ("{} nedir?", "{} nasıl çalışır?", "{} nerede bulunur?"),
    "ja": ("{}とは何ですか?", "{}はどのように使いますか?", "{}はどこにありますか?", "{}について教えて"),
    "zh": ("什么是{}?", "{}怎么使用?", "在哪里可以找到{}?", "{}是什麼?"),
    "ko": ("{}란 무엇입니까?", "{}은 어떻게 사용합니까?", "{}은 어디에 있습니까?"),
    "vi": ("{} là gì?", "{} hoạt động như thế nào?", "Tìm {} ở đâu?"),
    "id": ("Apa itu {}?", "Bagaimana cara kerja {}?", "Di mana saya menemukan {}?"),
    "hi": ("{} क्या है?", "{} कैसे काम करता है?", "{} कहाँ मिलेगा?"),
    "hr": ("Što je {}?", "Kako radi {}?", "Gdje mogu naći {}?"),
    "sr": ("Шта је {}?", "Како ради {}?", "Где се налази {}?"),
    "ca": ("Què és {}?", "Com funciona {}?", "On es troba {}?"),
    "gl": ("Que é {}?", "Como funciona {}?", "Onde está {}?"),
    "fi": ("Mikä on {}?", "Miten {} toimii?", "Mistä löydän: {}?"),
    "lv": ("Kas ir {}?", "Kā darbojas {}?", "Kur atrast {}?"),
    "ta": ("{} என்றால் என்ன?",),
    "fa": ("{} چیست؟", "{} چگونه کار می‌کند؟"),
}
VERBS = {  # a language's question word, and verbs that stand after a subject and may stand after the word as they are
    "en": ("What", "is are was were has have had can will does allows provides contains shows specifies returns defines sets creates"
                   " displays opens inserts supports requires determines indicates means becomes uses enables changes removes adds"
                   " includes"),
    "de": ("Was", "ist sind war waren hat haben kann wird werden enthält zeigt legt gibt bestimmt erstellt öffnet fügt"
                  " ermöglicht bietet setzt"),
    "fr": ("Qu'est-ce qui", "est sont était a ont peut permet contient affiche définit spécifie renvoie ouvre crée insère"
                            " indique fournit détermine"),
    "es": ("¿Qué", "es son era tiene tienen puede permite contiene muestra define especifica devuelve abre crea inserta indica"
                    " proporciona"),
    "it": ("Che cosa", "è sono era ha hanno può permette consente contiene mostra definisce specifica restituisce apre crea inserisce"
                           " indica"),
    "pt": ("O que", "é são era tem têm pode permite contém mostra define especifica retorna abre cria insere indica fornece determina"),
    "nl": ("Wat", "is zijn was heeft hebben kan wordt bevat toont bepaalt geeft opent maakt voegt biedt"),
    "sv": ("Vad", "är var har kan visar innehåller anger öppnar skapar infogar bestämmer ger"),
    "ru": ("Что", "является содержит позволяет показывает определяет возвращает открывает создаёт создает задает задаёт имеет может"),
}  # fmt: skip
SENTENCE = regex.compile(r"(?<=[.!?।؟])\s+|(?<=[。！？])|\n+")
LEAST, MOST = 25, 220
"""Letters of a sentence that says something; CJK sentences hold as much in half of them."""
OPENING = """if when while because although unless since as after before wenn falls weil da als si lorsque quand cuando cuándo aunque se
quando anche caso indien wanneer om när если когда хотя for to in on by with"""
JOINING = """that which who whom whose where der die das dem den welche welcher welches qui que dont où che cui quien donde die dat som
который которая которое которые not и and und et y e en och или or"""
OPENERS, RELATIVE = frozenset(OPENING.split()), frozenset(JOINING.split())
"""Words that begin a clause, and words that make what stands before a verb no subject."""
DENSE = {"ja", "zh", "ko"}
NATURAL = [
    (regex.compile(pattern), question)
    for pattern, question in (
        (r"^To ((?!the\b|a\b|an\b|this\b)[a-z]+ [^,:;]+),", "How do I {}?"),
        (r"^(?:[Yy]ou|[Uu]sers|[Oo]ne) can (?:also |then |now )?([a-z]+ [^,:;]+)", "How can I {}?"),
        (r"(?:allows|lets|enables) (?:you|users|one) (?:to )?([a-z]+ [^,:;]+)", "How can I {}?"),
        (r"\b(?:[Uu]se|[Cc]lick|[Cc]hoose|[Pp]ress|[Ss]elect) [^,:;]{2,60} to ([a-z]+ [^,:;]+)", "How do I {}?"),
        (r"^(?:If|When) (you [^,:;]+),", "What happens when {}?"),
        (r"^(?:If|When) ([^,:;]+),", "What happens if {}?"),
        (r"^(?:It|This|The [^,:;]{3,40}) (?:is|are) used (?:to|for) ([a-z]+ [^,:;]+)", "What is used to {}?"),
        (r"\bbecause (?!of\b)([^,:;]+)", "Why is it that {}?"),
    )
]
"""What a sentence looks like, and what one who needs it might have asked; the first that fits."""


def language(code: str) -> str:
    """`pt-br`, `sr@latin` -> `pt`, `sr`."""
    return re.split(r"[-@_]", code)[0]


def templated(heading: str, lang: str, rng: random.Random) -> str:
    """A question about the heading, or itself where the language has none."""
    known = TEMPLATES.get(language(lang))
    return rng.choice(known).format(heading.strip().rstrip(".:?!")) if known else heading


def sentences(text: str, lang: str) -> list[str]:
    least = LEAST // 2 if language(lang) in DENSE else LEAST
    return [part for part in (each.strip() for each in SENTENCE.split(text)) if least <= len(part) <= MOST and _worded(part)]


def _worded(sentence: str) -> bool:
    """Not a row of a table, and no code: most of it is letters."""
    return sum(letter.isalpha() or letter == " " or ord(letter) > 0x900 for letter in sentence) > 0.8 * len(sentence)


def asked(sentence: str, lang: str) -> str | None:
    """What the sentence answers: "The wizard creates a form." -> "What creates a form?". None where it is not of that shape."""
    word, verbs = VERBS.get(language(lang), ("", ""))
    words = sentence.rstrip(".").split()
    known = set(verbs.split())
    at = next((number for number, each in enumerate(words[:8]) if each in known), 0)
    if not 0 < at or len(words) - at < 4 or "," in "".join(words[:at]):
        return None
    if words[0].casefold() in OPENERS or words[at - 1].casefold() in RELATIVE:
        return None
    return f"{word} {' '.join(words[at:])}?"


def natural(sentence: str) -> str | None:
    """The English question that a sentence of product help or prose answers: "To insert a row, press Enter." -> "How do I insert a row?".
    None where it is not of such a shape."""
    for pattern, question in NATURAL:
        if (match := pattern.search(sentence.rstrip("."))) and 3 <= len((said := match[1].strip()).split()) <= 18:
            return question.format(said if said.split()[0].isupper() else said[0].lower() + said[1:])
    return None


def rare_words(text: str, frequency: Counter[str], rng: random.Random) -> str | None:
    """Some three to seven of its rarest words in their order, as people type them. None where words are not set apart."""
    words = [word.strip(".,;:()[]\"'«»“”?!") for word in text.split()]
    words = [word for word in dict.fromkeys(words) if len(word) > 2]
    if len(words) < 8:
        return None
    wanted = rng.randint(3, 7)
    chosen = set(sorted(words, key=lambda word: frequency[word.casefold()] + rng.random())[: 2 * wanted])
    kept = [word for word in words if word in chosen]
    start = rng.randrange(max(1, len(kept) - wanted))
    return " ".join(kept[start : start + wanted])


def shortened(sentence: str, lang: str, rng: random.Random) -> str:
    """A part of a sentence: half of its words or more, in one piece."""
    if language(lang) in DENSE and " " not in sentence:
        length = rng.randint(len(sentence) // 2, len(sentence))
        start = rng.randrange(len(sentence) - length + 1)
        return sentence[start : start + length]
    words = sentence.split()
    length = rng.randint((len(words) + 1) // 2, len(words))
    start = rng.randrange(len(words) - length + 1)
    return " ".join(words[start : start + length])


def frequencies(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in set(text.casefold().split()))
