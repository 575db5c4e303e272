"""Answers that come late, out of order or not at all: what is shown is what was asked for last."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.db import Database
from app.services import keys
from app.services.seed import put_seed
from tests.browser.market import OPTIONS_AT, bring
from tests.browser.pages import PATIENCE, Shown, opened
from tests.streaming import serving

FUNDING = json.dumps({"data": [], "meta": {"notices": [], "generated": [], "window": {}}, "page": None})
"""An answer of /funding in which there is nothing."""


class Held:
    """Questions that are held back until `go` is set; how many there are under way, and how many there were."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = 0
        self.came = asyncio.Event()

    async def hold(self, route: Any) -> None:
        self.asked += 1
        self.came.set()
        await self.go.wait()
        await route.continue_()


@asynccontextmanager
async def held(shown: Shown, wanted: Callable[[str, str], bool]) -> AsyncIterator[Held]:
    """Hold back the questions whose path and query are wanted, until the end or until told to let them go."""
    holding = Held()

    def those(url: str) -> bool:
        parts = urlsplit(url)
        return wanted(parts.path, parts.query)

    await shown.page.route(those, holding.hold)
    try:
        yield holding
    finally:
        holding.go.set()


@asynccontextmanager
async def served(shown: Shown, pattern: str, body: str, media: str) -> AsyncIterator[None]:
    """Something else answers."""

    async def answer(route: Any) -> None:
        await route.fulfill(body=body, content_type=media)

    await shown.page.route(pattern, answer)
    yield
    await shown.page.unroute(pattern)


async def pick(shown: Shown, asset: str) -> None:
    await shown.page.fill("[name=asset]", asset)
    await shown.page.press("[name=asset]", "Enter")


def about(shown: Shown, asset: str) -> list[str]:
    return [path for path, query in shown.asked if path.endswith(f"/{asset}") or query.get("assets") == asset]


async def test_an_asset_left_is_asked_about_no_more(shown: Shown) -> None:
    await shown.go("#/asset?asset=SOL")
    async with held(shown, lambda path, query: path == "/funding" and "assets=ETH" in query) as holding:
        await pick(shown, "ETH")
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
        await shown.change(pick(shown, "BTC"))
    await shown.settled()
    assert about(shown, "ETH") == ["/funding"]
    assert set(about(shown, "BTC")) >= {"/funding/BTC", "/open-interest/BTC", "/candles/BTC"}
    assert await shown.page.inner_text("h1") == "BTC"


async def test_what_is_left_of_an_asset_is_not_shown_as_another(shown: Shown) -> None:
    await shown.go("#/asset?asset=BTC")
    async with held(shown, lambda path, query: path == "/funding" and "assets=ETH" in query) as holding:
        await pick(shown, "ETH")
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
        assert not await shown.page.locator("#chart-funding").is_visible()
    await shown.settled()
    assert await shown.page.locator("#chart-funding").is_visible()


async def test_what_was_taken_back_is_asked_again(shown: Shown) -> None:
    """A control changed while the first answers were on their way left Options and Minute empty."""
    for link, path, change, there in (
        (f"#/options?at={OPTIONS_AT}", "/options/BTC/expiries", ("surface", "moneyness"), "#chart-surface .main-svg"),
        ("#/minute?asset=SOL", "/candles/SOL", ("interval", "5m"), "#chart-candles .main-svg"),
    ):
        async with held(shown, lambda asked, _, path=path: asked == path) as holding:
            await shown.page.goto(f"{shown.home}/{link}")
            await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
            await shown.page.select_option(f"[name={change[0]}]", change[1])
        await shown.settled()
        await shown.page.locator(there).first.wait_for(timeout=PATIENCE)


async def test_back_before_a_view_is_there(shown: Shown) -> None:
    page = shown.page
    await shown.go("#/now")
    async with held(shown, lambda path, _: path.endswith("/views/spreads.js")) as holding:
        await page.evaluate("location.hash = '#/spreads'")
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
        await page.go_back()
        await page.locator("#view .view.now").wait_for(timeout=PATIENCE)
    await shown.settled()
    asked = await shown.change(page.select_option("[name=per]", "1h"))
    assert ("/funding", "1h") in [(path, query.get("per")) for path, query in asked], "it is alive"
    assert await page.inner_text("h1") == "Funding now"


async def test_a_view_that_cannot_be_fetched_says_so(shown: Shown) -> None:
    page = shown.page
    await shown.go("#/now")
    await page.route("**/views/spreads.js", lambda route: route.abort())
    await page.evaluate("location.hash = '#/spreads'")
    again = page.locator("#view [role=alert] button")
    await again.wait_for(timeout=PATIENCE)
    await page.unroute("**/views/spreads.js")
    await again.click()
    await page.locator("h1", has_text="Spreads").wait_for(timeout=PATIENCE)
    assert not [said for said in shown.wrong if "ERR_FAILED" not in said and "spreads.js" not in said]
    shown.wrong.clear()


