"""What does not come, comes as something else, or needs a key; names of any kind; and what a view leaves behind."""

import json
import time
from pathlib import Path
from typing import Any

from app.db import Database
from app.services import keys
from app.services.seed import put_seed
from tests.browser.holding import pick, served
from tests.browser.market import bring
from tests.browser.pages import PATIENCE, Shown, opened
from tests.streaming import serving

FUNDING = json.dumps({"data": [], "meta": {"notices": [], "generated": [], "window": {}}, "page": None})
"""An answer of /funding in which there is nothing."""


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


async def test_what_hearing_does_wrong_is_no_lost_stream(shown: Shown) -> None:
    await shown.go("#/data")
    async with served(shown, "**/stream?*", 'event: funding\ndata: {"asset": "BTC"}\n\n', "text/event-stream"):
        wrong = await shown.page.evaluate("""async () => {
          const { follow } = await import("./dashboard/api.js");
          const hear = () => { throw new RangeError("a fault of ours"); };
          const stop = new AbortController();
          return follow(["funding"], hear, () => {}, stop.signal).catch((error) => error.message);
        }""")
    assert wrong == "a fault of ours"
