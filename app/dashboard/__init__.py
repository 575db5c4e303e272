"""The web page at `/`: its own scripts and styles, the drawing library from its package, and no other host.

All it shows it asks of the public API, as any client could.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.files import File, file, send

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Styles may be inline: the drawing library sets them. Scripts may not, nor be made of text."""
MEDIA = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PLOTLY = "plotly.js"


@cache
def _paths() -> dict[str, Path]:
    """The files of the page by their names under `/dashboard/`. The package of the library is not imported for it."""
    own = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
    library = find_spec("plotly")
    folder = Path(library.origin).parent if library and library.origin else STATIC
    return {**own, PLOTLY: folder / "package_data/plotly.min.js"}


@cache
def _read(name: str) -> File:
    path = _paths()[name]
    return file(path.read_bytes(), MEDIA[path.suffix])


def _page(request: Request) -> Response:
    return send(request, _read("index.html"), **{"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})


def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _paths():
        raise HTTPException(404)
    kept = "public, max-age=86400" if name == PLOTLY else "no-cache"
    return send(request, _read(name), **{"Cache-Control": kept})


def install(app: FastAPI) -> None:
    """Add `/` and the files of the page under `/dashboard/`."""
    app.add_route("/", _page, include_in_schema=False)
    app.add_route("/dashboard/{name:path}", _file, include_in_schema=False)
