"""The view Now in a real browser: its numbers are the API's, its controls and keys work, what settles shows."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from app.db import Database
from app.records import Instrument
from app.services import reference
from app.services.store import put
from tests.db.facts import batch, series
from tests.streaming import serving

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")

HOUR = timedelta(hours=1)
COINS = {"BTC": 4e9, "ETH": 2e9, "SOL": 5e8, "DOGE": 1e7}
EXCHANGES = {"binance": 8, "hyperliquid": 1}
ROWS = "table.heat tbody tr:not([hidden])"


@pytest.fixture
async def market(clean_database: Database) -> Database:
    """Four coins on two exchanges; of BTC two contracts on one, of DOGE one rate that is no longer in force."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for n, (exchange, step) in enumerate(EXCHANGES.items()):
        symbols = {f"{coin}-{exchange}": coin for coin in COINS} | ({"BTC-second": "BTC"} if n == 0 else {})
        await reference.put_instruments(clean_database, exchange, [Instrument(*one, "USDT") for one in symbols.items()])
        found = await reference.series_of(clean_database, exchange, exchange)
        for k, (symbol, coin) in enumerate(symbols.items()):
            if (coin, exchange) == ("SOL", "hyperliquid"):
                continue
            old = 30 * HOUR if (coin, exchange) == ("DOGE", "hyperliquid") else now - now
            facts = {"series_id": found[symbol].id, "ts": now - old}
            rate = {**facts, "rate": (-1) ** k * 1e-5 * (n + k + 1) * step, "interval_hours": float(step)}
            await put(clean_database, "funding", [batch("funding", [rate])])
            held = {**facts, "oi_usd": 1.0 if symbol == "BTC-second" else COINS[coin] / (n + 1)}
            await put(clean_database, "open_interest", [batch("open_interest", [held])])
    return clean_database


@pytest.fixture
async def address(clean_database: Database) -> AsyncIterator[str]:
    async with serving(clean_database) as (url, _):
        yield url


@pytest.fixture
async def page(browser: "Browser") -> "AsyncIterator[Page]":
    """A tab in which nothing may complain."""
    complaints: list[str] = []
    async with await browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        made = await context.new_page()
        made.set_default_timeout(15_000)
        made.on("pageerror", lambda error: complaints.append(str(error)))
        made.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        yield made
    assert complaints == []


async def names(page: "Page") -> list[str]:
    return await page.locator(f"{ROWS} th").all_inner_texts()


async def cells(page: "Page", asset: str) -> list[str]:
    return await page.locator(f'tr[data-asset="{asset}"] > *').all_inner_texts()


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.4f}%"


async def test_its_numbers_are_those_of_the_api(market: Database, address: str, page: "Page") -> None:
    await page.goto(address)
    await page.locator(ROWS).first.wait_for()
    async with httpx.AsyncClient(base_url=address) as client:
        means = (await client.get("/funding", params={"weighted": "oi"})).json()["data"]
        rates = (await client.get("/funding")).json()["data"]
    heads = [text.split("\n")[0].strip() for text in await page.locator("table.heat thead th").all_inner_texts()]
    assert heads == ["Asset", "OI", "OI-weighted", "Spread", "Next", "binance", "hyperliquid"]
    assert await names(page) == ["BTC", "ETH", "SOL", "DOGE"]
    for mean in means:
        asset, shown = mean["asset"], await cells(page, mean["asset"])
        main = {
            row["exchange"]: row["rate"] for row in rates if row["asset"] == asset and row["instrument"] != "BTC-second"
        }
        assert shown[2:4] == [percent(mean["rate"]), percent(mean["max"] - mean["min"])]
        assert shown[5:] == [percent(main[name]) if name in main else "–" for name in heads[5:]]
        assert re.fullmatch(r"\d+:\d\d:\d\d|due", shown[4])
    sol = page.locator('tr[data-asset="SOL"] td').nth(5)
    assert (await sol.inner_text(), await sol.get_attribute("title")) == ("–", "No settlement is stored")
    assert await page.locator("td.stale").count() == 1
    assert await page.locator('tr[data-asset="DOGE"] td.stale').count() == 1


