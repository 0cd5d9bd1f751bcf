"""Between Qdrant's JSON and the engine's classes, as far as `index.py` speaks it. Knows no folder and no connection.

What is not supported is refused by name; nothing is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import qdrant_edge as edge

Body = dict[str, Any]


class Refused(Exception):
    """An answer other than 200, in Qdrant's shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Schema:
    """A collection's vectors by name: how long the dense ones are, and which are sparse."""

    dimensions: dict[str, int]
    sparse: frozenset[str]


def only(body: Any, *known: str) -> Body:
    """The parts of an object that are set; one that is not known is refused, for to ignore a filter would be to leak."""
    if not isinstance(body, dict):
        raise Refused(400, f"Format error in JSON body: expected an object, got {type(body).__name__}")
    given = {name: value for name, value in body.items() if value is not None}
    if unknown := given.keys() - set(known):
        raise Refused(400, f"Format error in JSON body: not supported here: {', '.join(sorted(unknown))}")
    return given


def filter_of(body: Any) -> edge.Filter | None:
    return None if body is None else clauses(body)


def clauses(body: Any) -> edge.Filter:
    given = only(body, "must", "should", "must_not")
    must, should, must_not = (
        [condition(one) for one in (given[name] if isinstance(given[name], list) else [given[name]])] if name in given else None
        for name in ("must", "should", "must_not")
    )
    return edge.Filter(must=must, should=should, must_not=must_not)


def narrowing(body: Any) -> edge.Filter:
    """A filter that must say something: what changes points does not do so to all of them by accident."""
    if not isinstance(body, dict) or not any(body.values()):
        raise Refused(400, "Wrong input: an empty filter would match every point")
    return clauses(body)


def condition(body: Any) -> Any:
    given = only(body, "key", "match", "range", "has_id", "must", "should", "must_not")
    match given:
        case {"key": str(key), "match": wanted, **rest} if not rest:
            return edge.FieldCondition(key, match=match_of(wanted))
        case {"key": str(key), "range": limits, **rest} if not rest:
            return edge.FieldCondition(key, range=range_of(limits))
        case {"has_id": list(ids), **rest} if not rest:
            return edge.HasIdCondition(set(ids))
        case {"must": _} | {"should": _} | {"must_not": _}:
            return clauses(given)
    raise Refused(400, f"Format error in JSON body: not a condition: {', '.join(sorted(given))}")


def match_of(body: Any) -> edge.MatchValue | edge.MatchAny:
    match only(body, "value", "any"):
        case {"value": str() | bool() | int() as value, **rest} if not rest:
            return edge.MatchValue(value)
        case {"any": list(values), **rest} if not rest:
            return edge.MatchAny(values)
    raise Refused(400, "Format error in JSON body: match takes one value, or any of a list")


def range_of(body: Any) -> edge.RangeDateTime:
    """Of times, as RFC 3339 has them."""
    given = only(body, "gt", "gte", "lt", "lte")
    if not given or not all(isinstance(limit, str) for limit in given.values()):
        raise Refused(400, "Format error in JSON body: a range is of times; it names gt, gte, lt or lte")
    return edge.RangeDateTime(**given)


def point(body: Any, schema: Schema) -> edge.Point:
    given = only(body, "id", "vector", "payload")
    return edge.Point(given["id"], {name: vector(name, value, schema) for name, value in given["vector"].items()}, given.get("payload"))


def vector(name: str | None, value: Any, schema: Schema) -> list[float] | edge.SparseVector:
    if name in schema.sparse:
        given = only(value, "indices", "values")
        if len(set(given["indices"])) != len(given["values"]):
            raise Refused(400, "Wrong input: a sparse vector has each index once, and one value for each")
        return edge.SparseVector(given["indices"], given["values"])
    if name not in schema.dimensions:
        raise Refused(400, f"Wrong input: Not existing vector name error: {name}")
    if len(value) != schema.dimensions[name]:
        raise Refused(400, f"Wrong input: Vector dimension error: expected dim: {schema.dimensions[name]}, got {len(value)}")
    return value


def query_of(body: Any, using: str | None, schema: Schema) -> Any:
    match body:
        case {"rrf": parameters}:
            given = only(parameters, "k", "weights")
            return edge.Fusion.Rrf(k=given.get("k", 2), weights=given.get("weights"))
        case {"nearest": value, **rest} if not rest:
            return edge.Query.Nearest(vector(using, value, schema), using=using)
        case list() | {"indices": _}:
            return edge.Query.Nearest(vector(using, body, schema), using=using)
    raise Refused(400, "Format error in JSON body: a query is a vector, or rrf over prefetches")


def search_params(body: Any) -> edge.SearchParams | None:
    if body is None:
        return None
    given = only(body, "idf", "exact", "hnsw_ef", "quantization")
    idf = edge.IdfParams(filter_of(only(given["idf"], "corpus").get("corpus"))) if "idf" in given else None
    quantised = only(given["quantization"], "ignore", "rescore", "oversampling") if "quantization" in given else None
    return edge.SearchParams(
        hnsw_ef=given.get("hnsw_ef"),
        exact=given.get("exact", False),
        quantization=edge.QuantizationSearchParams(**quantised) if quantised is not None else None,
        idf=idf,
    )


def prefetch(body: Any, schema: Schema) -> edge.Prefetch:
    given = only(body, "query", "using", "filter", "limit", "params")
    return edge.Prefetch(
        limit=given.get("limit", 10),
        query=query_of(given.get("query"), given.get("using"), schema),
        filter=filter_of(given.get("filter")),
        params=search_params(given.get("params")),
    )


def request(body: Any, schema: Schema) -> edge.QueryRequest:
    given = only(body, "prefetch", "query", "using", "filter", "limit", "params", "with_payload", "with_vector")
    stages = given.get("prefetch", [])
    return edge.QueryRequest(
        limit=given.get("limit", 10),
        query=query_of(given.get("query"), given.get("using"), schema),
        prefetches=[prefetch(stage, schema) for stage in (stages if isinstance(stages, list) else [stages])],
        filter=filter_of(given.get("filter")),
        params=search_params(given.get("params")),
        with_payload=given.get("with_payload", False),
        with_vector=given.get("with_vector", False),
    )


def plain(value: Any) -> Any:
    """What JSON does not know of the engine's answers: ids and sparse vectors."""
    if isinstance(value, edge.SparseVector):
        return {"indices": value.indices, "values": value.values}
    return str(value)


def record(found: edge.Record | edge.ScoredPoint) -> Body:
    return {"id": found.id, "payload": found.payload, "vector": found.vector}


def scored(found: edge.ScoredPoint) -> Body:
    return {**record(found), "version": found.version, "score": found.score}
