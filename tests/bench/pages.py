"""What a page weighs and asks: scripts and styles as they go over the wire, database queries, and requests to anybody else.

Every route that gives a page is looked at, in a workspace that is filled with the sample company and some threads: in this process's client
for the queries, and in a real browser for the requests.
"""

from __future__ import annotations

import re
import shutil
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from playwright.sync_api import sync_playwright

from tests.bench.answers import ask
from tests.bench.figures import Figure
from tests.bench.installations import Installations, demo
from tests.bench.talking import run
from tests.bench.upload import wait_until_all_ready
from tests.installation import Installation

SCRIPTS, STYLES, QUERIES = 60_000, 30_000, 12
QUESTIONS = ("How many days of leave do I have?", "What does error E17 mean?")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SETTLE_MILLISECONDS = 200
SIGNED_OUT = "/sign-in"
DOCS = "api:openapi-view"


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("scripted")
    installation.manage("demo")
    with demo(installation) as api:
        wait_until_all_ready(api, sum(api.get("/documents").json()["counts"].values()), 300)
        for question in QUESTIONS:
            ask(api, question)
    said = run("counting", installation.environment, slug="demo", email="admin@example.com")
    paths = [page["path"] for page in said["pages"]]
    with browser(installation, said["cookies"]) as member, browser(installation, {}) as stranger:
        weights = {path: weigh(member, path) for path in paths} | {SIGNED_OUT: weigh(stranger, SIGNED_OUT)}
    asked = requests(installation, said["cookies"], paths)
    docs = weights.pop(next(page["path"] for page in said["pages"] if page["name"] == DOCS))
    return [
        weight(weights, docs, "script", "JavaScript", SCRIPTS), weight(weights, docs, "style", "CSS", STYLES), queries(said),
        third_parties(asked, installation),
    ]  # fmt: skip


def browser(installation: Installation, cookies: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=installation.url, cookies=cookies, trust_env=False, timeout=30)


def weigh(visitor: httpx.Client, path: str) -> dict[str, Any]:
    """Bytes over the wire, gzipped, of all scripts and styles that this page names; and what each of them is."""
    page = visitor.get(path).raise_for_status().text
    named = {
        "script": re.findall(r"<script[^>]*\ssrc=[\"']([^\"']+)", page),
        "style": [file for link in re.findall(r"<link[^>]*stylesheet[^>]*>", page) for file in re.findall(r"href=[\"']([^\"']+)", link)],
    }
    return {kind: {file: wire_bytes(visitor, urljoin(path, file)) for file in files} for kind, files in named.items()}


def wire_bytes(visitor: httpx.Client, address: str) -> int:
    with visitor.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as response:
        response.raise_for_status()
        return sum(len(piece) for piece in response.iter_raw())


def weight(weights: dict[str, dict[str, Any]], docs: dict[str, Any], kind: str, name: str, goal: int) -> Figure:
    sums = {path: sum(found[kind].values()) for path, found in weights.items()}
    heaviest = max(sums, key=lambda path: sums[path])
    files = ", ".join(f"{urlsplit(file).path.rpartition('/')[2]} {size / 1000:.1f}" for file, size in weights[heaviest][kind].items())
    if not sums[heaviest]:
        raise RuntimeError(f"No page names any {name}: the search for it is wrong.")
    said = f"{sums[heaviest] / 1000:.1f} kB (the heaviest of {len(sums)} pages)"
    notes = [f"kB: {files}", f"not judged: Swagger UI at /api/docs, {sum(docs[kind].values()) / 1000:.0f} kB"]
    return Figure(f"pages: {name}, gzipped", f"<= {goal // 1000} kB", said, sums[heaviest] <= goal, {"pages": sums}, notes)


def queries(said: dict[str, Any]) -> Figure:
    most = sorted(said["pages"], key=lambda page: -page["queries"])
    return Figure(
        "pages: database queries", f"<= {QUERIES}", f"{most[0]['queries']} at most, of {len(most)} pages ({most[0]['name']})",
        most[0]["queries"] <= QUERIES, {"pages": most, "left_out": said["left_out"]},
        [
            "most: " + ", ".join(f"{page['name']} {page['queries']}" for page in most[:6]),
            "not looked at, since they give no page or need what is used once: " + (", ".join(said["left_out"]) or "none"),
        ],
    )  # fmt: skip


def requests(installation: Installation, cookies: dict[str, str], paths: list[str]) -> list[str]:
    """Every address that a browser asks for while it shows all pages."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": value, "url": installation.url} for name, value in cookies.items()])
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for path in paths:
            page.goto(installation.url + path, wait_until="load")
            page.wait_for_timeout(SETTLE_MILLISECONDS)
        browser.close()
    return asked


def third_parties(asked: list[str], installation: Installation) -> Figure:
    own = urlsplit(installation.url).netloc
    others = sorted({url for url in asked if urlsplit(url).scheme not in {"data", "blob"} and urlsplit(url).netloc != own})
    return Figure(
        "pages: requests to third parties", "0", f"{len(others)} of {len(asked)} requests of a real browser", not others,
        {"others": others, "requests": len(asked)}, others[:5],
    )  # fmt: skip
