from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from page_bench import Drop, Open, a_png, downloaded, expect, frames, shown
from PIL import Image
from service_bench import Bench, encoded, inverted, manifest, picture, pixels, png, served, wait_for_state

from imaging import quality
from imaging.codec import decode
from service.api import app as application
from service.api.uploads import header
from service.catalogue import Artifact, Catalogue
from service.settings import Settings

ROOT = Path(__file__).parents[4]
DATA = Path(os.environ.get("UNSEAM_DATA", ROOT.parent / "shared" / "data"))


def test_a_dropped_picture_is_restored_and_its_pixels_can_be_downloaded(
    bench: Bench, open_page: Open, drop: Drop
) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url))
        file = a_png()
        drop(page, file)
        expect(frames(page, "succeeded")).to_have_count(1)
        name, content = downloaded(page)
        expect(page.locator("#status")).to_have_text("rainy.png is restored")
        expect(page.locator("#facts")).to_have_text(re.compile(r"Remove rain · 300 . 200 · \d+ kB · restored in"))
    assert name == "rainy-derain.png"
    np.testing.assert_array_equal(pixels(content), inverted(file[2]))
    assert [path for path in bench.folder.rglob("*.result")] == [], "a fetched result has no business on the server"


def test_two_pictures_at_once_each_get_their_own_result(bench: Bench, open_page: Open, drop: Drop) -> None:
    bench.runner.seconds = 0.002
    with bench.client() as http:
        page = open_page(str(http.base_url))
        files = [a_png("one.png", 300, 200, seed=1), a_png("two.png", 210, 310, seed=2)]
        drop(page, *files)
        expect(frames(page, "succeeded")).to_have_count(2)
        for name, _, content in files:
            page.get_by_role("button", name=f"{name}: Restored").click()
            expect(page.locator("#name")).to_have_text(name)
            saved, result = downloaded(page)
            assert saved == name.replace(".png", "-derain.png")
            np.testing.assert_array_equal(pixels(result), inverted(content))
        with page.expect_download() as download:
            page.get_by_role("button", name="Download all").click()
        assert download.value.suggested_filename == "one-derain.png"


def test_more_pictures_at_once_than_a_browser_has_connections(bench: Bench, open_page: Open, drop: Drop) -> None:
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, *(a_png(f"{n}.png", 40, 30, seed=n) for n in range(8)))
        expect(page.locator("#strip li:is([data-state=queued], [data-state=running])")).to_have_count(8)
        assert page.evaluate("fetch('healthz').then(({ok}) => ok)"), "other tabs find a connection"
        bench.runner.go.set()
        expect(frames(page, "succeeded")).to_have_count(8)


def test_progress_is_told_in_tiles(bench: Bench, open_page: Open, drop: Drop) -> None:
    bench.runner.stops_after = 16
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, a_png())
        expect(page.locator("#progress-words")).to_have_text(re.compile(r"^16 of \d+ tiles"))
        total = int(page.locator("#progress-words").inner_text().split()[2])
        value = page.locator("#progress progress").get_attribute("value")
        assert float(value) == pytest.approx(16 / total)
        # Tiles still to do are darker than those done.
        lines = shown(page).mean(axis=(1, 2))
        middle = len(lines) // 2
        assert lines[middle - 150 : middle - 100].mean() > lines[middle + 100 : middle + 150].mean() + 20
        bench.runner.go.set()
        expect(frames(page, "succeeded")).to_have_count(1)
        expect(page.locator("#progress")).to_be_hidden()