async def test_heads_sort_controls_filter_and_the_link_keeps_it(market: Database, address: str, page: "Page") -> None:
    await page.goto(f"{address}/#/now?kind=settled")
    await page.locator(ROWS).first.wait_for()
    head = page.locator("table.heat thead th", has_text="binance")
    await head.get_by_role("button").click()
    assert await head.get_attribute("aria-sort") == "descending"
    assert await names(page) == ["SOL", "BTC", "ETH", "DOGE"]
    await head.get_by_role("button").press("Enter")
    assert await head.get_attribute("aria-sort") == "ascending"
    assert await names(page) == ["DOGE", "ETH", "BTC", "SOL"]
    await page.get_by_label("Min. OI").fill("100000000")
    await page.locator('tr[data-asset="DOGE"]').wait_for(state="hidden")
    assert await names(page) == ["ETH", "BTC", "SOL"]
    before = await cells(page, "BTC")
    async with page.expect_response(lambda answer: "per=1y" in answer.url and "weighted" in answer.url):
        await page.get_by_label("Per", exact=True).select_option("1y")
    await page.locator("caption", has_text="per year").wait_for()
    assert (await cells(page, "BTC"))[5] != before[5]
    await page.get_by_label("Rate", exact=True).select_option("predicted")
    await page.locator("caption", has_text="Predicted").wait_for()
    assert (await cells(page, "BTC"))[5:] == ["–", "–"]
    link = page.url
    assert {"kind=predicted", "per=1y", "sort=binance", "min_oi=100000000"} <= set(link.partition("?")[2].split("&"))
    await page.goto("about:blank")
    await page.goto(link)
    await page.locator(ROWS).first.wait_for()
    assert await names(page) == ["BTC", "ETH", "SOL"]  # nothing is predicted: by name


async def test_exchanges_chosen_are_those_asked_for(market: Database, address: str, page: "Page") -> None:
    await page.goto(f"{address}/#/now?exchanges=hyperliquid")
    await page.locator(ROWS).first.wait_for()
    assert await names(page) == ["BTC", "ETH", "DOGE"]
    assert (await cells(page, "DOGE"))[2] == "–"
    assert len(await cells(page, "BTC")) == 6
    await page.locator("summary", has_text="hyperliquid").click()
    await page.get_by_role("checkbox", name="binance").check()
    await page.locator('tr[data-asset="SOL"]').wait_for()
    assert len(await cells(page, "BTC")) == 7


async def test_by_keys_a_cell_tells_what_it_is_made_of(market: Database, address: str, page: "Page") -> None:
    await page.goto(address)
    await page.locator(ROWS).first.wait_for()
    await page.locator("table.heat thead button").last.focus()
    await page.keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowUp", *["ArrowRight"] * 5):
        await page.keyboard.press(key)
    details = page.locator("#details")
    assert await page.locator("td:focus").get_attribute("aria-describedby") == "details"
    told = await details.inner_text()
    for words in (
        "BTC at binance",
        "2 contracts",
        "BTC-second",
        "declared by the exchange",
        "for 8 h",
        "told by\nbinance",
    ):
        assert words in told
    await page.keyboard.press("End")
    assert "BTC at hyperliquid" in await details.inner_text()
    await page.locator('tr[data-asset="SOL"] td').nth(5).click()
    assert "hyperliquid has no perpetual of SOL, or it was not pulled yet" in await details.inner_text()
    await page.locator('tr[data-asset="DOGE"] td').nth(5).hover()
    assert "no longer in force" in await details.inner_text()
    assert "weight unknown or old" in await _hovered(page, 1)


async def _hovered(page: "Page", place: int) -> str:
    await page.locator('tr[data-asset="DOGE"] td').nth(place).hover()
    return await page.locator("#details").inner_text()


async def test_what_settles_comes_into_its_cell(market: Database, address: str, page: "Page") -> None:
    await page.goto(address)
    await page.locator("#live[data-state=live]").wait_for()
    await page.locator(ROWS).first.wait_for()
    row = await page.locator('tr[data-asset="ETH"]').element_handle()
    to = (await reference.series_of(market, "hyperliquid", "hyperliquid"))["ETH-hyperliquid"].id
    told = {"series_id": to, "ts": datetime.now(UTC) - timedelta(seconds=1), "rate": 7.7e-5, "interval_hours": 1.0}
    await put(market, "funding", [batch("funding", [told])])
    await page.locator('tr[data-asset="ETH"] td.fresh', has_text="0.0616%").wait_for()
    assert await page.evaluate("row => row.isConnected", row)


