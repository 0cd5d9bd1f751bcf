"""The cross-encoders that North trained itself: their weights in 8 bits without the words, which are multilingual-e5-small's, and how a
model for the processor (ONNX) or the GPU (safetensors) is put together from both. What each is, and how good, stands in its card (.md)."""
