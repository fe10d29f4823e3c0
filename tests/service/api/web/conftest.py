"""A real Chromium, with the page of a real server in it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service_bench import Bench

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# No sandbox, as containers run tests as root; no connections of the browser's own.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DROP = """files => {
    const transfer = new DataTransfer();
    for (const [name, type, content] of files) {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name, {type}));
    }
    return transfer;
}"""

PATIENCE_MS = 60_000  # for a machine that is busy with other things

File = tuple[str, str, bytes]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: tests/install-system-packages")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "spool")


@pytest.fixture
def open_page(browser: Any, bench: Bench) -> Iterator[Callable[..., Any]]:
    """Opens a page; every request of it goes to its own server, and the console stays clean of faults."""
    faults: list[str] = []

    def opened(address: str, *, expect_refusals: bool = False, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}} | options)
        bench.guests.append(context.close)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)

        def said(message: Any) -> None:
            refusal = "Failed to load resource: " in message.text
            if message.type == "error" and not (refusal and expect_refusals):
                faults.append(message.text)

        def asked(request: Any) -> None:
            if not request.url.startswith((address.removesuffix("docs"), "blob:", "data:")):
                faults.append(f"asked for {request.url}")

        page.on("console", said)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", asked)
        page.goto(address)
        return page

    yield opened
    for leave in bench.guests:  # twice is fine
        leave()
    assert faults == []


@pytest.fixture
def drop() -> Callable[..., None]:
    def dropped(page: Any, *files: File, event: str = "drop", early: bool = False) -> None:
        if not early:
            page.locator("#choose:enabled").wait_for(state="attached")
        content = [[name, kind, base64.b64encode(data).decode()] for name, kind, data in files]
        transfer = page.evaluate_handle(DROP, content)
        page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
        page.dispatch_event("body", event, {"dataTransfer": transfer})

    return dropped
