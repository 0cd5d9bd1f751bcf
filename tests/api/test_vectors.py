"""The types of vectors that programs may ask for: whatever the vector, all of one text say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from north.api.vectors import typed

WIDTHS = st.sampled_from([8, 64, 128, 384, 1024, 1536])
FLOATS = st.floats(-1, 1, width=32).filter(lambda value: value == 0 or abs(value) > 1e-6)
SPIKED = WIDTHS.flatmap(lambda width: arrays(np.float32, width, elements=FLOATS, fill=st.sampled_from([0.0, 2**-10, -(2**-10)])))


@given(SPIKED.filter(np.any))
def test_bytes_keep_the_direction_and_bits_the_signs_of_any_vector(vector: np.ndarray) -> None:
    one = (vector / np.linalg.norm(vector))[None]
    said = {kind: np.asarray(value)[0] for kind, value in typed(one, ["float", "int8", "uint8", "binary", "ubinary"]).items()}
    bytes_ = said["int8"].astype(float)
    assert np.dot(bytes_, said["float"]) / np.linalg.norm(bytes_) >= 0.98 and abs(bytes_).max() == 127
    assert (said["uint8"].astype(int) - 128 == bytes_).all() and (said["ubinary"].astype(int) - 128 == said["binary"]).all()
    assert (np.unpackbits(said["ubinary"]).astype(bool) == (one[0] > 0)).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([384, 1024]))
def test_what_is_nearer_differs_in_fewer_bits(seed: int, width: int) -> None:
    draw = np.random.default_rng(seed)
    query = draw.standard_normal(width)
    near = np.linspace(0.95, 0.05, 10)[:, None]
    shelf = near * query + np.sqrt(1 - near**2) * draw.standard_normal((10, width))
    signs = np.unpackbits(typed(np.vstack([query, shelf]).astype(np.float32), ["ubinary"])["ubinary"], axis=1)
    differing = (signs[1:] != signs[0]).sum(axis=1)
    ranks = np.argsort(np.argsort(differing, kind="stable"))
    assert np.corrcoef(ranks, np.arange(10))[0, 1] > 0.75 and np.corrcoef(differing, -near[:, 0])[0, 1] > 0.8
