"""Searches as the model worker does them: rights read, query embedded, both lists filtered and fused by the vector daemon, rows asked
again, grouped; `judged`: and put in order by the cross-encoder. Each query is also embedded alone, and searched once more with a clock at
each part."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from north import wiring
from north.documents import passages
from north.documents.models import Document
from north.documents.readers import scope_of
from north.workspaces.access import enter
from north.workspaces.models import User
from retrieval import tokens
from retrieval.retriever import Retriever
from retrieval.types import EVERYTHING, Passage, Scope
from tests.bench.texts import question

T = TypeVar("T")
WARM = 5


class Clock:
    """Calls a function and adds up how long it took, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def __call__(self, name: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        found = call()
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        return found


def main(slug: str, email: str, count: int, judged: bool = False) -> dict[str, Any]:
    user = User.objects.get(email=email)
    membership = enter(user, slug=slug)
    draw = random.Random(3)
    texts = list(Document.objects.filter(workspace=membership.workspace).values_list("text", flat=True)[:300])
    queries = [question(draw.choice(texts), draw) for _ in range(count + WARM)]
    found = 0
    for number, query in enumerate(queries):
        if number == WARM:
            clock, parts, found = Clock(), Clock(), 0
        elif number < WARM:
            clock, parts = Clock(), Clock()
        clock("embed", lambda query=query: wiring.embedder().embed_queries([query]))
        found += len(clock("search", lambda query=query: searched(query, str(membership.workspace_id), str(user.pk), judged)))
        in_parts(query, parts, slug, user)
    return {"seconds": clock.seconds, "parts": parts.seconds, "found": found / count}


def searched(query: str, workspace: str, user: str, judged: bool) -> Sequence[Passage]:
    scope = passages.scope(workspace, user, EVERYTHING)
    return wiring.retriever(passages.recheck).search(query, scope, 10, by="all" if judged else "meaning")


def in_parts(query: str, clock: Clock, slug: str, user: User) -> None:
    scope: Scope = clock("rights", lambda: scope_of(enter(user, slug=slug)))
    retriever = Retriever(
        wiring.index(),
        recheck=lambda scope, found: clock("recheck", lambda: passages.recheck(scope, found)),
        embed_query=lambda texts: clock("embed", lambda: wiring.embedder().embed_queries(texts)),
        embed_passages=wiring.embedder().embed_passages,
    )
    clock("retriever", lambda: retriever.search(query, scope, 10, by="meaning"))
    vector, words = wiring.embedder().embed_queries([query])[0], tokens.query(query)
    clock("index", lambda: wiring.index().query(scope, vector, words, limit=50))
