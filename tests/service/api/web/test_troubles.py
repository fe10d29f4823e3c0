"""The page when something goes wrong around it: the server, the connection, the file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page_bench import Drop, Open, a_png, expect, frames
from service_bench import Bench, encoded, picture, png


def test_a_server_that_is_away_for_a_moment_is_asked_again_at_every_step(
    bench: Bench, open_page: Open, drop: Drop
) -> None:
    def first(how: Callable[[Any], None]) -> Callable[[Any], None]:
        """The first request goes wrong, those after it reach the server."""
        turns = iter([how])
        return lambda route: next(turns, lambda route: route.continue_())(route)

    with bench.client() as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        page.route("**/restore?*", first(lambda route: route.abort("connectionrefused")))
        page.route("**/jobs/*/events", first(lambda route: route.fulfill(status=503, body="<h1>No backend</h1>")))
        page.route("**/jobs/*/result", first(lambda route: route.fulfill(status=502)))
        page.evaluate(  # and the second download breaks off
            """() => {
                const whole = Response.prototype.blob;
                Response.prototype.blob = () => {
                    Response.prototype.blob = whole;
                    return Promise.reject(new TypeError("Failed to fetch"));
                };
            }"""
        )
        drop(page, a_png())
        expect(page.locator("#progress-words")).to_have_text("The server cannot be reached; asking again in 1 s")
        expect(frames(page, "succeeded")).to_have_count(1)


def test_a_picture_that_is_dropped_before_the_server_said_what_it_can_do_waits_for_that(
    bench: Bench, open_page: Open, drop: Drop
) -> None:
    with bench.client() as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        asked: list[Any] = []
        page.route("**/tasks", lambda route: asked.append(route), times=1)
        page.reload()
        drop(page, a_png(), early=True)
        while not asked:
            page.wait_for_timeout(20)
        asked[0].abort()
        expect(page.get_by_role("alert")).to_have_text("The server cannot be reached. Trying again.")
        expect(frames(page, "succeeded")).to_have_count(1)


def test_a_file_that_was_changed_since_it_was_added_is_told_from_a_server_that_is_away(
    bench: Bench, open_page: Open, tmp_path: Path
) -> None:
    file = tmp_path / "rainy.png"
    file.write_bytes(png())
    bench.runner.go.clear()
    with bench.client() as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        page.locator("#choose:enabled").wait_for()
        page.set_input_files("#files", file)
        expect(frames(page, "running")).to_have_count(1)
        page.get_by_role("button", name="Cancel").click()
        file.write_bytes(png(seed=2))
        os.utime(file, (0, 0))
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#fault")).to_contain_text("The file cannot be read")


def test_a_dropped_folder_brings_its_pictures(bench: Bench, open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "rain" / "deeper").mkdir(parents=True)
    for name, content in {"b.png": png(), "deeper/a.png": png(seed=2), "notes.txt": b"Rain", ".a.png": b"?"}.items():
        (tmp_path / "rain" / name).write_bytes(content)
    with bench.client() as http:
        page = open_page(str(http.base_url))
        page.locator("#choose:enabled").wait_for()
        drag = {"x": 700, "y": 400, "data": {"items": [], "files": [str(tmp_path / "rain")], "dragOperationsMask": 1}}
        tools = page.context.new_cdp_session(page)
        for event in ("dragEnter", "dragOver", "drop"):
            tools.send("Input.dispatchDragEvent", {"type": event, **drag})
        expect(frames(page, "succeeded")).to_have_count(2)
        assert page.locator("#strip .frame").evaluate_all("all => all.map(({title}) => title)") == ["b.png", "a.png"]


def test_a_key_is_used_by_enter_without_what_was_pasted_along_and_where_nothing_can_be_stored(
    bench: Bench, open_page: Open, drop: Drop
) -> None:
    with bench.client(api_keys=(hashlib.sha256(b"mine").hexdigest(),)) as http:
        page = open_page(str(http.base_url), expect_refusals=True)
        page.add_init_script("Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException(); }})")
        page.reload()
        drop(page, ("scan.tif", "image/tiff", encoded(picture(), "tiff")))  # which only the server can show
        field = page.get_by_role("dialog", name="API key").get_by_label("Key")
        field.fill("\u200bmine ")
        expect(page.locator("#fault")).to_contain_text("This server wants an API key, which the button above takes.")
        field.press("Enter")
        expect(frames(page, "succeeded")).to_have_count(1)
        expect(page.get_by_role("group", name="scan.tif, before and after")).to_be_visible()
