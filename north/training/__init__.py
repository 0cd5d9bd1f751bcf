"""Models of one's own: fine-tuning a reranker or an embedder on questions and the passages that answer them, and merging two of a kind.

Knows no Django and no database. Whatever imports torch or transformers needs the extra "gpu" (pip install -e '.[gpu]') and is reached by
`finetuning.py`; all else runs on what North installs anyway. `default/` makes the reranker that North ships.
"""