def test_the_divider_is_moved_by_mouse_and_by_keyboard(bench: Bench, open_page: Open, drop: Drop) -> None:
    grey = encoded(Image.new("RGB", (300, 200), (40, 80, 120)))
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, ("grey.png", "image/png", grey))
        expect(frames(page, "succeeded")).to_have_count(1)
        slider = page.get_by_role("slider", name="Divide before and after")
        expect(slider).to_have_attribute("aria-valuenow", "50")
        view = shown(page)
        height, width, _ = view.shape
        assert view[height // 2, width // 2 - 20].tolist() == [40, 80, 120]
        assert view[height // 2, width // 2 + 20].tolist() == [215, 175, 135]

        box = page.locator("#viewer").bounding_box()
        page.mouse.move(box["x"] + width / 2, box["y"] + height / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + width * 0.7, box["y"] + height / 2, steps=4)
        page.mouse.up()
        expect(slider).to_have_attribute("aria-valuenow", "70")
        assert shown(page)[height // 2, int(width * 0.68)].tolist() == [40, 80, 120]

        slider.focus()
        page.keyboard.press("ArrowLeft")
        expect(slider).to_have_attribute("aria-valuetext", "68 % before, 32 % after")
        page.keyboard.press("Home")
        expect(slider).to_have_attribute("aria-valuenow", "0")
        page.keyboard.press("End")
        expect(slider).to_have_attribute("aria-valuenow", "100")


def test_one_to_one_shows_every_pixel_of_a_large_picture_and_pans(bench: Bench, open_page: Open, drop: Drop) -> None:
    original = picture(2200, 900)
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, ("large.png", "image/png", encoded(original)))
        viewer = page.locator("#viewer")
        expect(page.locator("#facts")).to_contain_text("2,200 \u00d7 900")
        page.get_by_role("button", name="Cancel").click()  # nothing lies over it now
        page.get_by_role("button", name="1:1").click()
        expect(page.locator(".zoom output")).to_have_text("100 %")
        expect(viewer).to_have_class(re.compile("zoomed"))
        _expect_pixels(page, np.asarray(original))
        viewer.focus()
        for _ in range(12):
            page.keyboard.press("ArrowLeft")
        _expect_pixels(page, np.asarray(original), left=0)
        page.keyboard.press("0")
        expect(viewer).not_to_have_class(re.compile("zoomed"))


def test_a_large_transparent_picture_is_as_transparent_at_one_to_one(bench: Bench, open_page: Open, drop: Drop) -> None:
    stripes = np.full((200, 2200, 4), 128, np.uint8)
    stripes[..., :3] = (np.arange(2200) % 2 * 255)[:, None]  # as fine as only the picture's own pixels show them
    sharp = """() => {
        const canvas = document.querySelector("#viewer canvas");
        const pixel = (x) => canvas.getContext("2d").getImageData(x, canvas.height / 2, 1, 1).data;
        const pair = [...pixel(100), ...pixel(101)];
        const contrast = Math.abs(pair[0] - pair[4]);
        return contrast > 200 && [pair[3], pair[7]];
    }"""
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, ("glass.png", "image/png", encoded(Image.fromarray(stripes))))
        expect(page.locator("#facts")).to_contain_text("2,200 \u00d7 200")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="1:1").click()
        assert page.wait_for_function(sharp, timeout=10_000).json_value() == [128, 128]


def test_pictures_that_are_not_looked_at_are_kept_small(bench: Bench, open_page: Open, drop: Drop) -> None:
    # A bitmap that is closed has no width.
    one_is_whole = """made => bitmaps.length >= made
        && bitmaps.filter(({width}) => width === 1100).length === 2  // before and after"""
    with bench.client() as http:
        page = open_page(str(http.base_url))
        page.evaluate(
            """() => {
                const make = createImageBitmap;
                window.bitmaps = [];
                window.createImageBitmap = (...of) => make(...of).then((made) => (bitmaps.push(made), made));
            }"""
        )
        drop(page, *(a_png(f"{n}.png", 1100, 100, seed=n) for n in range(3)))
        expect(frames(page, "succeeded")).to_have_count(3)
        page.wait_for_function(one_is_whole, arg=10)  # six opened, four made small
        page.get_by_role("button", name="1.png: Restored").click()
        page.wait_for_function(one_is_whole, arg=14)  # two made small, two opened anew


