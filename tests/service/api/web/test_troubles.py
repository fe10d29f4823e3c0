"""The page when something goes wrong around it: the server, the connection, the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from page_bench import Drop, Open, a_png, expect, frames
from service_bench import Bench


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
