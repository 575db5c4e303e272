"""Around every request: its id, its time, and headers all answers have."""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from secrets import token_hex
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs

REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
UNMATCHED = "unmatched"
SMALL = 65_536
Observe = Callable[[str, str, int, float], None]


class Requests:
    """Gives each request an id (its caller's own, where that is decent) and tells `observe` how it went.

    `observe` gets method, path template, status and seconds; to the first byte only, of what goes on for ever.
    """

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self.app, self.observe = app, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("x-request-id", "")
        name = told if REQUEST_ID.fullmatch(told) else token_hex(8)
        scope.setdefault("state", {})["request_id"] = name
        logs.request_id.set(name)
        began, status, endless = time.perf_counter(), 500, False

        def observe() -> None:
            self.observe(scope["method"], template(scope), status, time.perf_counter() - began)

        async def answered(message: Message) -> None:
            nonlocal status, endless
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                status, headers["X-Request-ID"] = message["status"], name
                if endless := headers.get("content-type", "").startswith("text/event-stream"):
                    observe()
            await send(message)

        try:
            await self.app(scope, receive, answered)
        finally:
            if not endless:
                observe()


class Heads:
    """Answers HEAD as GET would be, without the body; what would be streamed is given up once its headers are known."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        begun = asyncio.Event()

        async def gone() -> Message:
            await begun.wait()
            return {"type": "http.disconnect"}

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                begun.set()

        await self.app({**scope, "method": "GET"}, gone, without_body)


class SmallBody(APIRoute):
    """A route whose body is a few words: what is longer is not read, whoever sends it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with the body counted as it comes."""
        handle = super().get_route_handler()

        async def small(request: Request) -> Response:
            return await handle(Request(request.scope, _counted(request.receive)))

        return small


def _counted(receive: Receive) -> Receive:
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > SMALL:
            raise HTTPException(413, f"More than the {SMALL} bytes such a request has")
        return message

    return counted


def template(scope: Scope) -> str:
    """The path of the route that answered, with its parameters' names; so that there are few of them."""
    return getattr(scope.get("route"), "path_format", None) or UNMATCHED
