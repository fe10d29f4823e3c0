"""Take the README's picture of the page, at work on a drawn scene: `python -m benchmarks.screenshot`.

The server is a real one with the exported networks, the browser a real Chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Final

import torch
from PIL import Image

from benchmarks import scene
from benchmarks.latency import ANSWER_S
from benchmarks.served import served
from training.degradations import create

PATH: Final = Path(__file__).parents[1] / "docs" / "figures" / "page.png"
HEIGHT, WIDTH = 480, 640
SEED: Final = 5


def rainy() -> bytes:
    """The scene in rain, as PNG."""
    clean = torch.from_numpy(scene.draw(HEIGHT, WIDTH)).permute(2, 0, 1)[None].float()
    rain = create("rain", clean_share=0.0, drawn_share=1.0, gain=[0.7, 0.75])
    damaged, _ = rain(clean, torch.Generator().manual_seed(SEED))
    buffer = io.BytesIO()
    values = (damaged[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    """Restore the scene in the page and take its picture."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not installed: tests/install-system-packages")
    with served() as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 780}, color_scheme="light")
        page.goto(url)
        page.locator("#choose:enabled").wait_for()
        page.set_input_files("#files", {"name": "evening.png", "mimeType": "image/png", "buffer": rainy()})
        page.locator("#strip li[data-state=succeeded]").wait_for(timeout=ANSWER_S * 1000)
        page.locator(".viewer.comparing").wait_for()
        page.wait_for_load_state("networkidle")
        taken = page.screenshot()
        browser.close()
    with Image.open(io.BytesIO(taken)) as image:  # a fraction of the bytes, and no difference to see
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(PATH, optimize=True)
    print(PATH)


if __name__ == "__main__":
    main()
