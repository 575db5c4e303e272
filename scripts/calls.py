"""Calls against a real application on a real database with made-up facts, for the docs and the API's examples."""

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from shlex import quote
from typing import Any, cast

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from app.main import create_app
from app.settings import Settings
from scripts import made_up_facts
from scripts.call_list import CALLS, Call

Operations = list[tuple[re.Pattern[str], str, str]]
SHOWN_ROWS = 2


@dataclass(frozen=True)
class Answered:
    """A call with the command line for it and what it answered."""

    title: str
    command: str
    operation: str | None
    body: Any
    shown: str
    volatile: bool


async def filled(dsn: str) -> str:
    """Put the made-up facts in an empty database. Returns a key that may write and administer."""
    async with _application(dsn) as (app, client):
        return await made_up_facts.fill(app.state.database, client)


async def answered(dsn: str, key: str) -> list[Answered]:
    """All calls with their answers, from an application on a database with the made-up facts; some of them write."""
    async with _application(dsn) as (app, client):
        client.headers["Authorization"] = f"Bearer {key}"
        operations = _operations(app.openapi())
        return [await _answer(client, call, operations) for call in CALLS]


@asynccontextmanager
async def _application(dsn: str) -> AsyncGenerator[tuple[FastAPI, httpx.AsyncClient]]:
    app = create_app(Settings(scheduler=False, backfills=False, database_url=SecretStr(dsn)))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        client.headers["X-Request-ID"] = "example"
        yield app, client


def _operations(document: dict[str, Any]) -> Operations:
    """Path pattern, method and operation id of every route, exact paths before those with parameters."""
    paths = sorted(document["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), verb.upper(), operation["operationId"])
        for path, verbs in paths
        for verb, operation in verbs.items()
    ]


async def _answer(
    client: httpx.AsyncClient, call: Call, operations: list[tuple[re.Pattern[str], str, str]]
) -> Answered:
    answer = await client.request(call.method, call.path, params=call.params, json=call.body)
    body = answer.json()
    found = (name for path, verb, name in operations if verb == call.method and path.fullmatch(call.path))
    operation = next(found, None) if answer.is_success else None
    body = _cut(body)
    shown = json.dumps(body, indent=1, ensure_ascii=False)
    return Answered(call.title, _command(call), operation, body, shown, call.volatile)


def _cut(body: Any) -> Any:
    """The first rows only."""
    if not isinstance(body, dict):
        return body
    told = cast("dict[str, Any]", body)
    return {**told, "data": told["data"][:SHOWN_ROWS]} if isinstance(told.get("data"), list) else told


def _command(call: Call) -> str:
    query = "&".join(f"{name}={value}" for name, value in call.params.items())
    url = f"127.0.0.1:8000{call.path}" + (f"?{query}" if query else "")
    if call.method == "GET":
        return f"curl {quote(url)}"
    if call.method == "DELETE":
        return f"curl -X DELETE -H 'Authorization: Bearer '$KEY {quote(url)}"
    verb = "" if call.method == "POST" else f"-X {call.method} "
    return (
        f"curl {verb}-H 'Authorization: Bearer '$KEY -H 'Content-Type: application/json' \\\n"
        f"  -d {quote(json.dumps(call.body))} {quote(url)}"
    )
