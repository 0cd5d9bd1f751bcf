"""What indexes hold beside the one that answers: a row for each document that has been brought there. Which documents still have to be is
the difference between these rows and the documents, so whatever dies, it goes on where it was."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from north.indexes.models import Generation


class Copy(models.Model):
    """A document in an index that is being built, or kept. `sha256` and `access` say of which revision, and for whom; where the document's
    are others, it is brought there anew."""

    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="copies")
    document = models.ForeignKey("Document", on_delete=models.CASCADE, related_name="copies")
    sha256 = models.CharField(max_length=64)
    access = models.PositiveIntegerField()
    chunks = models.PositiveIntegerField()
    copied_at = models.DateTimeField(auto_now=True)
    was_access = models.PositiveIntegerField(default=0)
    was_chunks = models.PositiveIntegerField(default=0)
    """Of the document, while a swap exchanges the two."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["generation", "document"], name="one_copy_an_index")]

    def __str__(self) -> str:
        return f"{self.document_id} in {self.generation_id}"
