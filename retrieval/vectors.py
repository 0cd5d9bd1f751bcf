"""How a collection keeps its dense vectors and searches them, in Qdrant's parameters: a setting of the deployment. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from qdrant_client import models

from retrieval.types import VECTOR_KINDS

OVERSAMPLING = {"int8": 2.0, "binary": 6.0}
"""How many times as many as are asked for are found by quantised vectors, whose order the whole ones then decide."""
EF = 256
"""Of an HNSW graph's nodes, how many are kept in view."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """`kind`: full: compared one by one with whole vectors, which is exact; int8: one by one with a byte for a number, a quarter of the
    memory; binary: with a bit for a number, 1/32; hnsw: along a graph; hnsw-int8: that with a byte for a number. Where vectors are
    quantised, whole ones rescore what was found, so every score is exact.

    `exact`: a collection of no more chunks gets no index: whole vectors are compared one by one. `scanned`: where no more chunks pass the
    filter, a graph is not followed, for it finds few of the nearest where a filter lets a tenth pass. Raises ValueError for another kind or
    a number below 1.
    """

    kind: str = "int8"
    exact: int = 10_000
    scanned: int = 100_000

    def __post_init__(self) -> None:
        if self.kind not in VECTOR_KINDS or min(self.exact, self.scanned) < 1:
            raise ValueError(
                f"Vectors are one of {', '.join(VECTOR_KINDS)}, from a number of chunks of 1 or more; not {self.kind!r}, {self.exact}."
            )

    def params(self, dimensions: int) -> models.VectorParams:
        distance = models.Distance.COSINE
        return models.VectorParams(
            size=dimensions, distance=distance, hnsw_config=self.hnsw(dimensions), quantization_config=self.quantised
        )

    def change(self, dimensions: int) -> models.VectorParamsDiff:
        """Of a collection that was made with other settings."""
        quantised = self.quantised or models.Disabled.DISABLED
        return models.VectorParamsDiff(hnsw_config=self.hnsw(dimensions), quantization_config=quantised)

    def optimizers(self, dimensions: int) -> models.OptimizersConfigDiff:
        return models.OptimizersConfigDiff(indexing_threshold=kilobytes(self.exact, dimensions))

    def search(self) -> models.SearchParams:
        quantised = self.kind.removeprefix("hnsw-")
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING[quantised]) if self.quantised else None
        return models.SearchParams(hnsw_ef=EF if self.kind.startswith("hnsw") else None, quantization=rescored)

    @property
    def quantised(self) -> models.ScalarQuantization | models.BinaryQuantization | None:
        match self.kind.removeprefix("hnsw-"):
            case "int8":
                scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
                return models.ScalarQuantization(scalar=scalar)
            case "binary":
                return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
        return None

    def hnsw(self, dimensions: int) -> models.HnswConfigDiff:
        if not self.kind.startswith("hnsw"):
            return models.HnswConfigDiff(m=0)
        return models.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=kilobytes(self.scanned, dimensions))


def kilobytes(chunks: int, dimensions: int) -> int:
    """Of so many whole vectors: Qdrant's measure of a threshold."""
    return max(1, chunks * dimensions * 4 // 1024)
