"""What tests of the page do to it, and see of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from service_bench import png

Open = Callable[..., Any]
Drop = Callable[..., None]


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)  # for a machine that is busy with other things
    return expect(locator, "")


def a_png(name: str = "rainy.png", width: int = 300, height: int = 200, seed: int = 1) -> tuple[str, str, bytes]:
    return name, "image/png", png(width, height, seed)


def frames(page: Any, state: str) -> Any:
    return page.locator(f"#strip li[data-state={state}]")


def downloaded(page: Any) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def shown(page: Any) -> NDArray[np.uint8]:
    """The viewer's pixels as they are on the screen, nothing lying over them."""
    hide = "value => document.querySelectorAll('.zoom, .side, .divider').forEach(e => e.style.visibility = value)"
    page.evaluate(hide, "hidden")
    taken = page.locator("#viewer").screenshot()
    page.evaluate(hide, "")
    return np.asarray(Image.open(io.BytesIO(taken)).convert("RGB"))
