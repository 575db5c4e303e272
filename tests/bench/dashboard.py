"""The heat map in a real browser: time until it is painted against that of its API calls, bytes, sorting, filtering."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import sin
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx

from app.db import Database
from app.records import Instrument
from app.services import reference
from app.services.store import put
from tests.bench.report import Line
from tests.bench.serving import served
from tests.bench.spreads import ASSETS, COINS, EXCHANGES
from tests.db.facts import batch

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

HOUR = timedelta(hours=1)
RUNS, LIMIT_MS = 9, 100
CALLS = tuple(f"/funding?time_format=ms&per=8h&limit=10000&format=columns{more}" for more in ("", "&weighted=oi"))
HEADS, PARTS = ("OI-weighted", "bybit", "Asset", "Spread"), ("s", "st", "sto", "")
PAINTED = """() => new Promise((tell) => {
  const look = () => {
    const [mark] = performance.getEntriesByName("heatmap-painted");
    return mark ? tell(mark.startTime) : setTimeout(look, 10);
  };
  look();
})"""
SENT = "() => performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0)"
TOOK = "name => performance.getEntriesByName(name).map(entry => entry.duration)"


async def measure(db: Database, dsn: str) -> list[Line]:
    """All of this module; nothing where there is no Chromium."""
    binary = os.environ.get("PERPSTORE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        sys.stderr.write("no Chromium: the dashboard is not measured\n")
        return []
    await _fill(db)
    with served(dsn) as address:
        async with _browser(binary) as browser, httpx.AsyncClient(base_url=address, timeout=60) as client:
            await _shown(await browser.new_context(), address)  # what a server reads once, it has read
            return [*await _paint(browser, client, address), *await _use(await browser.new_context(), address)]


async def _fill(db: Database) -> None:
    """The last settlements of 300 assets on seven exchanges, and their open interest of this hour."""
    await db.reads.execute("truncate funding, open_interest, revision, latest, coin_1h, coin_1h_ready")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    coins = [row["symbol"] for row in await db.reads.fetch(COINS, ASSETS)]
    for n, (exchange, step) in enumerate(EXCHANGES.items()):
        await reference.put_instruments(db, exchange, [Instrument(f"SPREAD-{coin}", coin, "USDT") for coin in coins])
        series = await reference.series_of(db, exchange, exchange)
        ids = [series[f"SPREAD-{coin}"].id for coin in coins]
        last = now - (now.hour % step) * HOUR
        settled = [
            {
                "series_id": to,
                "ts": last - m * step * HOUR,
                "rate": 1e-5 * step * sin(m + n + to),
                "interval_hours": step,
            }
            for to in ids
            for m in range(4)
        ]
        await put(db, "funding", [batch("funding", settled)])
        held = [{"series_id": to, "ts": now, "oi_usd": 1e6 * (n + 1) + 1e4 * to} for to in ids]
        await put(db, "open_interest", [batch("open_interest", held)])
    await db.reads.execute("analyze")


@asynccontextmanager
async def _browser(binary: str) -> "AsyncIterator[Browser]":
    from playwright.async_api import async_playwright

    async with async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def _shown(context: "BrowserContext", address: str) -> "Page":
    """A page of its own with the heat map in it."""
    page = await context.new_page()
    await page.goto(address)
    await page.evaluate(PAINTED)
    if await page.locator("table.heat tbody tr").count() != ASSETS:
        raise RuntimeError("the heat map is not whole")
    return page


async def _paint(browser: "Browser", client: httpx.AsyncClient, address: str) -> list[Line]:
    """Navigation to paint, of a browser that has nothing yet and of one that was here before; and the calls alone."""
    taken: dict[str, list[float]] = {"nothing kept": [], "been here before": [], "calls": [], "sent": []}
    for _ in range(RUNS):
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        for name in ("nothing kept", "been here before"):
            page = await _shown(context, address)
            taken[name].append(await page.evaluate(PAINTED))
            if name == "nothing kept":
                taken["sent"].append(await page.evaluate(SENT))
            await page.close()
        await context.close()
        taken["calls"].append(await _calls(client))
    alone, sent = median(taken["calls"]), median(taken["sent"]) / 1000
    heat = f"heat map of {ASSETS} × {len(EXCHANGES)}"
    lines = [
        Line(
            f"{heat}, {name}: time to paint ÷ its API calls alone",
            median(taken[name]) / alone,
            "at most 10",
            f"{median(taken[name]):.0f} and {alone:.0f} ms, of {RUNS}; worst {max(taken[name]):.0f} ms",
        )
        for name in ("nothing kept", "been here before")
    ]
    return [*lines, Line(f"{heat}, nothing kept: kB over the wire", sent, "at most 150", "packed, with headers")]


async def _calls(client: httpx.AsyncClient) -> float:
    """Milliseconds of the questions behind the heat map, asked together."""
    begun = time.perf_counter()
    for answer in await asyncio.gather(*(client.get(path) for path in CALLS)):
        answer.raise_for_status()
    return 1000 * (time.perf_counter() - begun)


async def _use(context: "BrowserContext", address: str) -> list[Line]:
    """From a press or a letter until it is painted."""
    page = await _shown(context, address)
    for _ in range(3):
        for head in HEADS:
            await page.locator("table.heat thead button", has_text=head).click()
            await asyncio.sleep(0.2)
        for part in PARTS:
            await page.locator("input[name=q]").fill(part)
            await asyncio.sleep(0.2)
    return [await _took(page, what) for what in ("sort", "filter")]


async def _took(page: "Page", what: str) -> Line:
    taken: list[Any] = await page.evaluate(TOOK, f"heatmap-{what}")
    figures = f"of {len(taken)}: median {median(taken):.0f}, worst {max(taken):.0f} ms"
    return Line(
        f"heat map of {ASSETS} × {len(EXCHANGES)}, {what}: ms until painted",
        median(taken),
        f"at most {LIMIT_MS}",
        figures,
    )
