"""From a source to the passages that answer. Knows no Django, no Celery and no model library: what it needs is handed to it."""
