"""Around every request: its id, its time, and headers all answers have."""

import re
import time
from collections.abc import Callable
from secrets import token_hex

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs

REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
UNMATCHED = "unmatched"
Observe = Callable[[str, str, int, float], None]


class Requests:
    """Gives each request an id (its caller's own, where that is decent) and tells `observe` how it went.

    `observe` gets method, path template, status and seconds.
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
        began, status = time.perf_counter(), 500

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = name
            await send(message)

        try:
            await self.app(scope, receive, answered)
        finally:
            self.observe(scope["method"], template(scope), status, time.perf_counter() - began)


def template(scope: Scope) -> str:
    """The path of the route that answered, with its parameters' names; so that there are few of them."""
    return getattr(scope.get("route"), "path_format", None) or UNMATCHED