def _expect_pixels(page: Any, whole: NDArray[np.uint8], left: int | None = None) -> None:
    """The viewer shows a part of the picture, pixel for pixel; `left` is where that part begins."""
    for _ in range(100):
        part = shown(page)[100:164, 100:164]
        for y, x in np.argwhere((whole == part[0, 0]).all(axis=2)):
            if np.array_equal(whole[y : y + 64, x : x + 64], part) and (left is None or abs(x - 100 - left) <= 1):
                return
        page.wait_for_timeout(100)
    raise AssertionError("the viewer never showed the picture's own pixels")


def test_a_running_job_is_cancelled_and_can_be_tried_again(bench: Bench, open_page: Open, drop: Drop) -> None:
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url))
        with page.expect_response("**/restore?*") as answer:
            drop(page, a_png())
        job = answer.value.json()["id"]
        wait_for_state(http, job, "running")
        page.get_by_role("button", name="Cancel").press("Enter")
        wait_for_state(http, job, "cancelled")
        expect(page.locator("#status")).to_have_text("rainy.png is cancelled")
        expect(page.get_by_role("link", name="Download")).to_be_hidden()
        expect(page.get_by_role("button", name="Try again")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        bench.runner.go.set()
        expect(frames(page, "succeeded")).to_have_count(1)
        expect(page.get_by_role("link", name="Download")).to_be_focused()


def test_a_picture_cancelled_while_the_server_looks_at_it_is_not_restored(
    bench: Bench, open_page: Open, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()

    def slow_header(*of: Any) -> Any:
        assert looked.wait(60)
        return header(*of)

    monkeypatch.setattr("service.api.restorations.header", slow_header)
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, a_png())
        expect(page.locator("#progress-words")).to_have_text("The server looks at it")
        page.get_by_role("button", name="Cancel").click()
        expect(frames(page, "cancelled")).to_have_count(1)
        with page.expect_request("**/jobs/*") as request:
            looked.set()
        assert request.value.method == "DELETE"
        wait_for_state(http, request.value.url.rpartition("/")[2], "cancelled")


def test_a_removed_picture_is_cancelled_and_the_next_is_shown(bench: Bench, open_page: Open, drop: Drop) -> None:
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url))
        with page.expect_response("**/restore?*") as answer:
            drop(page, a_png("one.png"))
        drop(page, a_png("two.png", seed=2))
        page.get_by_role("button", name="Remove one.png").click()
        wait_for_state(http, answer.value.json()["id"], "cancelled")
        expect(page.locator("#name")).to_have_text("two.png")
        bench.runner.go.set()
        expect(frames(page, "succeeded")).to_have_count(1)
        page.get_by_role("button", name="Remove two.png").click()
        expect(page.get_by_text("Drop pictures here")).to_be_visible()
        expect(page.get_by_role("button", name="Choose pictures")).to_be_focused()


def test_an_error_is_told_in_the_services_words(bench: Bench, open_page: Open, drop: Drop) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        drop(page, ("letter.jpg", "image/jpeg", b"Dear Sir or Madam"), ("nothing.jpg", "image/jpeg", b""), a_png())
        fault = page.get_by_role("alert").filter(visible=True)
        expect(fault).to_contain_text("Unsupported image")
        expect(fault).to_contain_text("This is text, not a picture.")
        expect(frames(page, "succeeded")).to_have_count(1)
        page.get_by_role("button", name="nothing.jpg").first.click()
        expect(fault).to_contain_text("The file is empty.")
        page.get_by_role("button", name="rainy.png: Restored").click()
        expect(fault).to_have_count(0)


def test_a_network_that_fails_is_told_and_tried_again(bench: Bench, open_page: Open, drop: Drop) -> None:
    bench.runner.error = RuntimeError("broken")
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, a_png())
        expect(page.locator("#fault")).to_contain_text("Something went wrong inside the server")
        expect(page.locator("#status")).to_have_text("rainy.png could not be restored")
        bench.runner.error = None
        page.get_by_role("button", name="Try again").click()
        expect(frames(page, "succeeded")).to_have_count(1)
        expect(page.locator("#fault")).to_be_hidden()


