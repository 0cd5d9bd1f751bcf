"""What a chat model writes for the rerankers to learn from: what somebody might ask whom a passage answers, in English and across
languages, and paragraphs like an encyclopedia's with questions of their own. Asks any server that speaks OpenAI's chat completions and
keeps to a schema (llama.cpp's, vLLM).
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import regex

from north.outbound import Outbound, OutboundError
from north.training.default.lists import Asked, Library, Passage
from north.training.default.questions import language

NAMES = {
    "de": "German", "es": "Spanish", "fr": "French", "it": "Italian", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "tr": "Turkish", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""Languages other than English in which a small model's questions are mostly to the point."""
TASK = (
    "You write questions for a test of a search engine. Each question is asked by somebody who has not seen the text, and the text answers"
    ' it. It names what it is about and never says "the text".'
)
SHOWN = (
    ("Leave policy\nParental leave\nEmployees who become parents may take up to 14 weeks of paid leave. It must be announced to the manager"
     " eight weeks before it begins and can be split into two parts.",
     {"question": "How much time off do I get when my child is born?", "detail": "How many weeks ahead must parental leave be announced?",
      "search": "paid leave new parents"}),
    ("Danube\nThe Danube rises in the Black Forest and flows through ten countries, more than any other river. It reaches the Black Sea"
     " in a delta of 5,800 square kilometres.",
     {"question": "Which river crosses the largest number of countries?", "detail": "How large is the delta of the Danube?",
      "search": "Danube source countries delta"}),
    ("Printing a report\nExport\nChoose File - Export to save the figures of a report as PDF. With the option Protect, a password is asked"
     " for whenever the file is opened.",
     {"question": "How can I send my figures to somebody as a PDF?", "detail": "Can I keep strangers from reading an exported report?",
      "search": "save report pdf password"}),
)  # fmt: skip
"""Texts, and what is to be written of them in English."""
SHOWN_ACROSS = {
    # of the first two
    "de": ("Wie lange darf ich nach der Geburt meines Kindes zu Hause bleiben?", "Welcher Fluss fließt durch die meisten Länder?"),
    "es": ("¿Cuánto tiempo libre me corresponde cuando nace mi hijo?", "¿Qué río atraviesa más países?"),
    "fr": ("Combien de temps puis-je m'absenter à la naissance de mon enfant ?", "Quel fleuve traverse le plus de pays ?"),
    "it": ("Quanto tempo posso restare a casa alla nascita di mio figlio?", "Quale fiume attraversa più Paesi?"),
    "pt": ("Quanto tempo de licença tenho quando nasce o meu filho?", "Que rio atravessa mais países?"),
    "ro": ("Câte zile libere primesc la nașterea copilului?", "Ce fluviu traversează cele mai multe țări?"),
    "ru": ("Сколько дней отпуска мне положено после рождения ребёнка?", "Какая река протекает через наибольшее число стран?"),
    "tr": ("Çocuğum doğduğunda ne kadar izin alabilirim?", "Hangi nehir en çok ülkeden geçer?"),
    "vi": ("Khi sinh con, tôi được nghỉ bao lâu?", "Con sông nào chảy qua nhiều quốc gia nhất?"),
    "zh": ("孩子出生后我可以休多长时间的假？", "哪条河流经的国家最多？"),
}
ARTICLE = """Read the paragraph of a Japanese encyclopedia. Reply as JSON:
"english": a paragraph of an English encyclopedia, of 50 to 90 words, with its names and numbers.
"question": a question in English that your paragraph answers. It names what it is about.
"detail": another question in English, about one other fact in it.
"{name}": a question in {name} that your paragraph answers."""
RIVER = (
    "ドナウ川\nドナウ川はシュヴァルツヴァルトに源を発し、10か国を流れる。"
    "これは他のどの川よりも多い。河口には5,800平方キロメートルの三角州がある。"
)
RIVER_SAID = {
    "english": "The Danube rises in the Black Forest and flows through ten countries, more than any other river. Where it reaches the Black"
    " Sea it has formed a delta of 5,800 square kilometres.",
    **{name: SHOWN[1][1][name] for name in ("question", "detail")},
}
READ, READ_ARTICLE = 700, 400
"""Letters of a text that are read."""
TOLD = {"question": 160, "detail": 160, "search": 80}
ACROSS = {"question": 200}
WRITTEN_ARTICLE = {"english": 700, "question": 160, "detail": 160}
"""What is written, and how many letters at most; of an article also a question under the name of its language."""
SECONDS, MOST_TOKENS, TEMPERATURE = 300.0, 420, 0.5
ARTICLE_SHARE, ACROSS_SHARE = 0.25, 0.55
"""Of passages of an encyclopedia and of English ones."""
_SCRIPTS = {"zh": r"\p{Han}", "ru": r"\p{Cyrillic}"}
_ABOUT = regex.compile(r"\b(?:this|the|given|provided|following) (?:text|passage|document|paragraph|sentence|article)\b", regex.IGNORECASE)
ENCYCLOPEDIA = "jaquad"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """Of the passage `key`: questions in English ("told"), one in the language `lang` ("across"), or a paragraph of its own ("article")."""

    kind: str
    key: str
    lang: str = "en"


