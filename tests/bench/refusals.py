"""How well North knows what it does not know: questions whose documents were taken out of the index, beside as many whose are there.

    python -m tests.bench.refusals /data/open [--questions 50] [--sets xquad jaquad-dev multihop-mini demo] [--chat 10] [--keep FILE]

Searched, narrowed and judged as an agent does it, without its second search in other words. Printed for each set: how well the evidence
tells the two apart (AUROC), the curve, and what the default (no threshold) and a calibrated threshold refuse. The threshold is fitted as
the product does it, by 40 marked questions near the middle of the evidence, to at most 5 % wrong answers; the others are reported.
`--chat`: so many of each kind also go to the real chat model, as `read` asks it.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents import prompts
from agents.context import Limits
from agents.evidence import evidence_of
from agents.reading import choose
from north.evaluation.calibrating import Mark, chosen, curve, point, wilson
from north.evaluation.folders import Folder, Text, read
from north.evaluation.measuring import Search, served
from north.evaluation.vectors import Kept
from north.inference.embedding import load, load_scorer
from retrieval.index import Index, connect
from retrieval.types import Passage

MODELS = Path("~/.cache/north/models").expanduser()
EMBED, JUDGE, CHAT = "multilingual-e5-small-int8", "north-reranker-12-int8", "qwen2.5-coder-1.5b-instruct-q4_k_m"
DEMO = Path(__file__).resolve().parent.parent.parent / "north/demo/files"
SETS: dict[str, dict[str, Any]] = {
    "xquad": {"corpus_language": "en"}, "jaquad-dev": {"limit": 500}, "multihop-mini": {"limit": 900}, "demo": {},
}  # fmt: skip
GONE = 0.5
"""The share of the documents with answers that is taken out; of multihop-mini, whose questions need several, a quarter."""
FOUND = 10
MARKS = 40
RISK = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, whether its documents are in the index, what was found of it, and the chat model's word (None: not asked)."""

    question: str
    there: bool
    evidence: float
    says: bool | None = None


def demo() -> Folder:
    """The sample company's questions by hand: file name, question."""
    said = json.loads((Path(__file__).parent / "unanswerable_demo.json").read_text(encoding="utf-8"))
    names = {name: path for path in DEMO.rglob("*") if (name := path.name) in said and path.suffix in {".md", ".txt"}}
    documents = {name: Text(name, path.read_text(encoding="utf-8"), "?", name) for name, path in names.items()}
    questions = {f"{name}-{n}": Text(f"{name}-{n}", one, "?") for name in documents for n, one in enumerate(said[name])}
    return Folder("demo", "", documents, questions, {key: {key.rpartition("-")[0]: 1.0} for key in questions})


def chosen_questions(folder: Folder, name: str, count: int) -> tuple[list[str], list[str], set[str]]:
    """Those whose documents are all there, those of which one is gone, and what is gone."""
    drawn = random.Random(7)
    judged = sorted({document for grades in folder.judged.values() for document in grades})
    gone = set(drawn.sample(judged, round(len(judged) * (GONE / 2 if name.startswith("multihop") else GONE))))
    keys = sorted(key for key in folder.questions if folder.questions[key].language in {"en", "ja", "?"})
    drawn.shuffle(keys)
    there = [key for key in keys if not gone & set(folder.judged[key])]
    away = [key for key in keys if gone & set(folder.judged[key])]
    return there[:count], away[:count], gone


class Reader:
    """What an agent does until it knows whether there is an answer."""

    def __init__(self, cache: Path, chat: int) -> None:
        self.embedder, self.judge = load(EMBED, MODELS), load_scorer(JUDGE, MODELS)
        self.kept = Kept(cache, EMBED, self.embedder.embed_passages, self.embedder.dimensions)
        self.chat, self.asks = chat, ask_chat() if chat else None

    def of(self, name: str, folder: Folder, count: int) -> Iterator[Asked]:
        there, away, gone = chosen_questions(folder, name, count)
        documents = {key: text for key, text in folder.documents.items() if key not in gone}
        with served() as (url, key):
            index = Index(connect(url, key, timeout=120), "refusals", self.embedder.dimensions, EMBED)
            search = Search(index, self.embedder, self.kept, None, verdict=1.0, judged_bytes=0)
            search.fill(documents, print)
            for n, one in [*enumerate(there), *enumerate(away)]:
                question = folder.questions[one].text
                found = search.found(question, FOUND)
                passages = choose([question], [found], self.embedder.embed_queries, Limits())
                evidence = evidence_of(question, passages, self.judge)
                says = self.asks(question, passages) if self.asks and n < self.chat else None
                yield Asked(question, one in there, evidence or 0.0, says)


