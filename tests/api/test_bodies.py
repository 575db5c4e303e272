"""Callers whose bodies come slowly, are too large, or break off, over real sockets: nobody else is held up."""

import asyncio
import logging
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from app.api import bodies, lookup
from app.db import Database
from tests.streaming import serving

NOTHING = {"dataset": "funding", "rows": []}


@pytest.fixture
async def url(clean_database: Database) -> AsyncIterator[str]:
    async with serving(clean_database) as (url, _):
        yield url


async def begun(url: str, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A look-up that announces a body and sends none of it."""
    host = urlsplit(url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    head = ("POST /lookup HTTP/1.1", f"Host: {host.netloc}", "Content-Type: application/json")
    writer.write("\r\n".join((*head, f"Content-Length: {length}", "", "")).encode())
    await writer.drain()
    return reader, writer


async def status(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(3):
        return int((await reader.readline()).split()[1])


async def test_who_says_nothing_holds_up_nobody(url: str) -> None:
    silent = [await begun(url, 100) for _ in range(lookup.AT_ONCE + 1)]
    await asyncio.sleep(0.1)
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        assert (await client.post("/lookup", json=NOTHING)).status_code == 200
    for _, writer in silent:
        writer.close()


async def test_patience_ends(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.1)
    reader, writer = await begun(url, 100)
    assert await status(reader) == 408
    assert b"connection: close" in (await reader.read()).lower()
    writer.close()


async def test_too_much_is_refused_unread(url: str) -> None:
    reader, writer = await begun(url, lookup.MAX_BYTES + 1)
    assert await status(reader) == 413
    writer.close()


async def test_who_leaves_is_no_error_of_ours(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        _, writer = await begun(url, 100)
        writer.write(b"{")
        await writer.drain()
        writer.close()
        counted = 'path="/lookup",status="400"'
        async with asyncio.timeout(3):
            while counted not in (await client.get("/metrics")).text:  # noqa: ASYNC110 - of a request nobody waits for
                await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_no_turn_for_a_while_is_said(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "WAIT_SECONDS", 0.05)
    turns: asyncio.Semaphore = client._transport.app.state.lookups  # type: ignore[attr-defined]
    for _ in range(lookup.AT_ONCE):
        await turns.acquire()
    refused = await client.post("/lookup", json=NOTHING)
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert int(refused.headers["Retry-After"]) > 0
    turns.release()
    for _ in range(lookup.AT_ONCE + 1):
        assert (await client.post("/lookup", json=NOTHING)).status_code == 200
