"""Schemathesis sends what the OpenAPI description allows, and what it does not, to the living application: no 5xx, no hang, and every
answer as it is described. `python -m tests.api.fuzzing 50000` (`make fuzz`) sends so many requests, tests/api/test_fuzzing.py a few
hundred."""

from __future__ import annotations

import json
import os
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SECONDS = 30
"""After which an answer is taken for a hang."""
EXAMPLES = 20
"""In a row of one operation, one mode, and ids that are real or not; then the next comes, and all begins anew with another seed."""
IN_ONE_WORLD = 200
"""Requests after which everything is made anew, since some of them delete."""
World = Callable[[], tuple[str, dict[str, str]]]
"""Makes a workspace with one of everything: a key of its owner, and real ids by the names of path parameters."""


@dataclass
class Report:
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())


class Fuzzer:
    def __init__(self, url: str, world: World, *, seed: int = 0, said: Callable[[str], object] = lambda words: None) -> None:
        self.url, self.world, self.said = url, world, said
        self.random, self.seed = random.Random(seed), seed
        self.schema = schemathesis.openapi.from_dict(requests.get(f"{url}/api/openapi.json", timeout=6 * SECONDS).json())
        self.session = requests.Session()
        self.session.trust_env = False
        self.report = Report()
        self.sent = 0
        self.key, self.ids = world()

    def run(self, count: int) -> Report:
        operations = [found.ok() for found in self.schema.get_all_operations()]
        thorough = count >= 4 * EXAMPLES * len(operations)
        each = EXAMPLES if thorough else max(1, count // len(operations) // 2)
        while self.report.requests < count:
            before = self.report.requests
            for operation in operations:
                self.key, self.ids = self.world()
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    for real in (True, False) if thorough else (mode is GenerationMode.POSITIVE,):
                        self.some(operation, mode, min(each, count - self.report.requests), real)
            self.seed += 1
            if self.report.requests == before:
                raise RuntimeError("Nothing could be sent.")
        return self.report

    def some(self, operation: Any, mode: GenerationMode, count: int, real: bool) -> None:
        """So many requests of one operation; with `real` ids of what is there, so that it comes further than to a 404."""
        named = {parameter.name for parameter in operation.path_parameters}
        if count < 1:
            return
        given_ids = {"path_parameters": {name: self.ids[name] for name in named}} if real and named else {}

        @seeded(self.seed)
        @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode, **given_ids))
        def send(case: Any) -> None:
            self.send(case)

        try:
            send()
        except Exception as error:
            if type(error).__name__ not in {"Unsatisfiable", "SkipTest", "Skipped"}:  # nothing to do wrong in this operation
                raise

    def send(self, case: Any) -> None:
        self.sent += 1
        if self.sent % IN_ONE_WORLD == 0:
            self.key, self.ids = self.world()
            self.said(f"{self.report.requests} {dict(self.report.statuses)}, {len(self.report.faults)} faults")
        headers = {"Authorization": f"Bearer {self.key}"}
        if self.random.random() < 0.2:
            headers["Idempotency-Key"] = str(uuid.UUID(int=self.random.getrandbits(128)))
        began = time.monotonic()
        try:
            response = case.call(base_url=self.url, session=self.session, headers=headers, timeout=SECONDS)
        except requests.Timeout:
            self.fault(f"hangs: {case.as_curl_command()[:1500]}")
            return
        except (requests.exceptions.InvalidHeader, UnicodeError, requests.exceptions.InvalidURL):
            return  # what the client itself cannot send
        self.report.slowest = max(self.report.slowest, time.monotonic() - began)
        self.report.statuses[response.status_code] += 1
        if response.status_code == 401:  # an operation took away what the key stands for
            self.key, self.ids = self.world()
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.fault(f"{type(failure).__name__} {case.operation.label} {response.status_code}: {str(failure)[:1500]}")

    def fault(self, words: str) -> None:
        self.report.faults.append(words)
        self.said(words)


# --- as a command ---------------------------------------------------------------------------------------------------------------------
def main(count: int) -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from tests.api.living import living, world

    with living() as url:
        began = time.monotonic()
        report = Fuzzer(url, world, seed=int(os.environ.get("SEED", "0")), said=lambda words: print(words, flush=True)).run(count)
    kinds = Counter(fault.split(":")[0] for fault in report.faults)
    figures = {"requests": report.requests, "statuses": dict(sorted(report.statuses.items())), "slowest": round(report.slowest, 2)}
    print(json.dumps({**figures, "seconds": round(time.monotonic() - began), "faults": dict(kinds)}, indent=1))
    server_errors = sum(number for status, number in report.statuses.items() if status >= 500)
    return 1 if report.faults or server_errors else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
