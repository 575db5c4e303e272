"""The pages that explain the API, with everything they need served from here: no other host is asked for anything."""

from functools import cache
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.files import File, file, send

STATIC = Path(fastapi_offline.__file__).parent / "static"
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
ELSEWHERE = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
NOTHING = b"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
"""ReDoc fetches its maker's logo from elsewhere; here it is an empty picture."""

POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; child-src blob:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


@cache
def _asset(name: str) -> File:
    return file((STATIC / name).read_bytes().replace(ELSEWHERE, NOTHING), ASSETS[name])


def _page(html: Response) -> Response:
    html.headers.update(HEADERS)
    return html


def _swagger(request: Request) -> Response:
    root = request.scope.get("root_path", "")
    return _page(
        get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title="perpstore: try the API",
            swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/assets/favicon.png",
            swagger_ui_parameters={"validatorUrl": None, "persistAuthorization": False, "docExpansion": "list"},
        )
    )


def _redoc(request: Request) -> Response:
    root = request.scope.get("root_path", "")
    return _page(
        get_redoc_html(
            openapi_url=f"{root}/openapi.json",
            title="perpstore: the API",
            redoc_js_url=f"{root}/docs/assets/redoc.standalone.js",
            redoc_favicon_url=f"{root}/docs/assets/favicon.png",
            with_google_fonts=False,
        )
    )


def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        raise HTTPException(404)
    return send(request, _asset(name), **{"Cache-Control": "public, max-age=86400"})


def install(app: FastAPI) -> None:
    """Add `/docs`, `/redoc` and their files."""
    for path, page in (("/docs", _swagger), ("/redoc", _redoc), ("/docs/assets/{name}", _file)):
        app.add_route(path, page, include_in_schema=False)
