"""The only file that knows Qdrant: passages go in, are narrowed, found and forgotten. Knows no text and no model; the rows hold the words.

One collection holds every workspace. Each point is a chunk's place (document, revision, span) with two vectors: the model's (`dense`,
cosine) and BM25's (`sparse`, whose inverse document frequency the engine counts). A question always carries who asks: `Index.query`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

import httpx
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from retrieval.errors import EmbeddingFault, IndexCorrupt, IndexMismatch, IndexUnavailable
from retrieval.facts import SAMPLE, drawn, facts, folded, readers, sampled
from retrieval.fusion import LEXICAL, Weights, for_names, lifted, probability, weights_of
from retrieval.tokens import Sparse
from retrieval.types import EVERYTHING, LAYOUT, Chunk, Entry, Filters, Passage, Scope
from retrieval.vectors import Vectors

Answer = TypeVar("Answer")
Key = TypeVar("Key", bound=Hashable)
Scores = dict[str, dict[Any, float]]
"""By the search's name, each point's score."""

DENSE, SPARSE, NAMED = "dense", "sparse", "named"
KEYWORDS = ("workspace", "document", "source", "readers", "sample", "type", "author", "language", "folders", "names")
TIMES = ("created", "updated")
ANSWERED = ["document", "sha256", "ordinal", "start", "end", "heading", "names"]
DEPTH = 50
"""How many chunks each of the two searches puts forward for fusion, at least."""
BATCH = 64
"""Points of one request: what the embedded engine writes in some milliseconds, while searches wait."""
FEW = 4
"""So many principals are asked for one by one: quicker than any of a list (100,000 chunks: 5 ms against 6), where more are slower. That
must stand at the clause's top: within another clause it costs half a search more. Over none it would match everything."""
LARGE = 40_000
"""Chunks that a person may read, from which on BM25's IDF is counted over the sample of them: to count all costs more than the search."""
LARGE_SECONDS = 600
"""So long, at most, it is kept of a scope whether that holds: to ask each time would cost a request."""
POINTS = uuid.UUID("5bd1f1f6-9d0c-5f3e-8f59-6a1d2c0a7e11")


def connect(url: str, api_key: str = "", *, timeout: int = 20) -> QdrantClient:
    """A client with kept connections, for one process and all its threads. Connects when it is first used; `timeout` in seconds."""
    headers = {"api-key": api_key} if api_key else {}
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=4)
    return QdrantClient(url=url, headers=headers, timeout=timeout, limits=limits, trust_env=False, check_compatibility=False)