def test_a_full_server_is_asked_again(bench: Bench, open_page: Open, drop: Drop) -> None:
    bench.runner.go.clear()
    with bench.client(max_backlog_tile_units=1) as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        drop(page, a_png("one.png", 150, 150))
        expect(frames(page, "running")).to_have_count(1)
        drop(page, a_png("two.png", 150, 150, seed=2))
        expect(page.locator("#progress-words")).to_contain_text("The server is busy; asking again in")
        bench.runner.go.set()
        expect(frames(page, "succeeded")).to_have_count(2)


def test_a_server_with_keys_asks_for_one(bench: Bench, open_page: Open, drop: Drop) -> None:
    with bench.client(api_keys=(hashlib.sha256(b"mine").hexdigest(),)) as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        drop(page, a_png())
        dialog = page.get_by_role("dialog", name="API key")
        dialog.get_by_label("Key").fill("mine")
        dialog.get_by_role("button", name="Use this key").click()
        expect(frames(page, "succeeded")).to_have_count(1)


def test_a_picture_is_pasted(bench: Bench, open_page: Open, drop: Drop) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url))
        page.locator("#choose:enabled").wait_for()
        page.evaluate(
            """content => {
                const clipboardData = new DataTransfer();
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                clipboardData.items.add(new File([bytes], "image.png", {type: "image/png"}));
                document.dispatchEvent(new ClipboardEvent("paste", {clipboardData}));
            }""",
            base64.b64encode(png()).decode(),
        )
        expect(frames(page, "succeeded")).to_have_count(1)


def test_the_keyboard_alone_chooses_a_task_and_a_picture(bench: Bench, open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "rainy.png").write_bytes(png())
    with bench.client() as http:
        page = open_page(str(http.base_url))
        choosers: list[Any] = []
        page.on("filechooser", lambda chooser: choosers.append(chooser))
        page.locator("#choose:enabled").wait_for()
        focused = []
        for _ in range(12):
            page.keyboard.press("Tab")
            focused.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
            if focused[-1] == "choose":
                break
        assert "task" in focused
        assert focused[-1] == "choose"
        page.keyboard.press("Enter")
        while not choosers:
            page.wait_for_timeout(20)
        choosers[0].set_files(tmp_path / "rainy.png")
        expect(frames(page, "succeeded")).to_have_count(1)


def test_everything_to_press_or_fill_has_a_name(bench: Bench, open_page: Open, drop: Drop) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, a_png())
        expect(frames(page, "succeeded")).to_have_count(1)
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    kinds = {"button", "link", "slider", "radio", "textbox", "combobox", "list", "progressbar"}
    nameless = [
        node["role"]["value"]
        for node in tree
        if not node["ignored"] and node["role"]["value"] in kinds - {"list"} and not node["name"]["value"].strip()
    ]
    assert nameless == []


