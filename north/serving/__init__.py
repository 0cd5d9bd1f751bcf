"""How programs reach the models: a web process asks (`calls.py`), the model worker serves (`tasks.py`), the broker carries both ways.
Knows no dialect: what Cohere's and OpenAI's clients say is `north.api`'s matter."""
