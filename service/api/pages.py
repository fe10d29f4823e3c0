"""For people: the page, and the API's documentation with a form for every request. Nothing comes from another host."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

WEB: Final = Path(__file__).parent / "web"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(styles=""),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asked about each time, mostly answered by 304: a new version shows at once
}
# Swagger UI puts style attributes into the page.
_DOCS_HEADERS: Final = _HEADERS | {"Content-Security-Policy": _POLICY.format(styles=" 'unsafe-inline'")}


class _Files(StaticFiles):
    """A folder of files that belong to the pages."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers.update(_HEADERS)
        return response


def install(app: FastAPI) -> None:
    """Add the page at / and the documentation at /docs; the application is to be made with `docs_url=None`."""
    app.mount("/web", _Files(directory=WEB))
    app.mount("/swagger-ui", _Files(directory=str(files("fastapi_offline") / "static")))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(WEB / "index.html", headers=_HEADERS)

    @app.get("/docs", include_in_schema=False)
    def docs() -> FileResponse:
        return FileResponse(WEB / "docs.html", headers=_DOCS_HEADERS)
