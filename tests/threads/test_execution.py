from __future__ import annotations

import pytest

from north.threads.models import Run

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_answers_from_the_documents_with_citations_that_rest_on_them(answered: Run) -> None:
    assert (answered.status, answered.error) == ("done", "")
    assert answered.answer == "The notice period is thirty days for all staff."
    citation = answered.citations.get()
    assert answered.answer[citation.start : citation.end] == citation.text
