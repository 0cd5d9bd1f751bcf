"""What is made of the weights that North carries is what the catalogue says: when they are trained anew, this names the checksums."""

from __future__ import annotations

from pathlib import Path

from north.inference.catalogue import E5, MODELS
from north.inference.rerankers.listing import listed
from tests.inference.conftest import fetched


def test_the_catalogue_says_what_the_weights_make(models_dir: Path) -> None:
    fetched(E5, models_dir)
    said = {form.made[0]: (form.bytes, form.sha256) for one in MODELS for file in one.files for form in file.forms if form.made}
    found = listed(models_dir / E5 / "model.onnx")
    assert found == {name: said[name] for name in found}
