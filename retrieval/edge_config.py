"""From how Qdrant's JSON says that a collection is made and changed to the engine's classes.

A collection is made plain: its vectors are searched one by one, which is exact. HNSW and quantisation come with the first index that is
built of it (`edge_building`), so what they say is checked and kept when it is said.
"""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from retrieval.edge_dialect import Body, Refused, Schema, narrowing, only, point

DISTANCES = {"Cosine": edge.Distance.Cosine, "Dot": edge.Distance.Dot, "Euclid": edge.Distance.Euclid, "Manhattan": edge.Distance.Manhattan}
CACHED = edge.Memory.Cached
"""Mapped from its file, whether or not it should always be in memory: what the engine reads into memory of its own it reads from the disk
when a collection is opened, and a search waits for that (100,000 chunks: a second and more against a tenth)."""


def made_of(body: Body) -> Body:
    """What `PUT /collections/name` says, checked; raises Refused."""
    made: Body = {"vectors": {}, "sparse_vectors": {}, "metadata": {}}
    made |= only(body, "vectors", "sparse_vectors", "metadata", "optimizers_config")
    made["vectors"] = {name: vector_of(params) for name, params in made["vectors"].items()}
    made["sparse_vectors"] = {name: only(params, "modifier") for name, params in made["sparse_vectors"].items()}
    made["optimizers_config"] = only(made.get("optimizers_config", {}), "indexing_threshold")
    return made


def changed(made: Body, body: Body) -> Body:
    """`made` as `PATCH /collections/name` says; what an index is made of holds for the next one that is built."""
    given = only(body, "vectors", "optimizers_config")
    vectors = dict(made["vectors"])
    for name, change in given.get("vectors", {}).items():
        if name not in vectors:
            raise Refused(400, f"Wrong input: Not existing vector name error: {name}")
        vectors[name] = vector_of(vectors[name] | only(change, "hnsw_config", "quantization_config"))
    optimizers = made.get("optimizers_config", {}) | only(given.get("optimizers_config", {}), "indexing_threshold")
    return {"vectors": vectors, "optimizers_config": optimizers}


def vector_of(body: Any) -> Body:
    given = only(body, "size", "distance", "hnsw_config", "quantization_config")
    if given["distance"] not in DISTANCES:
        raise Refused(400, f"Format error in JSON body: distance is one of {', '.join(DISTANCES)}")
    if given.get("quantization_config") == "Disabled":
        del given["quantization_config"]
    hnsw(given.get("hnsw_config", {}), 1)
    quantization(given.get("quantization_config"))
    return given


def hnsw(body: Body, threads: int) -> edge.HnswIndexConfig:
    """`full_scan_threshold` in KB of vectors, as with Qdrant; m 0: no graph."""
    given: Body = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000} | only(body, "m", "ef_construct", "full_scan_threshold")
    return edge.HnswIndexConfig(**given, max_indexing_threads=threads, memory=CACHED)


def quantization(body: Any) -> edge.ScalarQuantizationConfig | edge.BinaryQuantizationConfig | None:
    match body:
        case None:
            return None
        case {"scalar": scalar, **rest} if not rest and (given := only(scalar, "type", "quantile", "always_ram")).get("type") == "int8":
            return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, given.get("quantile"), memory=CACHED)
        case {"binary": binary, **rest} if not rest:
            only(binary, "always_ram")
            return edge.BinaryQuantizationConfig(memory=CACHED)
    raise Refused(400, "Format error in JSON body: quantisation is scalar (int8) or binary")


def sparse(made: Body) -> dict[str, edge.EdgeSparseVectorParams]:
    return {
        name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if params.get("modifier") == "idf" else None, memory=CACHED)
        for name, params in made["sparse_vectors"].items()
    }


def plain(made: Body) -> edge.EdgeConfig:
    dense = {name: edge.EdgeVectorParams(int(one["size"]), DISTANCES[one["distance"]]) for name, one in made["vectors"].items()}
    return edge.EdgeConfig(vectors=dense, sparse_vectors=sparse(made))


def indexed(made: Body, threads: int) -> edge.EdgeConfig:
    """What `made` asks for, of everything that there is: no segment is too small to be worth it."""
    dense = {
        name: edge.EdgeVectorParams(
            int(one["size"]),
            DISTANCES[one["distance"]],
            quantization_config=quantization(one.get("quantization_config")),
            hnsw_config=hnsw(one.get("hnsw_config", {"m": 0}), threads),
        )
        for name, one in made["vectors"].items()
    }
    optimizers = edge.EdgeOptimizersConfig(indexing_threshold=1)
    return edge.EdgeConfig(vectors=dense, sparse_vectors=sparse(made), optimizers=optimizers, id_tracker_memory=CACHED)


def operation(kind: str, body: Body, schema: Schema) -> edge.UpdateOperation:
    """A change of a collection by the name of its route: upsert, delete, payload, index. Raises Refused."""
    match kind:
        case "upsert":
            return edge.UpdateOperation.upsert_points([point(one, schema) for one in only(body, "points")["points"]])
        case "delete":
            return deletion(body)
        case "payload":
            given = only(body, "payload", "filter")
            return edge.UpdateOperation.set_payload_by_filter(narrowing(given.get("filter")), given["payload"])
        case "index":
            given = only(body, "field_name", "field_schema")
            return edge.UpdateOperation.create_field_index(given["field_name"], payload_index(given.get("field_schema")))
    raise AssertionError("unreachable")


def deletion(body: Body) -> edge.UpdateOperation:
    match only(body, "points", "filter"):
        case {"points": list(ids), **rest} if not rest:
            return edge.UpdateOperation.delete_points(ids)
        case {"filter": clause, **rest} if not rest:
            return edge.UpdateOperation.delete_points_by_filter(narrowing(clause))
    raise Refused(400, "Format error in JSON body: points or filter is needed")


def payload_index(schema: Any) -> edge.KeywordIndexParams | edge.DatetimeIndexParams:
    parameters = only({"type": schema} if isinstance(schema, str) else schema, "type", "is_tenant")
    match parameters:
        case {"type": "keyword"}:
            return edge.KeywordIndexParams(is_tenant=parameters.get("is_tenant"), memory=CACHED)
        case {"type": "datetime", **rest} if not rest:
            return edge.DatetimeIndexParams(memory=CACHED)
    raise Refused(400, "Wrong input: only keyword and datetime indexes are supported here")
