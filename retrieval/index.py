"""The only file that knows Qdrant: passages go in, are narrowed, found and forgotten. Knows no text and no model; the rows hold the words.

One collection holds every workspace. Each point is a chunk's place (document, revision, span) with two vectors: the model's (`dense`,
cosine) and BM25's (`sparse`, whose inverse document frequency the engine counts). A question always carries who asks: `Index.query`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from retrieval.errors import EmbeddingFault, IndexCorrupt, IndexMismatch, IndexUnavailable
from retrieval.tokens import Sparse
from retrieval.types import Chunk, Entry, Passage, Scope

Answer = TypeVar("Answer")

DENSE, SPARSE = "dense", "sparse"
KEYWORDS = ("workspace", "document", "source", "readers")
LAYOUT = 2
"""Of a point's payload. Raised when a search could no longer read what an older North has written."""
ANSWERED = ["document", "sha256", "ordinal", "start", "end", "heading"]
DEPTH = 50
"""How many each of the two searches puts forward for fusion, at least."""
RRF_K, WEIGHTS = 3, {DENSE: 1.0, SPARSE: 0.5}
"""Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), weighted as Qdrant does: the sum of 1 / (rank / weight + k - 1), where the
first rank is 1. The usual k = 60 with equal weights lets the words, which hardly cross languages, spoil what the model finds across them.
Measured with multilingual-e5-small, nDCG@10, k = 60 and equal weights / these: English .530 / .525 and .982 / .980, Japanese .899 / .900,
German .976 / .975; German, Spanish, Chinese questions to English texts .807 / .897, .824 / .926, .783 / .816.
"""
BATCH = 64
"""Points of one request: what the embedded engine writes in some milliseconds, while searches wait."""
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

    def __init__(self, client: QdrantClient, collection: str, dimensions: int, model: str) -> None:
        self._client, self._collection = client, collection
        self._metadata = {"model": model, "dimensions": dimensions, "layout": LAYOUT}
        self.dimensions = dimensions
        self._ready = False

    def ensure(self) -> None:
        """Makes the collection if it is not there; checks that it is made for this model."""
        if not self._call(lambda: self._client.collection_exists(self._collection)):
            self._create()
        made = self._call(lambda: self._client.get_collection(self._collection))
        metadata = made.config.metadata or {}
        made_with, wanted = _made_with(metadata), _made_with(self._metadata)
        if made_with != wanted:
            raise IndexMismatch(self._collection, made_with, wanted)
        for field in KEYWORDS:
            if field not in made.payload_schema:
                self._call(partial(self._client.create_payload_index, self._collection, field, _keyword(field)))
        self._ready = True

    def replace(self, entry: Entry, chunks: Sequence[Chunk], dense: np.ndarray, sparse: Sequence[Sparse]) -> None:
        """These chunks are the document from now on. `dense`: (len(chunks), dimensions); `sparse`: BM25 weights, one a chunk.

        May run twice, and be cut off and run again: a point's id follows from workspace, document, revision and ordinal. The new points
        go in before any other of the document's go out, so that a search never meets a hole.
        """
        if dense.shape != (len(chunks), self.dimensions) or not np.isfinite(dense).all() or len(sparse) != len(chunks):
            raise EmbeddingFault(f"an array of shape {dense.shape} where {(len(chunks), self.dimensions)} was needed, or not finite")
        revision = f"{entry.workspace}\n{entry.document}\n{entry.sha256}"
        ids = [str(uuid.uuid5(POINTS, f"{revision}\n{chunk.ordinal}")) for chunk in chunks]
        for start in range(0, len(chunks), BATCH):
            rows = range(start, min(start + BATCH, len(chunks)))
            points = [_point(ids[row], entry, chunks[row], dense[row], sparse[row]) for row in rows]
            self._ask(partial(self._client.upsert, self._collection, points, wait=True))
        new = models.HasIdCondition(has_id=list(ids))
        self._delete(models.Filter(must=[_is("workspace", entry.workspace), _is("document", entry.document)], must_not=[new]))

    def restrict(self, workspace: str, document: str, principals: Iterable[str]) -> None:
        """Who may find the document from now on; nobody if empty."""
        where = models.Filter(must=[_is("workspace", workspace), _is("document", document)])
        self._ask(lambda: self._client.set_payload(self._collection, {"readers": _readers(workspace, principals)}, where, wait=True))

    def forget(self, workspace: str, document: str) -> None:
        self._delete(models.Filter(must=[_is("workspace", workspace), _is("document", document)]))

    def forget_source(self, workspace: str, source: str) -> None:
        self._delete(models.Filter(must=[_is("workspace", workspace), _is("source", source)]))

    def forget_workspace(self, workspace: str) -> None:
        self._delete(models.Filter(must=[_is("workspace", workspace)]))

    def query(self, scope: Scope, dense: np.ndarray, sparse: Sparse, *, limit: int) -> list[Passage]:
        """The best chunks that this scope may find, best first, without their text and their document's name.

        `dense`: (dimensions,); `sparse`: may be ([], []). Both lists of the nearest are fused by reciprocal rank. The scope's clause is
        part of each search, not put on its outcome, and an empty one finds nothing. BM25's IDF counts only chunks that the scope may find,
        so that no answer depends on what is hidden. `score` is the fused score over the highest possible; `why` holds `fused` and the
        cosine `dense`.
        """
        if not scope.workspace or not scope.principals or (scope.sources is not None and not scope.sources) or limit < 1:
            return []
        if dense.shape != (self.dimensions,) or not np.isfinite(dense).all():
            raise EmbeddingFault(f"a query vector of shape {dense.shape} where {(self.dimensions,)} was needed, or not finite")
        allowed, vector = _allowed(scope), dense.tolist()
        depth = max(limit, DEPTH)
        searches = [models.Prefetch(query=vector, using=DENSE, filter=allowed, limit=depth)]
        if sparse[0]:
            words = models.SparseVector(indices=sparse[0], values=sparse[1])
            idf = models.SearchParams(idf=models.IdfCorpusParams(corpus=allowed))
            searches.append(models.Prefetch(query=words, using=SPARSE, filter=allowed, limit=depth, params=idf))
        weights = [WEIGHTS[search.using] for search in searches if search.using]
        fusion = models.RrfQuery(rrf=models.Rrf(k=RRF_K, weights=weights))
        fused = self._search(prefetch=searches, query=fusion, query_filter=allowed, limit=depth, with_payload=ANSWERED)
        cosines = self._cosines(vector, allowed, [point.id for point in fused])
        highest = sum(1 / (1 / weight + RRF_K - 1) for weight in weights)
        found = [_passage(point, highest, cosines.get(point.id)) for point in fused]
        return sorted(found, key=lambda one: (-one.score, -one.why.get("dense", 0.0), one.document, one.ordinal))[:limit]

    def counts(self, workspace: str) -> dict[str, int]:
        """How many chunks of each of the workspace's documents are in the index; a document without any is not named."""
        where = models.Filter(must=[_is("workspace", workspace)])
        found = self._ask(lambda: self._client.facet(self._collection, "document", facet_filter=where, limit=10_000_000, exact=True))
        return {str(hit.value): hit.count for hit in found.hits}

    def points(self, workspace: str, document: str) -> int:
        """How many chunks of the document are in the index."""
        where = models.Filter(must=[_is("workspace", workspace), _is("document", document)])
        return self._ask(lambda: self._client.count(self._collection, where, exact=True)).count

    def _create(self) -> None:
        try:
            self._client.create_collection(
                self._collection,
                vectors_config={DENSE: models.VectorParams(size=self.dimensions, distance=models.Distance.COSINE)},
                sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata=self._metadata,
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # another process was quicker
                raise _told(error) from error
        except (ResponseHandlingException, ResourceExhaustedResponse) as error:
            raise _told(error) from error

    def _delete(self, where: models.Filter) -> None:
        self._ask(lambda: self._client.delete(self._collection, models.FilterSelector(filter=where), wait=True))

    def _search(self, **arguments: Any) -> list[models.ScoredPoint]:
        return self._ask(partial(self._client.query_points, self._collection, **arguments)).points

    def _cosines(self, vector: list[float], allowed: models.Filter, ids: list[models.ExtendedPointId]) -> Mapping[object, float]:
        """How near each of these points is to the question: fusion gives back ranks alone."""
        these = models.Filter(must=[models.HasIdCondition(has_id=ids), allowed])
        found = self._search(query=vector, using=DENSE, query_filter=these, limit=len(ids)) if ids else []
        return {point.id: point.score for point in found}

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


def _is(field: str, value: str) -> models.FieldCondition:
    if not value:
        raise ValueError(f"An empty {field} names nothing.")
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _keyword(field: str) -> models.KeywordIndexParams:
    return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True if field == "workspace" else None)