@dataclass(frozen=True, slots=True)
class Written:
    order: Order
    said: Mapping[str, str]


class Writer:
    """Chat models at `urls` (each ends before /chat/completions), each asked by `lanes` threads at a time."""

    def __init__(self, urls: Sequence[str], model: str, lanes: int) -> None:
        self._urls, self._model, self._lanes = [url.rstrip("/") for url in urls], model, lanes
        self._outbound = Outbound([urlsplit(url).hostname or "" for url in urls], connect_seconds=3.0)

    def __call__(self, orders: Sequence[Order], known: Library, until: float, say: Say) -> list[Written]:
        """In the orders' order, but for those whose answer was broken or late, or that `until` (time.monotonic) came before. Raises
        OutboundError if nothing was answered."""
        began, done, faults = time.monotonic(), 0, list[OutboundError]()

        def one(at: int) -> Written | None:
            nonlocal done
            if time.monotonic() > until:
                return None
            try:
                said = self._asked(self._urls[at % len(self._urls)], orders[at], known)
            except OutboundError as error:
                faults.append(error)
                return None
            done += 1
            if done % 2000 == 0:
                say(f"{done} of {len(orders)} are written, {done / (time.monotonic() - began):.0f} a second")
            return Written(orders[at], said) if said else None

        with ThreadPoolExecutor(self._lanes * len(self._urls)) as lanes:
            written = [each for each in lanes.map(one, range(len(orders))) if each]
        if faults:
            say(f"{len(faults)} were not answered: {faults[-1]}")
        if faults and not written:
            raise faults[-1]
        return written

    def _asked(self, url: str, order: Order, known: Library) -> dict[str, str] | None:
        messages, letters = wanted(order, known)
        schema = {"type": "object", "properties": {name: {"type": "string", "maxLength": most} for name, most in letters.items()},
                  "required": list(letters), "additionalProperties": False}  # fmt: skip
        answer_in = {"type": "json_schema", "json_schema": {"name": order.kind, "strict": True, "schema": schema}}
        body = {"model": self._model, "messages": messages, "temperature": TEMPERATURE, "max_tokens": MOST_TOKENS, "seed": 1,
                "response_format": answer_in}  # fmt: skip
        answer = self._outbound.request("POST", f"{url}/chat/completions", json=body, seconds=SECONDS, max_bytes=1_000_000)
        if answer.status_code != 200:
            raise OutboundError(f"{url} answers {answer.status_code}: {answer.text[:200]}")
        try:
            said = json.loads(answer.json()["choices"][0]["message"]["content"])
        except ValueError:  # cut off, or no JSON after all
            return None
        return {name: str(said[name]) for name in letters} if isinstance(said, dict) and letters.keys() <= said.keys() else None