async def test_charts_come_once_their_library_does(shown: Shown) -> None:
    page = shown.page
    async with served(shown, "**/dashboard/plotly.js", "no script of ours", "text/javascript"):
        await shown.go("#/asset?asset=BTC")
        again = page.locator("#chart-funding").get_by_role("button", name="Try again")
        await again.wait_for(timeout=PATIENCE)
    await again.click()
    await page.locator("#chart-funding .main-svg").first.wait_for(timeout=PATIENCE)
    assert not [said for said in shown.wrong if "Unexpected identifier" not in said]
    shown.wrong.clear()


async def test_an_answer_that_is_no_json_is_told(shown: Shown) -> None:
    async with served(shown, "**/spreads?*", "<!doctype html>", "text/html"):
        await shown.go("#/spreads")
        await shown.page.get_by_text("does not speak JSON").first.wait_for(timeout=PATIENCE)


async def test_names_of_any_letters_are_asked_as_they_are(shown: Shown) -> None:
    await shown.go("#/asset?asset=%E9%BE%8D%2F%25")
    assert [query["assets"] for path, query in shown.asked if path == "/funding"] == ["龍/%"]
    async with served(shown, "**/funding?*", FUNDING, "application/json"):
        await shown.change(pick(shown, "龍"))
    paths = {path for path, _ in shown.asked}
    assert {"/funding/%E9%BE%8D", "/open-interest/%E9%BE%8D", "/funding/%E9%BE%8D/carry"} <= paths
    assert not [path for path in paths if "%25" in path]
    await shown.go("#/asset?asset=..")
    before = len(shown.asked)
    async with served(shown, "**/funding?*", FUNDING, "application/json"):
        await shown.page.evaluate("location.hash = '#/asset?asset=..&window=1d'")
        await shown.page.get_by_text('Nothing is called ".."').first.wait_for(timeout=PATIENCE)
        await shown.settled()
    assert {path for path, _ in shown.asked[before:]} <= {"/funding", "/entities", "/stream", "/quality/sources"}
    assert not [said for said in shown.wrong if "404" not in said]
    shown.wrong.clear()


async def test_where_reading_needs_a_key(browser: Any, filled: Database, tmp_path: Path) -> None:
    """What was refused comes once a key is entered: the numbers, the stream, and files of the API."""
    key = await keys.create(filled, "reader", ["read"])
    async with serving(filled, read_requires_key=True) as (home, _):
        shown = await opened(browser, home)
        page = shown.page
        await shown.go("#/spreads?asset=BTC")
        await page.locator('#live[data-state="locked"]').wait_for(timeout=PATIENCE)
        await page.click("#key")
        await page.fill("#key-input", key)
        await page.get_by_role("button", name="Use it").click()
        await page.locator('#live[data-state="live"]').wait_for(timeout=PATIENCE)
        await shown.settled()
        async with page.expect_download() as taken:
            await page.locator("#ranking").get_by_role("link", name="CSV of the API").click()
        await (await taken.value).save_as(tmp_path / "spreads.csv")
        (head, *_) = (tmp_path / "spreads.csv").read_text(encoding="utf-8").splitlines()
        assert "net_apr" in head
        await page.evaluate("sessionStorage.removeItem('perpstore-key')")
        await page.locator("#ranking").get_by_role("link", name="CSV of the API").click()
        await page.locator("#ranking .about .notice").wait_for(timeout=PATIENCE)
        assert not [said for said in shown.wrong if "401" not in said]
        await page.context.close()


async def test_polls_neither_pile_up_nor_overtake(browser: Any, filled: Database, key: str) -> None:
    async with serving(filled, sources=("binance",)) as (home, _):
        shown = await opened(browser, home)
        page = shown.page
        await shown.enter(key)
        await page.clock.install()
        await shown.go("#/admin?part=jobs&job=binance:funding")
        before = Held()

        async def late(route: Any) -> None:
            """The first answer is of now, and comes later."""
            before.asked += 1
            if before.asked > 1:
                return await route.continue_()
            answer = await route.fetch()
            before.came.set()
            await before.go.wait()
            await route.fulfill(response=answer)

        await page.route("**/admin/jobs?*", late)
        await page.clock.run_for(12_000)
        await asyncio.wait_for(before.came.wait(), PATIENCE / 1000)
        assert before.asked == 1
        row = page.locator('#part-jobs tr[data-key="binance:funding"]')
        await row.locator("[data-do=pause]").click()
        await row.locator("[data-do=resume]").wait_for(timeout=PATIENCE)
        before.go.set()
        await shown.settled()
        assert await row.locator("[data-do=resume]").count() == 1, "what is older is not shown later"
        await row.locator("[data-do=resume]").click()
        await row.locator("[data-do=pause]").wait_for(timeout=PATIENCE)
        await page.context.close()
        assert shown.wrong == []


