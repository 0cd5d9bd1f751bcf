"""The reranker that North ships, from public data to weights: `python -m north.training.default --help`."""