class Index:
    """The passages of all workspaces in one collection, made for one embedding model and its number of dimensions.

    The collection is made when it is first needed. Every method raises IndexUnavailable if the service does not answer, IndexMismatch if
    the collection was made with another model, IndexCorrupt if it refuses what is right.
    """

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        dimensions: int,
        model: str,
        *,
        weights: Weights | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        self._client, self._collection, self._weights = client, collection, weights or weights_of(model)
        self._vectors = vectors or Vectors()
        self._metadata = {"model": model, "dimensions": dimensions, "layout": LAYOUT, "sample": SAMPLE}
        self.dimensions = dimensions
        self._ready, self._sampled, self._large_until = False, False, 0.0
        self._large: dict[Scope, bool] = {}

    def ensure(self) -> None:
        """Makes the collection if it is not there; checks that it is made for this model."""
        if not self._call(lambda: self._client.collection_exists(self._collection)):
            self._create()
        made = self._call(lambda: self._client.get_collection(self._collection))
        metadata = made.config.metadata or {}
        made_with, wanted = _made_with(metadata), _made_with(self._metadata)
        if made_with != wanted:
            raise IndexMismatch(self._collection, made_with, wanted)
        self._sampled = metadata.get("sample") == SAMPLE
        self._settle(made)
        for field in KEYWORDS:
            if field not in made.payload_schema:
                self._call(partial(self._client.create_payload_index, self._collection, field, _keyword(field)))
        for field in TIMES:
            if field not in made.payload_schema:
                times = models.DatetimeIndexParams(type=models.DatetimeIndexType.DATETIME)
                self._call(partial(self._client.create_payload_index, self._collection, field, times))
        self._ready = True

    def replace(self, entry: Entry, chunks: Sequence[Chunk], dense: np.ndarray, sparse: Sequence[Sparse]) -> None:
        """These chunks are the document from now on. `dense`: (len(chunks), dimensions); `sparse`: BM25 weights, one a chunk.

        May run twice, and be cut off and run again: a point's id follows from workspace, document, revision and ordinal. The new points
        go in before any other of the document's go out, so that a search never meets a hole.
        """
        if dense.shape != (len(chunks), self.dimensions) or not np.isfinite(dense).all() or len(sparse) != len(chunks):
            raise EmbeddingFault(f"an array of shape {dense.shape} where {(len(chunks), self.dimensions)} was needed, or not finite")
        ids = [_number(entry.workspace, entry.document, entry.sha256, chunk.ordinal) for chunk in chunks]
        for start in range(0, len(chunks), BATCH):
            rows = range(start, min(start + BATCH, len(chunks)))
            points = [_point(ids[row], entry, chunks[row], dense[row], sparse[row]) for row in rows]
            self._ask(partial(self._client.upsert, self._collection, points, wait=True))
        new = models.HasIdCondition(has_id=list(ids))
        self._delete(models.Filter(must=[_is("workspace", entry.workspace), _is("document", entry.document)], must_not=[new]))

    def describe(self, entry: Entry) -> None:
        """Who may find the document from now on (nobody if `principals` is empty), and the facts that searches are narrowed by. Its chunks
        and vectors stay. The sample goes first: what somebody may read no longer is never left in what their words are weighed by."""
        all_of: list[Any] = [_is("workspace", entry.workspace), _is("document", entry.document)]
        readers_of_sample = {"sample": sampled(entry.workspace, entry.principals)}
        for payload, where in ((readers_of_sample, [*all_of, _is("sample", entry.workspace)]), (facts(entry), all_of)):
            self._ask(partial(self._client.set_payload, self._collection, payload, models.Filter(must=where), wait=True))

    def forget(self, workspace: str, document: str) -> None:
        self._delete(models.Filter(must=[_is("workspace", workspace), _is("document", document)]))

    def forget_source(self, workspace: str, source: str) -> None:
        self._delete(models.Filter(must=[_is("workspace", workspace), _is("source", source)]))

    def forget_workspace(self, workspace: str) -> None:
        self._delete(models.Filter(must=[_is("workspace", workspace)]))

    def query(
        self,
        scope: Scope,
        dense: np.ndarray | None,
        sparse: Sparse,
        *,
        limit: int,
        weights: Weights | None = None,
        said: Collection[str] = (),
    ) -> list[Passage]:
        """The best chunks that this scope may find, best first, without their text and their document's name.

        `dense`: (dimensions,), or None to search by words alone; `sparse`: may be ([], []). Each search puts its nearest forward, and the
        weights (the index's own, if none are given) add up both; what stands out by its words is among the first. The scope's clause is
        part of each search, not put on its outcome, and an empty one finds nothing. BM25's IDF counts only chunks that these people may
        read, so that no answer depends on what is hidden, whatever the filters, so that these change no weight. `said`: names that the
        question may say; what they name puts its nearest forward, too, and is worth more. `why` holds the cosine `dense`, BM25's `sparse`
        where words found it, `named`, what its names are worth, and `fused`, the log-odds that order; `score` is their probability.
        """
        if not scope.workspace or not scope.principals or (scope.sources is not None and not scope.sources) or limit < 1:
            return []
        if dense is not None and (dense.shape != (self.dimensions,) or not np.isfinite(dense).all()):
            raise EmbeddingFault(f"a query vector of shape {dense.shape} where {(self.dimensions,)} was needed, or not finite")
        asked: dict[str, Any] = {DENSE: dense.tolist()} if dense is not None else {}
        if sparse[0]:
            asked[SPARSE] = models.SparseVector(indices=sparse[0], values=sparse[1])
        corpus = self._corpus(scope) if sparse[0] else _allowed(scope)
        points, scores = self._nearest(asked, _narrowed(scope), corpus, max(limit, DEPTH), said)
        weights = (weights or self._weights) if dense is not None else LEXICAL
        whys = [{name: known[key] for name, known in scores.items() if key in known} for key in points]
        words = [why.get(SPARSE, 0.0) for why in whys]
        named = [for_names((point.payload or {}).get("names") or (), said) for point in points.values()]
        log_odds = [weights.log_odds(why.get(DENSE, 0.0), why.get(SPARSE, 0.0)) + more for why, more in zip(whys, named, strict=True)]
        whys = [why | ({NAMED: more} if more else {}) for why, more in zip(whys, named, strict=True)]
        found = [_passage(point, why, odds) for point, why, odds in zip(points.values(), whys, lifted(log_odds, words), strict=True)]
        return sorted(found, key=lambda one: (-one.why["fused"], one.document, one.ordinal))[:limit]

    def weigh(self, scope: Scope, sparse: Sparse, passages: Sequence[Passage]) -> list[Passage]:
        """The same passages with what their words alone are worth as `why["sparse"]` (BM25; 0 where no word is in it)."""
        ids = [_number(scope.workspace, one.document, one.sha256, one.ordinal) for one in passages]
        if not ids or not sparse[0] or not scope.principals:
            return list(passages)
        words = models.SparseVector(indices=sparse[0], values=sparse[1])
        these = models.Filter(must=[models.HasIdCondition(has_id=list(ids)), _allowed(scope)])
        found = self._search({SPARSE: self._request(SPARSE, words, these, len(ids), idf=self._corpus(scope))})[SPARSE]
        worth = {point.id: point.score for point in found}
        return [replace(one, why={**one.why, "sparse": worth.get(number, 0.0)}) for one, number in zip(passages, ids, strict=True)]

    def counts(self, workspace: str) -> dict[str, int]:
        """How many chunks of each of the workspace's documents are in the index; a document without any is not named."""
        where = models.Filter(must=[_is("workspace", workspace)])
        found = self._ask(lambda: self._client.facet(self._collection, "document", facet_filter=where, limit=10_000_000, exact=True))
        return {str(hit.value): hit.count for hit in found.hits}

    def points(self, workspace: str, document: str) -> int:
        """How many chunks of the document are in the index."""
        where = models.Filter(must=[_is("workspace", workspace), _is("document", document)])
        return self._ask(lambda: self._client.count(self._collection, where, exact=True)).count

    def made(self) -> dict[str, Any] | None:
        """What the collection says that it was made with: model, dimensions, layout; None where there is none. Makes nothing."""
        if not self._call(lambda: self._client.collection_exists(self._collection)):
            return None
        return dict(self._call(lambda: self._client.get_collection(self._collection)).config.metadata or {})

    def drop(self) -> None:
        """The collection and all its points are gone; where it is not there, nothing happens. Whoever asks it again makes it anew."""
        self._ready = False
        self._call(lambda: self._client.delete_collection(self._collection))

    def _create(self) -> None:
        try:
            self._client.create_collection(
                self._collection,
                vectors_config={DENSE: self._vectors.params(self.dimensions)},
                optimizers_config=self._vectors.optimizers(self.dimensions),
                sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata=self._metadata,
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # another process was quicker
                raise _told(error) from error
        except (ResponseHandlingException, ResourceExhaustedResponse) as error:
            raise _told(error) from error

    def _settle(self, made: models.CollectionInfo) -> None:
        """Vectors are kept as the settings say from now on; a collection may have been made under others. Its index is made anew."""
        params, wanted = made.config.params.vectors, self._vectors.params(self.dimensions)
        held = params[DENSE] if isinstance(params, dict) else wanted
        threshold = self._vectors.optimizers(self.dimensions)
        same = (held.hnsw_config, held.quantization_config) == (wanted.hnsw_config, wanted.quantization_config)
        if not same or made.config.optimizer_config.indexing_threshold != threshold.indexing_threshold:
            change = {DENSE: self._vectors.change(self.dimensions)}
            self._call(lambda: self._client.update_collection(self._collection, vectors_config=change, optimizers_config=threshold))

    def _delete(self, where: models.Filter) -> None:
        self._ask(lambda: self._client.delete(self._collection, models.FilterSelector(filter=where), wait=True))

    def _corpus(self, scope: Scope) -> models.Filter:
        """Over which chunks BM25 counts its words: all that these people may read, or the sample of them where they are very many. Neither
        holds what is hidden, nor does that decide between them. In a collection that an older North made, not all points are marked."""
        whose, sample = replace(scope, filters=EVERYTHING), _allowed(scope, "sample")
        if time.monotonic() >= self._large_until:
            self._large, self._large_until = {}, time.monotonic() + LARGE_SECONDS
        if (large := self._large.get(whose)) is None:
            held = self._ask(lambda: self._client.count(self._collection, sample, exact=True)).count
            large = self._large[whose] = self._sampled and held * SAMPLE >= LARGE
        return sample if large else _allowed(scope)

    def _nearest(
        self, asked: Mapping[str, Any], allowed: models.Filter, idf: models.Filter, depth: int, said: Collection[str]
    ) -> tuple[dict[Any, models.ScoredPoint], Scores]:
        """What each search found, in all and in what is called as `said`, by its id; and by the search's name each one's score, where it
        has one. Two requests. Words are weighed over what `idf` lets through.

        How near those are that only words have found is asked for. How many words those hold that only the model has found is not: it is
        at most what the last of DEPTH holds, to ask costs a quarter of the search, and it gains 0.2 points of nDCG@10."""
        called = _also(allowed, [_any("names", said)])
        found = self._search(
            {(name, where is called): self._request(name, query, where, depth, idf=idf, payload=ANSWERED)
             for name, query in asked.items() for where in ([allowed, called] if said else [allowed])}
        )  # fmt: skip
        points = {point.id: point for some in found.values() for point in some}
        scores: Scores = {name: {} for name in asked}
        for (name, _), some in found.items():
            scores[name] |= {point.id: point.score for point in some}
        if DENSE in asked and (others := [key for key in points if key not in scores[DENSE]]):
            these = models.Filter(must=[models.HasIdCondition(has_id=others), allowed])
            more = self._search({DENSE: self._request(DENSE, asked[DENSE], these, len(others), idf=idf)})
            scores[DENSE] |= {point.id: point.score for point in more[DENSE]}
        return points, scores

    def _request(
        self, name: str, query: Any, clause: models.Filter, limit: int, *, idf: models.Filter, payload: list[str] | None = None
    ) -> models.QueryRequest:
        """`clause` narrows the search; `idf` says over which points BM25 counts its words."""
        params = models.SearchParams(idf=models.IdfCorpusParams(corpus=idf)) if name == SPARSE else self._vectors.search()
        return models.QueryRequest(query=query, using=name, filter=clause, limit=limit, params=params, with_payload=payload)

    def _search(self, requests: Mapping[Key, models.QueryRequest]) -> dict[Key, list[models.ScoredPoint]]:
        """Several searches in one request."""
        if not requests:
            return {}
        answers = self._ask(partial(self._client.query_batch_points, self._collection, list(requests.values())))
        return {name: answer.points for name, answer in zip(requests, answers, strict=True)}

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        if not self._ready:
            self.ensure()
        return self._call(call)

    def _call(self, call: Callable[[], Answer]) -> Answer:
        """All that is asked may be asked twice, so a kept connection that the service has closed meanwhile is no fault."""
        for last in (False, True):
            try:
                return call()
            except ResponseHandlingException as error:
                if last or not isinstance(error.source, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
                    raise _told(error) from error
            except UnexpectedResponse as error:
                self._ready = self._ready and error.status_code != 404
                raise _told(error) from error
            except ResourceExhaustedResponse as error:
                raise _told(error) from error
        raise AssertionError("unreachable")


def _made_with(metadata: Mapping[str, Any]) -> str:
    model, dimensions, layout = metadata.get("model", "an unknown model"), metadata.get("dimensions", "?"), metadata.get("layout", 1)
    return f"{model} ({dimensions} dimensions, layout {layout})"


def _told(error: Exception) -> IndexUnavailable | IndexCorrupt:
    """The client's error as ours. A wrong key or a lost collection can be mended, so neither is for ever."""
    match error:
        case UnexpectedResponse(status_code=401 | 403):
            return IndexUnavailable("it refuses the key that the settings give")
        case UnexpectedResponse(status_code=404):
            return IndexUnavailable("its collection is gone; it is made anew, and every document must be indexed again")
        case UnexpectedResponse(status_code=int(status)) if status < 500 and status not in (408, 413, 429):
            return IndexCorrupt(f"{status} {error.content[:200].decode(errors='replace')}")
        case ResponseHandlingException():
            return IndexUnavailable(f"{type(error.source).__name__}: {error.source}")
    return IndexUnavailable(str(error).replace("\n", " "))


def _number(workspace: str, document: str, sha256: str, ordinal: int) -> str:
    """A point's id follows from what it stands for."""
    return str(uuid.uuid5(POINTS, f"{workspace}\n{document}\n{sha256}\n{ordinal}"))


def _is(field: str, value: str) -> models.FieldCondition:
    if not value:
        raise ValueError(f"An empty {field} names nothing.")
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _any(field: str, values: Iterable[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=sorted(values)))


def _keyword(field: str) -> models.KeywordIndexParams:
    return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True if field == "workspace" else None)


def _allowed(scope: Scope, field: str = "readers") -> models.Filter:
    """The clause that every search carries: for these people of this workspace, perhaps from these sources; of the `sample`, if told so."""
    words = readers(scope.workspace, scope.principals)
    sources: list[Any] = [] if scope.sources is None else [_any("source", scope.sources)]
    if 0 < len(words) <= FEW:
        return models.Filter(should=[_is(field, word) for word in words], must=sources)
    return models.Filter(must=[_any(field, words), *sources])


def _narrowed(scope: Scope) -> models.Filter:
    """That clause, and what the filters ask for besides."""
    return _also(_allowed(scope), _conditions(scope.filters))


def _also(clause: models.Filter, conditions: Sequence[models.FieldCondition]) -> models.Filter:
    return models.Filter(should=clause.should, must=[*cast(list[Any], clause.must), *conditions])


def _conditions(filters: Filters) -> list[models.FieldCondition]:
    folders = frozenset({filters.folder.strip("/")} - {""})
    named = {"source": filters.sources, "type": filters.types, "language": filters.languages, "folders": folders}
    named["author"] = frozenset(map(folded, filters.authors))
    ranges = {"created": (filters.created_from, filters.created_before), "updated": (filters.updated_from, filters.updated_before)}
    return [_any(field, values) for field, values in named.items() if values] + [
        models.FieldCondition(key=field, range=models.DatetimeRange(gte=start, lt=before))
        for field, (start, before) in ranges.items()
        if start or before
    ]


def _point(number: str, entry: Entry, chunk: Chunk, dense: np.ndarray, sparse: Sparse) -> models.PointStruct:
    payload = {
        "workspace": entry.workspace,
        "document": entry.document,
        **facts(entry),
        "sha256": entry.sha256,
        "ordinal": chunk.ordinal,
        "start": chunk.start,
        "end": chunk.end,
        "heading": chunk.heading,
        **({"sample": sampled(entry.workspace, entry.principals)} if drawn(number) else {}),
    }
    vectors = {DENSE: dense.tolist(), SPARSE: models.SparseVector(indices=sparse[0], values=sparse[1])}
    return models.PointStruct(id=number, vector=vectors, payload=payload)


def _passage(point: models.ScoredPoint, why: Mapping[str, float], log_odds: float) -> Passage:
    held = point.payload or {}
    return Passage(
        **{part: held[part] for part in ("document", "ordinal", "start", "end", "heading", "sha256")},
        name="",
        text="",
        score=probability(log_odds),
        why={**why, "fused": log_odds},
        names=tuple(held.get("names") or ()),
    )
