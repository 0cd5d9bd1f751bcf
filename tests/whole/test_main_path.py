"""The whole path as a person takes it, in a real browser with the real small model: files in, a question, steps, a cited answer, the
words in their document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docx import Document
from playwright.sync_api import Browser, Page, expect
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from tests.installation import Installation, wait_until

pytestmark = [pytest.mark.whole, pytest.mark.model, pytest.mark.browser]
ANSWER_MILLISECONDS = 150_000


@pytest.fixture(scope="module")
def real_north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("north")).start()
    yield installation
    installation.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    canvas = Canvas(str(folder / "manual.pdf"), pagesize=A4)
    for lines in (
        ["Borealis coffee machine: manual", "Fill the tank with fresh water before the first use."],
        ["Cleaning", "The Borealis must be descaled every 90 days with citric acid.", "Never use vinegar."],
    ):
        for number, line in enumerate(lines):
            canvas.drawString(72, 760 - 24 * number, line)
        canvas.showPage()
    canvas.save()
    document = Document()
    document.add_heading("Office rules", 1)
    document.add_paragraph("The office kitchen is cleaned each evening. Guests may use the Borealis after 14:00 only.")
    document.save(str(folder / "rules.docx"))
    return [folder / "manual.pdf", folder / "rules.docx"]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    foreign: list[str] = []
    page.on(
        "request",
        lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url and "localhost" not in request.url else None,
    )
    yield page
    context.close()
    assert not faults and not foreign


def test_from_files_to_a_cited_answer(real_north: Installation, files: list[Path], page: Page) -> None:
    link = next(found[0] for line in real_north.output if (found := re.search(r"http\S+/welcome/\S+", line)))
    page.goto(link)
    page.get_by_label("E-mail").fill("ada@acme.example")
    page.get_by_label("Name", exact=False).first.fill("Ada")
    for field in page.locator("input[type=password]").all():
        field.fill("correct horse battery staple")
    page.locator("main button").last.click()
    page.wait_for_url(re.compile(r"/(workspaces|$|w/)"))
    page.goto(f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}/workspaces/new")
    page.get_by_label("Name").fill("Acme")
    page.locator("main button").last.click()
    page.get_by_role("link", name="Documents").first.click()

    page.locator("#files").set_input_files(files)
    for file in files:
        expect(page.locator("#documents tr", has_text=file.name).locator(".pill")).to_have_attribute("data-status", "ready", timeout=60_000)

    page.get_by_role("link", name="Ask", exact=True).click()
    page.locator("textarea").fill("How often must the Borealis be descaled?")
    page.keyboard.press("Enter")
    expect(page.locator(".step").first).to_be_visible(timeout=20_000)
    cited = page.locator("a.cite")
    expect(cited.first).to_be_visible(timeout=ANSWER_MILLISECONDS)
    expect(page.locator(".answer")).to_contain_text("90")
    expect(page.locator(".steps .step", has_text="Borealis").first).to_be_attached()

    cited.first.focus()
    page.keyboard.press("Enter")
    viewer = page.locator("#aside .viewer")
    expect(viewer).to_contain_text("manual.pdf")
    expect(viewer.locator("mark").first).to_contain_text("90 days")
    expect(viewer.locator("figure svg rect").first).to_be_attached()
    picture = viewer.locator("figure img")
    wait_until(lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"), 20)
    page.reload()
    expect(page.locator("a.cite").first).to_be_visible()


def test_what_the_documents_do_not_hold_is_refused(real_north: Installation, page: Page) -> None:
    link = real_north.manage("sign_in_link", "ada@acme.example").strip().splitlines()[-1].strip()
    page.goto(link)
    for field in page.locator("input[type=password]").all():
        field.fill("correct horse battery staple")
    page.locator("main button").last.click()
    page.wait_for_url(re.compile(r"/w/"))
    page.locator("textarea").fill("What is the name of the managing director's dog?")
    page.keyboard.press("Enter")
    expect(page.locator(".notice", has_text="do not hold the answer")).to_be_visible(timeout=ANSWER_MILLISECONDS)
    expect(page.locator("a.cite")).to_have_count(0)
