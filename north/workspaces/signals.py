"""What other floors may listen to."""

from django.dispatch import Signal

workspace_leaves = Signal()
"""Sent with `workspace` in the transaction that deletes it, before its rows go: forget what is kept of it outside the database. A
receiver that raises stops the deletion."""