def _readers(workspace: str, principals: Iterable[str]) -> list[str]:
    """Each of those who may read, with their workspace in one word: it is found by one look into the engine's index, where two conditions
    cost a look at every point (20,000 chunks: 4 ms against 11)."""
    if "\n" in workspace:
        raise ValueError("A workspace's name has no line break.")
    return [f"{workspace}\n{principal}" for principal in sorted(principals)]


def _allowed(scope: Scope) -> models.Filter:
    """The clause that every search carries: for these people of this workspace, and if asked for, from these sources."""
    must: list[Any] = [models.FieldCondition(key="readers", match=models.MatchAny(any=_readers(scope.workspace, scope.principals)))]
    if scope.sources is not None:
        must.append(models.FieldCondition(key="source", match=models.MatchAny(any=sorted(scope.sources))))
    return models.Filter(must=must)


def _point(number: str, entry: Entry, chunk: Chunk, dense: np.ndarray, sparse: Sparse) -> models.PointStruct:
    payload = {
        "workspace": entry.workspace,
        "document": entry.document,
        "source": entry.source,
        "readers": _readers(entry.workspace, entry.principals),
        "sha256": entry.sha256,
        "ordinal": chunk.ordinal,
        "start": chunk.start,
        "end": chunk.end,
        "heading": chunk.heading,
    }
    vectors = {DENSE: dense.tolist(), SPARSE: models.SparseVector(indices=sparse[0], values=sparse[1])}
    return models.PointStruct(id=number, vector=vectors, payload=payload)


def _passage(point: models.ScoredPoint, highest: float, cosine: float | None) -> Passage:
    held = point.payload or {}
    why = {"fused": point.score} | ({"dense": cosine} if cosine is not None else {})
    return Passage(
        document=held["document"],
        name="",
        ordinal=held["ordinal"],
        start=held["start"],
        end=held["end"],
        text="",
        score=min(1.0, point.score / highest),
        heading=held["heading"],
        sha256=held["sha256"],
        why=why,
    )
