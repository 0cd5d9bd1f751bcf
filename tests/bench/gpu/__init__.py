"""Figures of the engines on a GPU: `python -m tests.bench.gpu --out FILE`, or some of them: `--only embed,rerank`. Needs a GPU, the extra
"gpu", and flash-attn for chat."""
