"""The view Admin, with a key: history ordered, watched and cancelled; a job run and paused. Without one it says so."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app import settings
from app.db import Database
from app.records import Instrument
from app.services import keys, log, reference
from tests.browser.pages import PATIENCE, Shown, opened, told
from tests.replay import Replay, slow
from tests.streaming import serving

JOB = "binance:funding"
ADMIN = ("backfills", "jobs", "collectors", "imports", "errors")


@dataclass
class Desk:
    """A page with a key, the API, and the exchange that is asked."""

    shown: Shown
    api: httpx.AsyncClient
    replay: Replay

    async def state(self, number: int) -> str:
        (row,) = await told(self.api, f"/admin/backfills/{number}")
        return row["state"]

    async def order(self, days: str) -> int:
        """Fill in the form, look at the plan, start; its number."""
        page = self.shown.page
        await self.shown.go(f"#/admin?source=binance&assets=BTC,ETH&days={days}&datasets=candles_1m")
        await page.click("#ask-plan")
        await page.click("#start-backfill")
        said = page.locator("#part-backfills .said", has_text="is ordered")
        await said.wait_for(timeout=PATIENCE)
        found = re.search(r"Back-fill (\d+) is ordered", await said.inner_text())
        assert found
        return int(found[1])

    async def until(self, number: int, state: str) -> None:
        """Wait until the row of a back-fill says so."""
        row = self.shown.page.locator(f'#part-backfills tr[data-key="{number}"]')
        await row.get_by_text(state, exact=False).first.wait_for(timeout=PATIENCE)


@pytest.fixture
async def desk(browser: Any, clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    contracts = [Instrument(f"{coin}USDT", coin, "USDT", funding_interval_hours=8.0) for coin in ("BTC", "ETH")]
    await reference.put_instruments(clean_database, "binance", contracts)
    pull = await log.begin(clean_database, "binance", "instruments")
    await log.finish(clean_database, pull, "succeeded", log.Counts(), None)
    key = await keys.create(clean_database, "desk", ["admin"])
    with Replay() as replay:
        for name, value in replay.settings().items():
            monkeypatch.setenv(name, value)
        settings.environment.cache_clear()
        async with (
            serving(clean_database, backfills=True, sources=("binance",)) as (home, _),
            httpx.AsyncClient(base_url=home, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as api,
        ):
            shown = await opened(browser, home)
            await shown.enter(key)
            yield Desk(shown, api, replay)
            await shown.page.context.close()
            assert shown.wrong == []
    settings.environment.cache_clear()


async def test_a_back_fill_is_watched_to_its_end(desk: Desk) -> None:
    desk.replay.storm([slow(0.5)], share=1.0)
    number = await desk.order("12")
    place = f'#part-backfills tr[data-key="{number}"] progress'
    bar = desk.shown.page.locator(place)
    half = "place => { const bar = document.querySelector(place); return bar && 0 < bar.value && bar.value < bar.max; }"
    await desk.shown.page.wait_for_function(half, arg=place, timeout=PATIENCE)
    assert await desk.state(number) == "running"
    desk.replay.storm([])
    await desk.until(number, "succeeded")
    (row,) = await told(desk.api, f"/admin/backfills/{number}")
    assert row["state"] == "succeeded"
    assert await bar.evaluate("({ value, max }) => [value, max]") == [row["windows_done"], row["windows_planned"]]
    assert row["windows_done"] == row["windows_planned"] > 1
    cells = (await desk.shown.rows("#part-backfills"))[str(number)]
    assert f"{row['inserted']:,}" in cells


async def test_one_is_cancelled(desk: Desk) -> None:
    desk.replay.storm([slow(0.5)], share=1.0)
    number = await desk.order("30")
    page = desk.shown.page
    await desk.until(number, "running")
    await page.click(f'#part-backfills tr[data-key="{number}"] [data-do=cancel]')
    await page.get_by_role("button", name="Leave it").click()
    assert await desk.state(number) == "running", "whoever thinks again loses nothing"
    await page.click(f'#part-backfills tr[data-key="{number}"] [data-do=cancel]')
    await page.get_by_role("button", name="Cancel it").click()
    await desk.until(number, "cancelled")
    assert await desk.state(number) == "cancelled"
    assert await page.locator(f'#part-backfills tr[data-key="{number}"] [data-do=resume]').count() == 1


async def test_a_job_is_run_paused_and_resumed(desk: Desk) -> None:
    page = desk.shown.page

    async def job() -> dict[str, Any]:
        (found,) = [row for row in await told(desk.api, "/admin/jobs") if row["id"] == JOB]
        return found

    await desk.shown.go("#/admin?part=jobs&job=funding")
    assert all("funding" in name for name in await desk.shown.rows("#part-jobs"))
    row = f'#part-jobs tr[data-key="{JOB}"]'
    await page.click(f"{row} [data-do=pause]")
    await page.locator(f"{row} [data-do=resume]").wait_for(timeout=PATIENCE)
    assert (await job())["paused"] is True
    assert "paused" in (await desk.shown.rows("#part-jobs"))[JOB]
    await page.click(f"{row} [data-do=resume]")
    await page.locator(f"{row} [data-do=pause]").wait_for(timeout=PATIENCE)
    assert (await job())["paused"] is False
    await page.click(f"{row} [data-do=run]")
    await page.locator(row).get_by_text("asked for").wait_for(timeout=PATIENCE)
    assert (await job())["asked_at"] is not None


@pytest.mark.parametrize("part", ADMIN)
async def test_without_a_key_it_says_so(shown: Shown, part: str) -> None:
    await shown.go(f"#/admin?part={part}")
    assert "perpstore keys create" in await shown.page.inner_text("#locked")
    assert not [path for path, _ in shown.asked if path.startswith("/admin")]


async def test_a_wrong_key_is_refused_and_the_right_one_is_told_to_nobody(browser: Any, home: str, key: str) -> None:
    shown = await opened(browser, home)
    page = shown.page
    await shown.go("#/admin?part=jobs")
    for typed, text in (("pk_wrong", "key"), (key, "The schedule")):
        await page.click("#key")
        await page.fill("#key-input", typed)
        await page.get_by_role("button", name="Use it").click()
        await page.locator("#view").get_by_text(text).first.wait_for(timeout=PATIENCE)
        await shown.settled()
    assert [said for said in shown.wrong if "401" not in said] == []
    kept = await page.evaluate(
        "JSON.stringify([localStorage, document.cookie, location.href, document.body.innerHTML])"
    )
    assert key not in kept
    assert not [path for path, query in shown.asked if key in f"{path}{query}"]
    await page.context.close()
    other = await opened(browser, home)
    await other.go("#/admin?part=jobs")
    assert await other.page.locator("#locked").count() == 1, "it stays in its tab"
    await other.page.context.close()