HIDDEN = """hidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_nothing_is_asked_while_nobody_looks(shown: Shown, key: str) -> None:
    page = shown.page
    await shown.enter(key)
    await page.clock.install()
    await shown.go("#/admin?part=jobs")
    await page.evaluate(HIDDEN, True)
    before = len(shown.asked)
    await page.clock.run_for(130_000)
    assert shown.asked[before:] == []
    async with page.expect_request("**/quality/sources?*"):
        await page.evaluate(HIDDEN, False)


async def test_sources_that_refuse_are_not_asked_more_often(shown: Shown) -> None:
    page = shown.page
    await page.clock.install()
    async with served(shown, "**/quality/sources?*", "<!doctype html>", "text/html"):
        await shown.go("#/options")
        await page.locator("#unreachable").wait_for(timeout=PATIENCE)
        for _ in range(5):
            await page.clock.run_for(11_000)
            await shown.settled()
        assert [path for path, _ in shown.asked].count("/quality/sources") == 1
        async with page.expect_request("**/quality/sources?*"):
            await page.clock.run_for(6000)


async def test_trouble_of_one_part_is_not_taken_for_anothers(shown: Shown) -> None:
    """Candles that come take no refusal of the open interest away."""
    page = shown.page
    async with held(shown, lambda path, _: path == "/candles/BTC") as holding:
        async with served(shown, "**/open-interest/BTC?*aggregate=sum*", "<!doctype html>", "text/html"):
            await page.goto(f"{shown.home}/#/asset?asset=BTC")
            await page.get_by_text("does not speak JSON").wait_for(timeout=PATIENCE)
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
    await shown.settled()
    assert await page.locator("#chart-price .main-svg").first.is_visible()
    assert await page.get_by_text("does not speak JSON").is_visible()


LISTENERS = """() => {
  window.listening = new Set();
  window.purged = 0;
  const [add, remove] = [window.addEventListener, window.removeEventListener];
  const name = (kind, run) => `${kind} ${run.number ??= ++window.last}`;
  window.last = 0;
  window.addEventListener = function (kind, run, how) {
    if (this && this !== window) return add.call(this, kind, run, how);
    window.listening.add(name(kind, run));
    how?.signal?.addEventListener("abort", () => window.listening.delete(name(kind, run)));
    return add.call(window, kind, run, how);
  };
  window.removeEventListener = function (kind, run, how) {
    if (run) window.listening.delete(name(kind, run));
    return remove.call(this ?? window, kind, run, how);
  };
}"""


async def test_views_that_are_left_leave_nothing(shown: Shown) -> None:
    page = shown.page
    await page.add_init_script(f"({LISTENERS})()")
    counts: list[int] = []
    await shown.go("#/asset?asset=BTC")
    await page.evaluate(
        "() => { const { purge } = Plotly; Plotly.purge = (plot) => { window.purged += 1; return purge(plot); }; }"
    )
    for _ in range(3):
        await page.locator("#chart-funding .main-svg").first.wait_for(timeout=PATIENCE)
        plots = await page.locator(".js-plotly-plot").count()
        before = await page.evaluate("window.purged")
        await shown.change(page.evaluate("location.hash = '#/spreads'"))
        assert await page.evaluate("window.purged") - before == plots > 0
        counts.append(await page.evaluate("window.listening.size"))
        await shown.change(page.evaluate("location.hash = '#/asset?asset=BTC'"))
    assert counts == [counts[0]] * 3


async def test_names_are_no_markup_in_charts(browser: Any, clean_database: Database, tmp_path: Path) -> None:
    """A contract may be called anything by whoever brings it."""
    names = ['<a href="https://evil.test">x</a>', "<b>y</b>&lt;"]
    now = int(time.time()) // 3600 * 3_600_000
    rows = [
        {"ts": str(now - hours * 3_600_000), "instrument": name, "rate": "0.0001", "interval_hours": "1"}
        for name in names
        for hours in range(1, 9)
    ]
    await put_seed(clean_database)
    values = {"exchange": "bybit", "asset": "BTC"}
    await bring(clean_database, tmp_path, "funding", rows, {}, **values)
    async with serving(clean_database) as (home, _):
        shown = await opened(browser, home)
        await shown.go("#/asset?asset=BTC&window=1d")
        plot = shown.page.locator("#chart-funding .plot")
        await plot.locator(".main-svg").first.wait_for(timeout=PATIENCE)
        legend = await plot.locator(".legendtext").all_text_contents()
        assert {f"bybit {name}" for name in names} <= set(legend)
        assert await plot.locator("a").count() == 0
        await shown.page.context.close()
        assert shown.wrong == []