def orders(known: Library, rng: random.Random) -> list[Order]:
    """In an order of chance, so that whatever there is time for is of all kinds: questions about each English passage, of about half of
    them in another language too, and paragraphs made of an encyclopedia's."""
    found = []
    for key, one in known.passages.items():
        if one.english:
            found.append(Order("told", key))
            if rng.random() < ACROSS_SHARE:
                found.append(Order("across", key, rng.choice(list(NAMES))))
        elif one.source == ENCYCLOPEDIA and rng.random() < ARTICLE_SHARE:
            found.append(Order("article", key, rng.choice(list(NAMES))))
    rng.shuffle(found)
    return found


def wanted(order: Order, known: Library) -> tuple[list[dict[str, str]], dict[str, int]]:
    """The messages, and the fields of the answer with their greatest length."""
    passage = known.passages[order.key]
    if order.kind == "article":
        name = NAMES[order.lang]
        told = json.dumps(RIVER_SAID | {name: SHOWN_ACROSS[order.lang][1]}, ensure_ascii=False)
        return [
            {"role": "system", "content": ARTICLE.format(name=name)},
            {"role": "user", "content": RIVER},
            {"role": "assistant", "content": told},
            {"role": "user", "content": f"{passage.title}\n{passage.text[:READ_ARTICLE]}"},
        ], WRITTEN_ARTICLE | {name: ACROSS["question"]}
    across = order.kind == "across"
    ending = f"\n---\nin {NAMES[order.lang]}" if across else ""
    messages = [{"role": "system", "content": TASK}]
    for number, (text, told_of) in enumerate(SHOWN[:2] if across else SHOWN):
        said: Any = {"question": SHOWN_ACROSS[order.lang][number]} if across else told_of
        messages += [{"role": "user", "content": text + ending}, {"role": "assistant", "content": json.dumps(said, ensure_ascii=False)}]
    messages.append({"role": "user", "content": passage.said(title=True, heading=True)[:READ] + ending})
    return messages, ACROSS if across else TOLD


def gathered(written: Iterable[Written], known: Library, rng: random.Random) -> tuple[list[Asked], list[Passage]]:
    """Questions, and paragraphs that were written. What is no question is left out. A question about a passage that there is in other
    languages is asked of one of them, too."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key, one in known.passages.items():
        groups[one.group].append(key)
    there = {RIVER_SAID["english"], *(one for two in SHOWN_ACROSS.values() for one in two)}
    there |= {one for _, shown in SHOWN for one in shown.values()}
    asked, passages = [], []
    for each in written:
        source, answer, lang = known.passages[each.order.key], each.order.key, each.order.lang
        if each.order.kind == "article":
            text = cleaned(each.said["english"], "en", least=120)
            if not text or text in there or regex.search(r"[\p{Han}\p{Hiragana}\p{Katakana}]|\bJapanese encyclopedia\b", text):
                continue
            there.add(text)
            answer = f"article/{answer}"
            passages.append(Passage(answer, "en", source.group, "", "", text, "article"))
        for name, kind in (("question", "told"), ("detail", "told"), ("search", "typed"), (NAMES.get(lang, ""), "told")):
            said_in = lang if name in NAMES.values() or each.order.kind == "across" else "en"
            query = cleaned(each.said.get(name, ""), said_in)
            if not query or query in there or (kind == "told" and query[-1] not in "?？;"):
                continue
            there.add(query)
            english = query if said_in == "en" else ""
            asked.append(Asked(query, said_in, kind if said_in == "en" else f"{kind}-x", answer, english))
            others = [key for key in groups[source.group] if key != each.order.key]
            if others and each.order.kind == "told" and rng.random() < 0.5:
                asked.append(Asked(query, said_in, f"{kind}-x", rng.choice(others), english))
    return asked, passages


def cleaned(said: str, lang: str, *, least: int = 10) -> str:
    """In one line; nothing where it is in another script, too short, or speaks of the text itself."""
    words = " ".join(said.split())
    if len(words) < (4 if lang == "zh" else least) or _ABOUT.search(words):
        return ""
    letters = sum(map(str.isalpha, words)) or 1
    share = len(regex.findall(_SCRIPTS.get(language(lang), r"\p{Latin}"), words)) / letters
    return words if share > (0.4 if lang in _SCRIPTS else 0.7) else ""