def test_a_kind_of_file_that_browsers_cannot_show_is_shown_by_the_server(
    bench: Bench, open_page: Open, drop: Drop
) -> None:
    tiff = encoded(Image.new("RGB", (300, 200), (40, 80, 120)), "tiff")
    with bench.client() as http:
        page = open_page(str(http.base_url))
        drop(page, ("scan.tif", "image/tiff", tiff))
        expect(frames(page, "succeeded")).to_have_count(1)
        expect(page.locator("#viewer")).to_have_class(re.compile("comparing"))
        expect(page.locator("#facts")).to_contain_text("300 \u00d7 200")
        view = shown(page).astype(int)
        height, width, _ = view.shape
        assert abs(view[height // 2, width // 2 - 20] - [40, 80, 120]).max() <= 3
        assert abs(view[height // 2, width // 2 + 20] - [215, 175, 135]).max() <= 3
        name, content = downloaded(page)
    assert name == "scan-derain.tif"
    np.testing.assert_array_equal(pixels(content), inverted(tiff))


def test_of_a_file_with_several_pictures_one_is_asked_for_by_its_number(
    bench: Bench, open_page: Open, drop: Drop
) -> None:
    first, second = Image.new("RGB", (300, 200), (40, 80, 120)), Image.new("RGB", (200, 100), (200, 160, 120))
    file = io.BytesIO()
    first.save(file, "tiff", save_all=True, append_images=[second])
    with bench.client() as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        drop(page, ("scan.tif", "image/tiff", file.getvalue()))
        fault = page.locator("#fault")
        expect(fault).to_contain_text("This file holds 2 pictures; one at a time is restored.")
        fault.get_by_label("Which picture?").fill("2")
        page.keyboard.press("Enter")
        expect(page.locator("#facts")).to_contain_text("200 \u00d7 100")
        expect(page.locator("#viewer")).to_have_class(re.compile("comparing"))
        name, content = downloaded(page)
    assert name == "scan-2-derain.tif"
    np.testing.assert_array_equal(pixels(content), 255 - np.asarray(second))


def test_options_are_sent(bench: Bench, open_page: Open, drop: Drop) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url))
        page.get_by_text("Options").click()
        page.get_by_label("Save as").select_option("JPEG")
        page.get_by_role("slider", name="Quality").fill("40")
        page.get_by_label("Metadata").select_option("keep none")
        with page.expect_request("**/restore?*") as request:
            drop(page, a_png())
        expect(frames(page, "succeeded")).to_have_count(1)
        name, content = downloaded(page)
    assert request.value.url.endswith("?task=derain&format=jpeg&quality=40&keep=none")
    assert name == "rainy-derain.jpg"
    assert content.startswith(b"\xff\xd8\xff")


def test_how_much_larger_and_which_mosaic_is_asked_where_there_is_a_choice(
    bench: Bench, open_page: Open, drop: Drop
) -> None:
    networks = [manifest(name=f"enlarge-{n}", task="upscale", scale=n) for n in (2, 3, 4)]
    networks.append(manifest(name="enlarge-3-large", task="upscale", scale=3))
    networks.append(manifest(name="develop", task="demosaic", pattern="rggb", in_channels=1))
    networks.append(manifest())
    bench.catalogue = Catalogue(Artifact(bench.folder, network) for network in networks)
    with bench.client() as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        page.get_by_role("radio", name="Enlarge").check()
        page.get_by_text("Options").click()
        page.get_by_role("radio", name="3 times").check()
        assert page.get_by_label("Network").locator("option").all_inner_texts() == [
            "the usual one",
            "enlarge-3",
            "enlarge-3-large",
        ]
        assert _asked(page, drop) == "task=upscale&scale=3"
        page.get_by_role("radio", name="4 times").check()
        expect(page.get_by_label("Network")).to_be_hidden()
        page.get_by_role("radio", name="Develop a mosaic").check()
        page.get_by_role("radio", name="GBRG").check()
        assert _asked(page, drop) == "task=demosaic&pattern=gbrg"
        page.get_by_role("radio", name="Remove rain").check()
        expect(page.locator("#variants")).to_be_hidden()
        assert _asked(page, drop) == "task=derain"
        ended = "#strip li:is([data-state=succeeded], [data-state=failed])"  # this bench's one network enlarges nothing
        expect(page.locator(ended)).to_have_count(3)


def _asked(page: Any, drop: Drop) -> str:
    """The parameters that a picture is sent with."""
    with page.expect_request("**/restore?*") as request:
        drop(page, a_png())
    return str(request.value.url.partition("?")[2])


def test_every_task_has_a_sentence_and_a_thumbnail_before_and_after(bench: Bench, open_page: Open) -> None:
    tasks = ("derain", "denoise", "dejpeg", "deblur", "defocus", "weather", "demosaic", "upscale")
    bench.catalogue = Catalogue(Artifact(bench.folder, manifest(name=task, task=task)) for task in tasks)
    with bench.client() as http:
        page = open_page(str(http.base_url))
        cards = page.locator(".task")
        expect(cards).to_have_count(len(tasks))
        assert cards.evaluate_all("cards => cards.map((card) => card.querySelector('input').value)") == list(tasks)
        assert all(len(sentence) > 30 for sentence in cards.locator("small").all_inner_texts())
        widths = "cards => cards.map((card) => [...card.querySelectorAll('img')].map((image) => image.naturalWidth))"
        page.wait_for_load_state("networkidle")
        assert cards.evaluate_all(widths) == [[192, 192]] * len(tasks)
        pictures = cards.locator("img:first-child").evaluate_all("images => images.map((image) => image.src)")
    assert len(set(pictures)) == len(tasks)


def test_a_picture_of_24_megapixels_is_decoded_beside_the_page(bench: Bench, open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "large.jpg").write_bytes(encoded(picture(1200, 800).resize((6000, 4000)), "jpeg"))
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url))
        page.locator("#choose:enabled").wait_for()
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable", {"timeDomain": "threadTicks"})  # processor time of the page's own thread
        page.set_input_files("#files", tmp_path / "large.jpg")
        expect(page.locator("#facts")).to_contain_text("6,000 \u00d7 4,000")
        page.get_by_role("button", name="1:1").click()
        expect(page.locator(".zoom output")).to_have_text("100 %")
        page.wait_for_timeout(500)
        seconds = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
        page.get_by_role("button", name="Cancel").click()
    assert seconds["TaskDuration"] - seconds["DevToolsCommandDuration"] < 0.8


