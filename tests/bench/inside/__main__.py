"""`python -m tests.bench.inside NAME ARGUMENTS`: runs the program of this name with arguments in JSON, and says what it returns in JSON."""

from __future__ import annotations

import importlib
import json
import sys

import django

django.setup()
name, arguments = sys.argv[1:]
program = importlib.import_module(f"tests.bench.inside.{name}").main
print(json.dumps(program(**json.loads(arguments))), flush=True)
