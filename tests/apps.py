"""The API in this process, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.routing import BaseRoute

from app.db import Database
from app.main import create_app
from app.settings import Settings


@cache
def _routes() -> list[BaseRoute]:
    return create_app(Settings(scheduler=False)).router.routes


def made(settings: Settings, database: Database) -> FastAPI:
    """The application, with routes that all of this process share: they know nothing of the one they are of.

    FastAPI makes them at the first request of each, which takes 0.2 s, and there is a request a test.
    """
    app = create_app(settings, database=database)
    app.router.routes = _routes()
    return app


@asynccontextmanager
async def asking(app: FastAPI, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in this process, which runs for as long. The machine's proxies are not looked at."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", trust_env=False, **options) as client,
    ):
        yield client
