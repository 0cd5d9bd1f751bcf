"""OpenAI's chat completions and embeddings, as its unmodified clients speak them (https://platform.openai.com/docs/api-reference)."""
