"""Cohere's API, versions 1 and 2, as its unmodified clients speak it (https://docs.cohere.com/reference)."""
