"""The arrows of the house: who may import whom, no circles, nothing hidden, and the few doors that exist once."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = [
    {
        "retrieval",
        "north.workspaces",
        "north.inference",
        "north.outbound",
        "north.tracing",
        "north.middleware",
        "north.leases",
        "north.failpoints",
        "north.hints",
        "north.broker",
        "north.memory",
        "north.health",
        "north.sealing",
        "north.exports",
        "north.indexes",
    },
    {"north.wiring", "north.usage", "north.webhooks", "north.heartbeat", "agents"},
    {"north.documents", "north.cards", "north.outside"},
    {"north.evaluation"},
    {"north.threads", "north.training", "north.serving", "north.reindexing"},
    {"north.refusals"},
    {"north.api", "north.administration", "north.demo", "north.programs"},
    {"north.asgi", "north.urls", "north.celery", "north.supervisor", "north.checks", "north.apps", "north.management"},
]
SAME_FLOOR = {
    ("north.wiring", "agents"),
    ("north.health", "north.broker"),
    ("north.hints", "north.broker"),
    ("north.inference", "north.outbound"),
    ("north.workspaces", "north.tracing"),
    ("north.apps", "north.checks"),
    ("north.apps", "north.celery"),
    ("north.management", "north.supervisor"),
    ("north.management", "north.checks"),
    ("north.leases", "north.failpoints"),
    ("north.indexes", "north.leases"),
    ("north.indexes", "retrieval"),
    ("north.management", "north.demo"),
}
ONLY_HANDED = {"agents": {"retrieval.types"}}
NO_FRAMEWORK = {"retrieval", "agents", "north.inference", "north.training"}
FRAMEWORKS = {"django", "celery", "ninja"}
MODEL_LIBRARIES = {"onnxruntime", "xllamacpp", "torch", "transformers", "tokenizers", "onnx", "safetensors"}
WITH_MODELS = {"north.inference", "north.training"}
WAYS_OUT = {"urllib.request", "requests", "aiohttp", "http.client", "socket", "httpx", "httpx2"}
MAY_CONNECT = {
    "north.outbound",  # the one way out
    "north.inference.chat",
    "north.inference.llama",  # the model server that the operator named, or the one in this process
    "north.health",
    "north.supervisor",  # is our own part on the loopback address ready?
    "retrieval.edge",
    "retrieval.index",  # the vector service itself, and its client's errors
    "retrieval.reading",
    "retrieval.parsers.nursery",  # a pair of sockets between the two, for the files' descriptors
    "retrieval.confinement",  # takes the network away from the parsers
}
BROAD_ALLOWED = {
    "north.documents.tasks",
    "north.cards.tasks",
    "north.evaluation.tasks",
    "north.threads.tasks",
    "north.serving.tasks",
    "north.threads.stream",
    "north.heartbeat",
    "agents.calling",  # a tool's fault is the failure of its step, not of the run
    "north.inference.batching",  # a batch's failure goes to those who handed it in, not to who happens to run it
    "retrieval.edge_collection",  # the engine raises nothing more precise
    "retrieval.parsers.nursery",  # a child that was forked ends, whatever happens in it
}
NO_NOUN = {"utils", "helpers", "common", "core", "base", "mixins", "managers", "services"}


@cache
def sources() -> dict[str, Path]:
    """Every module of ours, by its dotted name."""
    files = [path for room in ("north", "agents", "retrieval") for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(sources()[module].read_text())


@cache
def imports(module: str) -> frozenset[str]:
    """The dotted names that this module imports; `from a import b` is a.b where that is a module."""
    names: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in sources() else str(node.module))
    return frozenset(names)


def room(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "north" else parts[0]


def floor(name: str) -> int | None:
    return next((number for number, rooms in enumerate(FLOORS) if room(name) in rooms), None)


MODULES = sorted(sources())


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_down(module: str) -> None:
    if module in {"north", "north.settings"}:
        return
    here = floor(module)
    assert here is not None, f"{module} has no floor: give the new room a place in FLOORS and in the README"
    for name in imports(module):
        if room(name).split(".")[0] not in {"north", "agents", "retrieval"} or room(name) == room(module):
            continue
        there = floor(name)
        assert there is not None, f"{module} imports {name}, which has no floor"
        assert there < here or (room(module), room(name)) in SAME_FLOOR, f"{module} (floor {here}) imports {name} (floor {there})"
        allowed = ONLY_HANDED.get(room(module))
        assert not allowed or name in allowed, f"{module} may import only {allowed} from other rooms, not {name}"


@pytest.mark.parametrize("module", MODULES)
def test_no_import_hides_inside_a_function(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            hidden = [inner.lineno for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)]
            assert not hidden, f"{module}: an import inside {node.name}, line {hidden}"


def test_there_is_no_circle() -> None:
    graph = {module: {name for name in imports(module) if name in sources() and name != module} for module in MODULES}
    packages = {name for name in graph if sources()[name].name == "__init__.py"}
    for module in graph:  # importing a.b runs a/__init__ first: that is no choice of the author's
        graph[module] -= {package for package in packages if module.startswith(f"{package}.")}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", MODULES)
def test_the_lower_floors_know_no_framework(module: str) -> None:
    tops = {name.split(".")[0] for name in imports(module)}
    if room(module) in NO_FRAMEWORK:
        assert not tops & FRAMEWORKS
    if room(module) not in WITH_MODELS:
        assert not tops & MODEL_LIBRARIES, f"{module} imports a model library"


@pytest.mark.parametrize("module", MODULES)
def test_there_is_one_way_out(module: str) -> None:
    out = {name for name in imports(module) if name in WAYS_OUT or name.split(".")[0] in {"httpx", "httpx2", "requests", "aiohttp"}}
    assert not out or module in MAY_CONNECT, f"{module} opens connections of its own: {out}"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_dangerous_is_called(module: str) -> None:
    assert not imports(module) & {"pickle", "marshal", "shelve", "langchain_core.load"}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            pytest.fail(f"{module}:{node.value.lineno} runs a shell")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}, f"{module}:{node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            assert called != "mark_safe" or module == "north.threads.rendering" or "rendering" in module, f"{module}:{node.lineno}"


@pytest.mark.parametrize("module", MODULES)
def test_everything_is_caught_only_at_the_edges(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ExceptHandler):
            assert not broad(node) or module in BROAD_ALLOWED, f"{module}:{node.lineno} catches everything"


def broad(handler: ast.ExceptHandler) -> set[str]:
    names = {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)} if handler.type else {"BaseException"}
    return names & {"Exception", "BaseException"}


@pytest.mark.parametrize("module", sorted(BROAD_ALLOWED))
def test_whatever_catches_everything_says_why(module: str) -> None:
    functions = [node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [one for one in functions if any(isinstance(node, ast.ExceptHandler) and broad(node) for node in ast.walk(one))]
    assert found, f"{module} catches nothing broadly any more: take it off BROAD_ALLOWED"
    for one in found:
        assert "`except " in (ast.get_docstring(one) or ""), f"{module}: {one.name} catches everything and does not say why"


@pytest.mark.parametrize("module", MODULES)
def test_files_stay_readable(module: str) -> None:
    path = sources()[module]
    assert path.stem not in NO_NOUN, f"{path} is named for no noun"
    assert len(path.read_text().splitlines()) <= 400, f"{path} is two rooms"


def test_the_top_level_is_as_the_readme_says() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    top = {line.split("/")[0] for line in listed if line}
    ours = {
        "manage.py",
        "north",
        "agents",
        "retrieval",
        "templates",
        "docker",
        "tests",
        "README.md",
        "pyproject.toml",
        "Makefile",
        "LICENSE",
    }
    assert {name for name in top if not name.startswith(".")} <= ours


def test_every_hint_names_a_task() -> None:
    """Hints go by name, so that pages need not load what only workers need."""
    given = set()
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value.startswith(("documents.", "threads.", "cards.", "evaluation.", "serving.", "webhooks.", "reindexing."))
            ):
                given.add(node.value)
    tasks = {
        f"{room}.{node.name}"
        for room in ("documents", "threads", "cards", "evaluation", "serving", "webhooks", "reindexing")
        for node in tree(f"north.{room}.tasks").body
        if isinstance(node, ast.FunctionDef) and any(getattr(mark, "id", "") == "shared_task" for mark in node.decorator_list)
    }
    assert {name for name in given if name.count(".") == 1 and " " not in name} <= tasks


def test_no_command_but_by_its_dotted_path_loads_torch() -> None:
    """Who merges two models, or is told what is wrong with the data, needs no PyTorch."""
    modules = "north.training.merging, north.training.preparing, north.training.measuring"
    code = f"import sys, {modules}; assert not {{'torch', 'transformers'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_all_pages_together_load_neither_models_nor_what_an_index_needs() -> None:
    """Each web process, and each worker that embeds nothing, would hold 45 to 100 MB more."""
    code = (
        "import django, sys; django.setup(); import north.urls\n"
        "def loaded(*heavy): return set(heavy) & set(sys.modules)\n"
        "index = 'qdrant_client', 'grpc', 'onnxruntime', 'xllamacpp', 'duckdb'\n"
        "assert not loaded(*index, 'langgraph', 'langchain_core'), loaded(*index, 'langgraph', 'langchain_core')\n"
        "import north.celery; north.celery.app.loader.import_default_modules()\n"
        "assert not loaded(*index), loaded(*index)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env={**os.environ, "DJANGO_SETTINGS_MODULE": "north.settings"})


def test_a_process_pays_for_the_connectors_that_it_uses() -> None:
    """Their libraries are 22 MB together; a web process has no use for them."""
    libraries = {"dulwich", "lxml", "psycopg", "markdown_it", "imaplib"}
    before = "import sys, django; django.setup(); import north.wiring, retrieval.connectors as all"
    before += f"; assert not {libraries} & set(sys.modules)"
    after = "'git' in all.CONNECTORS and all.CONNECTORS['git']; assert 'dulwich' in sys.modules and 'psycopg' not in sys.modules"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "north.settings"}
    subprocess.run([sys.executable, "-c", f"{before}; {after}"], cwd=ROOT, check=True, env=environment)