def test_nothing_is_wider_than_a_phone(bench: Bench, open_page: Open, drop: Drop) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url), viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
        drop(page, *(a_png(f"{n}.png", seed=n) for n in range(6)))
        expect(frames(page, "succeeded")).to_have_count(6)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        box = page.locator("#viewer").bounding_box()
        slider = page.get_by_role("slider", name="Divide before and after")
        page.touchscreen.tap(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
        expect(slider).to_have_attribute("aria-valuenow", re.compile("2[45]"))


def test_the_documentation_tries_requests_without_another_host(bench: Bench, open_page: Open) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url).rstrip("/") + "/docs")
        page.get_by_text("What this server can do", exact=True).click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
        expect(page.locator(".live-responses-table")).to_contain_text("inverter")
        page.get_by_text("What this server can do", exact=True).click()

        page.get_by_text("Restore a picture", exact=True).click()
        page.locator("tr[data-param-name=task] input").fill("derain")
        page.locator("input[type=file]").set_input_files(
            {"name": "rainy.png", "mimeType": "image/png", "buffer": png()},
        )
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
        expect(page.locator(".live-responses-table img")).to_be_visible()


@pytest.mark.skipif(
    not list((ROOT / "artifacts").glob("*derain*")), reason="no derain network is exported: unseam export --missing"
)
@pytest.mark.skipif(not (DATA / "rain").is_dir(), reason="no public test pictures; UNSEAM_DATA says where they are")
def test_the_page_takes_the_rain_off_a_photograph(tmp_path: Path, open_page: Open) -> None:
    rainy, clean, _ = (DATA / "rain" / "pairs.tsv").read_text().splitlines()[1].split("\t")
    chosen = Settings.model_validate({"spool": tmp_path / "spool", "threads": 1})
    with served(application.create(chosen, Catalogue.read(ROOT / "artifacts"))) as address:
        page = open_page(address, expect_refusals=True)
        page.locator("#choose:enabled").wait_for()
        page.set_input_files("#files", DATA / "rain" / rainy)
        expect(frames(page, "succeeded").first).to_be_visible(timeout=300_000)
        _, content = downloaded(page)
        page.context.close()
    target, before, after = (
        quality.luma(decode(data).pixels)
        for data in ((DATA / "rain" / clean).read_bytes(), (DATA / "rain" / rainy).read_bytes(), content)
    )
    assert quality.psnr(after, target) > quality.psnr(before, target) + 4