async def test_as_of_an_instant_nothing_goes_on(market: Database, address: str, page: "Page") -> None:
    """Countdowns and what is old are of then, by the API's answer of then; the stream is not followed."""
    then = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(minutes=30)
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/stream" in request.url else None)
    await page.goto(f"{address}/#/now?at={then - 2 * HOUR:%Y-%m-%dT%H:%M}")
    await page.locator("caption", has_text=f"as of {then - 2 * HOUR:%Y-%m-%d %H:%M} UTC").wait_for()
    assert await names(page) == ["DOGE"]
    assert streams == []
    await page.goto(f"{address}/#/now?at={then:%Y-%m-%dT%H:%M}")
    await page.locator('tr[data-asset="BTC"]').wait_for()
    assert (await cells(page, "BTC"))[4] == "0:30:00"
    async with httpx.AsyncClient(base_url=address) as client:
        query = {"weighted": "oi", "at": then.isoformat()}
        means = {row["asset"]: row for row in (await client.get("/funding", params=query)).json()["data"]}
    assert (await cells(page, "BTC"))[2] == percent(means["BTC"]["rate"])
    assert streams == []
    await page.get_by_label("As of (UTC)").fill("")
    await page.locator("#live[data-state=live]").wait_for()


async def test_why_a_number_is_missing(market: Database, address: str, page: "Page") -> None:
    """The reason follows what is asked for, also where the dash stays."""
    await page.goto(address)
    await page.locator(ROWS).first.wait_for()
    cell = page.locator('tr[data-asset="SOL"] td').nth(5)
    for kind, why in (("settled", "No settlement is stored"), ("predicted", "No estimate is known")):
        await page.get_by_label("Rate", exact=True).select_option(kind)
        assert (await cell.inner_text(), await cell.get_attribute("title")) == ("–", why)


async def test_a_rate_is_old_by_the_clock_of_the_server(market: Database, address: str, page: "Page") -> None:
    """This machine's clock may be days off; and a rate whose number stays loses its colour when its time is over."""
    days = "const real = Date.now; Date.now = () => real() + 2 * 864e5;"
    hours = "const past = performance.now.bind(performance); performance.now = () => past() + (window.more ?? 0);"
    await page.add_init_script(days + hours)
    await page.goto(address)
    await page.locator(ROWS).first.wait_for()
    assert await page.locator("td.stale").count() == 1
    assert (await cells(page, "BTC"))[4] != "due"
    coloured = page.locator(f"{ROWS} td:nth-child(n+6)[data-sign=plus], {ROWS} td:nth-child(n+6)[data-sign=minus]")
    assert await coloured.count() == len(COINS) + 2
    await page.evaluate("window.more = 40 * 36e5")
    for kind in ("predicted", "settled"):
        await page.get_by_label("Rate", exact=True).select_option(kind)
    assert await page.locator("td.stale").count() == len(COINS) + 3
    assert await coloured.count() == 0


async def test_an_empty_store_says_what_to_do_and_fills(clean_database: Database, address: str, page: "Page") -> None:
    await page.goto(address)
    await page.locator("#live[data-state=live]").wait_for()
    empty = page.locator(".empty", has_text="No funding is stored yet")
    await empty.wait_for()
    told = await empty.inner_text()
    for command in ("make run", "perpstore demo", "perpstore import"):
        assert command in told
    to = await series(clean_database, "okx", "ETH-USDT-SWAP", "ETH")
    told_now = {"series_id": to, "ts": datetime.now(UTC) - HOUR, "rate": 1e-4, "interval_hours": 8.0}
    await put(clean_database, "funding", [batch("funding", [told_now])])
    await page.locator(ROWS).wait_for()
    oi, weighted, spread, due, rate = (await cells(page, "ETH"))[1:]
    assert (oi, weighted, spread, rate) == ("–", "–", "–", "0.0100%")
    assert due.startswith(("6:", "7:"))


async def test_it_is_accessible(market: Database, address: str, page: "Page") -> None:
    axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="axe is not installed")
    await page.goto(address)
    await page.locator(ROWS).first.wait_for()
    await page.locator('tr[data-asset="DOGE"] td').nth(5).hover()
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)
        found = (await axe.Axe().run(page)).response["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        assert grave == [], json.dumps([(one["id"], [n["html"] for n in one["nodes"]][:3]) for one in grave], indent=1)