def ask_chat() -> Any:
    from north.inference.llama import local

    model = local(CHAT, MODELS, threads=2)

    def says(question: str, passages: Sequence[Passage]) -> bool:
        messages = prompts.judge("", passages, question, question)
        said = model.invoke(messages, temperature=0, max_tokens=20, **prompts.bound_for(prompts.FOUND, "schema"))
        return '"yes"' in str(said.content)

    return says


def auroc(asked: Sequence[Asked]) -> float:
    """How often a question with an answer has more evidence than one without (ties count half)."""
    there, away = [one.evidence for one in asked if one.there], [one.evidence for one in asked if not one.there]
    wins = sum((high > low) + (high == low) / 2 for high in there for low in away)
    return wins / (len(there) * len(away))


def line(label: str, refused: Sequence[bool], wrongly: Sequence[bool]) -> str:
    """`refused`: of those without an answer; `wrongly`: of those with one."""
    told = []
    for some in (refused, wrongly):
        low, high = wilson(sum(some), len(some))
        told.append(f"{sum(some) / len(some):6.1%} ({low:.0%} to {high:.0%})" if some else "none")
    return f"  {label:34} refused {told[0]}   false refusals {told[1]}   n={len(refused)}+{len(wrongly)}"


def at(label: str, asked: Sequence[Asked], threshold: float, *, chat: bool = False) -> str:
    """At this threshold; `chat`: only of those whom the chat model was asked, and refused too where it says no."""
    some = [one for one in asked if not chat or one.says is not None]
    refused = [(one.evidence < threshold or (chat and not one.says), one.there) for one in some]
    return line(label, [no for no, there in refused if not there], [no for no, there in refused if there])


def told(name: str, asked: Sequence[Asked]) -> None:
    print(f"\n{name}: AUROC {auroc(asked):.3f} of {len(asked)} questions")
    middle = sorted(one.evidence for one in asked)[len(asked) // 2]
    near = sorted(asked, key=lambda one: abs(one.evidence - middle))[: min(MARKS, len(asked) // 2)]
    rest = [one for one in asked if one not in near]
    marks = [Mark(one.evidence, one.there) for one in near]
    fitted = chosen(marks, RISK)
    print(at("no threshold, evidence alone", rest, 0.0))
    if fitted:
        print(at(f"by {len(marks)} marks to {RISK:.0%}: {fitted.threshold:.3f}", rest, fitted.threshold))
    else:
        print(f"  by {len(marks)} marks: no threshold keeps {RISK:.0%}")
    goal = [one for one in curve([Mark(one.evidence, one.there) for one in asked]) if one.refused <= 0.05 * sum(o.there for o in asked)][-1]
    print(at(f"at 5 % false refusals: {goal.threshold:.3f}", asked, goal.threshold))
    if any(one.says is not None for one in asked):
        print(at("chat model, no threshold", asked, 0.0, chat=True))
        if fitted:
            print(at("chat model and fitted threshold", asked, fitted.threshold, chat=True))
    everything = [Mark(one.evidence, one.there) for one in asked]
    shares = [point(everything, sorted(mark.evidence for mark in everything)[len(everything) * tenth // 10]) for tenth in range(10)]
    print("  coverage/risk: " + "  ".join(f"{one.coverage:.2f}/{one.risk:.2f}" for one in shares))


@contextmanager
def reading(cache: Path, chat: int) -> Iterator[Reader]:
    reader = Reader(cache, chat)
    with closing(reader.kept):
        yield reader


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    options.add_argument("--questions", type=int, default=50, help="of each kind")
    options.add_argument("--chat", type=int, default=0, help="of each kind also asked of the chat model")
    options.add_argument("--cache", type=Path, default=Path("~/.cache/north/bench/vectors.sqlite").expanduser())
    options.add_argument("--keep", type=Path, help="write what was measured here")
    given = options.parse_args()
    every: dict[str, list[Asked]] = {}
    with reading(given.cache, given.chat) as reader:
        for name in given.sets:
            folder = demo() if name == "demo" else read(given.folder / name, seed=7, **SETS[name])
            every[name] = list(reader.of(name, folder, given.questions))
            told(name, every[name])
            if given.keep:
                given.keep.write_text(json.dumps({key: [asdict(one) for one in some] for key, some in every.items()}), encoding="utf-8")
    if len(every) > 1:
        told("all", [one for some in every.values() for one in some])


if __name__ == "__main__":
    main()
