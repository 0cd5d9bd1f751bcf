"""What a page is made of: small, from this origin only, and free of anything that the content security policy forbids.

Knows files, not routes: pages themselves are looked at by the browser tests."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import django_htmx
import pytest

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "north" / "static"
VENDORED = Path(django_htmx.__file__).parent / "static"
TEMPLATES = sorted([*ROOT.glob("templates/**/*.html"), *ROOT.glob("templates/**/*.svg"), *ROOT.glob("north/**/templates/**/*.html")])
BASE = (ROOT / "templates" / "base.html").read_text()

FETCHING = {"src", "href", "action", "formaction", "poster", "data", "srcset", "sse-connect"}
FETCHING |= {f"hx-{method}" for method in ("get", "post", "put", "patch", "delete")}
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
TEMPLATE_CODE = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL)


class Forbidden(HTMLParser):
    """Collects what the content security policy would block, or what would leave this origin."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open_script = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on", "data-hx-on")):
                self.found.append(f"<{tag} {name}>")
            if (value or "").strip().startswith(("js:", "javascript:", "data:")):
                self.found.append(f"<{tag} {name}={value}>")
            if name in FETCHING and re.match(r"\s*(https?:)?//", value or ""):
                self.found.append(f"<{tag} {name}={value}>")
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.found.append(f"<{tag}>")

    handle_startendtag = handle_starttag


def forbidden_in(markup: str) -> list[str]:
    parser = Forbidden()
    parser.feed(TEMPLATE_CODE.sub("x", markup))
    return parser.found


def gzipped(paths: list[Path]) -> int:
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in paths)


def static_files_of(markup: str, ending: str) -> list[Path]:
    """The static files that a template names, in its own folder or in a package's."""
    names = re.findall(r'{% static "([^"]+)" %}', markup)
    return [next(folder / name for folder in (STATIC, VENDORED) if (folder / name).exists()) for name in names if name.endswith(ending)]


def test_it_loads_at_most_sixty_kilobytes_of_javascript() -> None:
    scripts = static_files_of(BASE, ".js")
    assert len(scripts) >= 4
    assert gzipped(scripts) + gzipped([path for path in STATIC.rglob("*.js") if path not in scripts]) <= 60_000


def test_it_loads_at_most_thirty_kilobytes_of_css() -> None:
    sheets = list(STATIC.rglob("*.css"))
    assert sheets == [STATIC / "north.css"]
    assert gzipped(sheets) <= 30_000


def test_every_static_file_that_a_template_names_exists() -> None:
    for template in TEMPLATES:
        for name in re.findall(r"""{% static ["']([^"']+)["']""", template.read_text()):
            assert (STATIC / name).exists() or (VENDORED / name).exists(), f"{template.name} names {name}"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_holds_nothing_that_the_policy_forbids(template: Path) -> None:
    assert forbidden_in(template.read_text()) == []


@pytest.mark.parametrize(
    "markup",
    [
        '<p style="color: red">',
        '<p onclick="go()">',
        '<p hx-on:click="go()">',
        "<script>go()</script>",
        "<style>p {}</style>",
        '<img src="https://example.com/a.png">',
        '<img src="//example.com/a.png">',
        '<a href="javascript:go()">',
        "<p hx-vals='js:{a: 1}'>",
        '{% if x %}<br style="">{% endif %}',
    ],
)
def test_the_scan_of_templates_sees_what_is_forbidden(markup: str) -> None:
    assert len(forbidden_in(markup)) == 1


@pytest.mark.parametrize("path", [*STATIC.rglob("*.css"), *STATIC.rglob("*.js"), *STATIC.rglob("*.svg")], ids=lambda path: path.name)
def test_a_static_file_names_no_other_origin(path: Path) -> None:
    addresses = set(re.findall(r"""(?:https?:)?//[\w-]+\.[^\s"')]+""", path.read_text()))
    assert addresses <= NAMESPACES


def test_a_script_evaluates_no_text() -> None:
    for path in STATIC.rglob("*.js"):
        assert not re.search(r"\beval\(|new Function|\.innerHTML\s*=|document\.write|insertAdjacentHTML", path.read_text()), path.name


def test_every_icon_that_a_template_uses_is_in_the_sprite() -> None:
    known = set(re.findall(r'id="(i-[\w-]+)"', (ROOT / "templates" / "icons.svg").read_text()))
    for template in TEMPLATES:
        used = set(re.findall(r'href="#(i-[\w-]+)"', template.read_text()))
        assert used <= known, f"{template.name} uses {used - known}"


def test_htmx_may_not_evaluate_nor_leave_the_origin() -> None:
    config = re.search(r"""name="htmx-config" content='([^']+)'""", BASE)
    assert config
    for setting in ('"allowEval": false', '"allowScriptTags": false', '"selfRequestsOnly": true', '"includeIndicatorStyles": false'):
        assert setting in config.group(1)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it, of "#rrggbb"."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TOKENS = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", (STATIC / "north.css").read_text()))
TEXT_ON = [
    *((text, ground) for text in ("ink", "soft", "faint", "accent", "bad") for ground in ("paper", "raised", "wash")),
    *((text, "sunk") for text in ("ink", "soft", "accent")),
    *((tone, f"{tone}-tint") for tone in ("ok", "warn", "bad", "info")),
    *(("ink", ground) for ground in ("mark", "tint", "ok-tint", "warn-tint", "bad-tint", "info-tint")),
    ("accent", "tint"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
]


@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(text: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[text].split(", ")[theme], TOKENS[ground].split(", ")[theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_edge_of_a_field_has_the_contrast_that_wcag_asks_for(theme: int) -> None:
    assert contrast(TOKENS["edge"].split(", ")[theme], TOKENS["raised"].split(", ")[theme]) >= 3
