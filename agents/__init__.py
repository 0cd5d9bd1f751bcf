"""Agents that search, answer and cite. Knows nothing of the web, the database or the model libraries: what it needs is in its Context."""
