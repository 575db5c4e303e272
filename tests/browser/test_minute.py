"""The view Minute: candles, wicks, changes and all assets at one minute are the API's numbers."""

from typing import Any

import httpx
import pytest

from tests.browser.pages import Query, Shown, opened, told
from tests.browser.shown import fixed, number, time

MINUTE = 60_000
BACK = ("1m", "5m", "10m")
BARS = 40


@pytest.fixture(scope="module")
async def link(api: httpx.AsyncClient) -> str:
    """The view at the newest minute that is stored, and nothing newer comes."""
    (newest,) = await told(api, "/candles/SOL", exchanges="okx", interval="1m", order="desc", limit=1)
    at = time(newest["time"] + MINUTE).replace(" ", "T")
    return f"#/minute?asset=SOL&exchange=okx&perpspecs=okx-ohlcv&at={at}"


def last(asked: list[tuple[str, Query]], path: str) -> Query:
    return [query for found, query in asked if found == path][-1]


async def test_candles_with_wicks_marked(shown: Shown, link: str, api: httpx.AsyncClient) -> None:
    page = shown.page
    await shown.go(f"{link}&min_pct=0.05&window=6h")
    bars = await told(api, "/candles/SOL", **last(shown.asked, "/candles/SOL"))
    wicks = await told(api, "/wicks/SOL", **last(shown.asked, "/wicks/SOL"))
    drawn = await page.evaluate("document.querySelector('#chart-candles .plot').data.map((trace) => ({ ...trace }))")
    assert [drawn[0][name] for name in ("x", "open", "high", "low", "close")] == [
        [bar[name] for bar in bars] for name in ("time", "open", "high", "low", "close")
    ]
    marked = sorted(at for trace in drawn[1:] for at in trace["x"])
    assert marked == sorted(wick["time"] for wick in wicks)
    assert len(bars) > len(wicks) > 0
    query = last(await shown.change(page.select_option("[name=interval]", "15m")), "/candles/SOL")
    assert query["interval"] == "15m"
    assert (await shown.drawn("#chart-candles"))[drawn[0]["name"]] == [
        [bar["time"], bar["close"]] for bar in await told(api, "/candles/SOL", **query)
    ]
    query = last(await shown.change(page.select_option("[name=side]", "upper")), "/wicks/SOL")
    assert (query["side"], query["min_pct"]) == ("upper", "0.05")
    query = last(await shown.change(page.fill("[name=min_pct]", "1"), 500), "/wicks/SOL")
    assert query["min_pct"] == "1"
    assert (await shown.words())["side"] == "upper"


async def test_changes(shown: Shown, link: str, api: httpx.AsyncClient) -> None:
    await shown.go(link)
    rows = await told(api, "/rolling/SOL", **last(shown.asked, "/rolling/SOL"))
    drawn = await shown.drawn("#chart-rolling")
    for back in BACK:
        name = f"c_chg_{back}"
        points = [point for point in drawn[name] if point[1] is not None]
        assert points == [[row["time"], row[name]] for row in rows if row[name] is not None]
        assert points
    newest = rows[-1]
    table = await shown.page.eval_on_selector_all(
        "#newest tbody tr", "all => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )
    (close,) = [row for row in table if row[0].removeprefix("c") == "quote currency a coin"]
    assert close[1] == number(newest["c"])
    assert close[2:5] == [signed(newest[f"c_chg_{back}"]) for back in BACK]


async def test_minutes_that_are_not_of_now(shown: Shown, api: httpx.AsyncClient) -> None:
    """The clock says two hours later than the newest minute: the window ends with that, and says how old it is."""
    (newest,) = await told(api, "/candles/SOL", exchanges="okx", interval="1m", order="desc", limit=1)
    closed = newest["time"] + MINUTE
    await shown.page.add_init_script(f"Date.now = () => {closed + 120 * MINUTE + 5000}")
    await shown.go("#/minute?asset=SOL")
    query = last(shown.asked, "/candles/SOL")
    assert (query["start"], query["end"]) == (str(closed - 60 * MINUTE), str(closed))
    assert "closed 2h ago" in await shown.page.inner_text("#chart-candles + p")
    (bars,) = [points for points in (await shown.drawn("#chart-candles")).values() if len(points) > BARS]
    assert bars[-1][0] == newest["time"]


def signed(value: float) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{fixed(abs(value), 3)}%"


async def test_all_assets_at_a_minute_under_conditions(
    shown: Shown, link: str, api: httpx.AsyncClient, browser: Any, home: str
) -> None:
    page = shown.page
    await shown.go(link)
    query = last(shown.asked, "/rolling")
    (row,) = await told(api, "/rolling", **query)
    heads = await page.eval_on_selector_all("#scan thead th button", "all => all.map((one) => one.childNodes[0].data)")
    (shown_row,) = await page.eval_on_selector_all(
        "#scan tbody tr", "all => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )
    told_ = dict(zip(heads, shown_row, strict=True))
    assert told_["Asset"] == "SOL"
    assert {name: told_[name] for name in ("o", "h", "l", "c")} == {
        name: number(row[name]) for name in ("o", "h", "l", "c")
    }
    assert told_["c_chg_5m"] == signed(row["c_chg_5m"])
    await page.fill("[name=where]", "c<1")
    asked = await shown.change(page.press("[name=where]", "Enter"))
    assert last(asked, "/rolling")["where"] == "c<1"
    assert await page.locator("#scan tbody tr").count() == 0
    await page.fill("[name=where]", "c>1")
    await shown.change(page.press("[name=where]", "Enter"))
    assert await page.locator("#scan tbody tr").count() == 1
    other = await opened(browser, home)
    await other.go(await page.evaluate("location.hash"))
    assert await other.page.input_value("[name=where]") == "c>1"
    assert await other.page.locator("#scan tbody tr").count() == 1
    await other.page.context.close()
