"""A few hundred requests of schemathesis; `make fuzz` sends 50,000."""

from __future__ import annotations

import pytest

from tests.api.fuzzing import Fuzzer
from tests.api.living import world


@pytest.mark.django_db(transaction=True)
def test_nothing_that_is_described_or_not_makes_the_api_fail_or_hang(server: str, vectors: str, no_worker: None) -> None:
    report = Fuzzer(server, world).run(300)
    assert not report.faults, "\n\n".join(report.faults[:5])
    assert report.requests >= 300 and not any(status >= 500 for status in report.statuses)
    assert {200, 201, 204, 404, 422} <= report.statuses.keys(), "it came as far as to read and to write"
