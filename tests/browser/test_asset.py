"""The view Asset: charts, cards and tables are the API's numbers; controls are in the question and in the link."""

from typing import Any

import httpx
import pytest

from tests.browser.pages import Query, Shown, opened, told
from tests.browser.shown import age, fixed, number, percent, rate, time, usd

Points = dict[str, list[list[Any]]]


def question(shown: Shown, path: str, **words: str) -> Query:
    """What the page asked last with these words in it."""
    return next(query for found, query in reversed(shown.asked) if found == path and words.items() <= query.items())


def by_exchange(rows: list[dict[str, Any]], field: str) -> Points:
    found: Points = {}
    for row in rows:
        found.setdefault(row["exchange"], []).append([row["time"], row[field]])
    return found


def without_breaks(points: Points) -> Points:
    """Only what is told: not where a line is broken because a rate was in force no more."""
    return {name: [point for point in line if point[1] is not None] for name, line in points.items()}


async def test_charts_are_the_apis(shown: Shown, api: httpx.AsyncClient) -> None:
    await shown.go("#/asset?asset=BTC&window=1d&price=all")
    drawn = without_breaks(await shown.drawn("#chart-funding"))
    mean = drawn.pop("OI-weighted")
    settled = next(q for p, q in shown.asked if p == "/funding/BTC" and not {"weighted", "kind"} & set(q))
    assert drawn == by_exchange(await told(api, "/funding/BTC", **settled), "rate")
    assert len(drawn) == 7
    weighted = await told(
        api, "/funding/BTC", **next(q for p, q in shown.asked if p == "/funding/BTC" and "interval" in q)
    )
    assert mean == [[row["time"], row["rate"]] for row in weighted if row["rate"] is not None]
    assert mean
    for chart, path, field in (("oi", "/open-interest/BTC", "oi_usd"), ("price", "/candles/BTC", "close")):
        query = next(q for p, q in reversed(shown.asked) if p == path and "interval" in q)
        assert await shown.drawn(f"#chart-{chart}") == by_exchange(await told(api, path, **query), field)


async def test_liquidations_and_volume(shown: Shown, api: httpx.AsyncClient) -> None:
    await shown.go("#/asset?asset=BTC&window=1d")
    rows = await told(api, "/liquidations/BTC", **question(shown, "/liquidations/BTC"))
    sides = {side: sum(row["usd"] for row in rows if row["side"] == side) for side in ("long", "short")}
    drawn = await shown.drawn("#chart-liquidations")
    assert {name.split()[-1]: sum(value for _, value in line) for name, line in drawn.items()} == pytest.approx(
        {f"{side}s": total for side, total in sides.items() if total}
    )
    rows = await told(api, "/candles/BTC", **question(shown, "/candles/BTC"))
    assert await shown.drawn("#chart-volume") == by_exchange(
        [r for r in rows if r["volume_base"] is not None], "volume_base"
    )


async def test_who_stands_how(shown: Shown, api: httpx.AsyncClient) -> None:
    await shown.go("#/asset?asset=BTC")
    rows = await told(api, "/funding", assets="BTC", per="8h")
    found = {row.pop(0): row for row in (await shown.rows("#standing")).values()}
    assert found == {
        row["exchange"]: [
            row["instrument"], rate(row["rate"], "8h"), number(row["interval_hours"]), time(row["time"]),
            time(row["next_time"]),
            rate(row["predicted_rate"], "8h"), usd(row["oi_usd"]), row["source"], found[row["exchange"]][-1],
        ]
        for row in rows
    }  # fmt: skip
    for row in rows:
        assert found[row["exchange"]][-1] in {age(row["age_s"] - late) for late in range(30)}, "as old as it was then"
    (sum_,) = await told(
        api, "/open-interest/BTC", aggregate="sum", at=question(shown, "/open-interest/BTC", aggregate="sum")["at"]
    )
    assert await shown.page.inner_text("#card-oi") == usd(sum_["oi_usd"])
    (mean,) = await told(
        api, "/funding/BTC", weighted="oi", per="8h", at=question(shown, "/funding/BTC", weighted="oi")["at"]
    )
    assert await shown.page.inner_text("#card-rate") == rate(mean["rate"], "8h")


async def test_carry(shown: Shown, api: httpx.AsyncClient) -> None:
    page = shown.page
    await shown.go("#/asset?asset=BTC")
    asked = await shown.change(page.fill("[name=hold]", "2"), 400)
    assert {path for path, _ in asked} == {"/funding/BTC/carry"}, "nothing else depends on it"
    asked = await shown.change(page.select_option("[name=side]", "short"))
    query = asked[-1][1]
    assert (query["side"], query["notional"]) == ("short", "10000")
    assert int(query["end"]) - int(query["start"]) == 2 * 86_400_000
    found = {row.pop(0): row for row in (await shown.rows("#carry")).values()}
    for row in await told(api, "/funding/BTC/carry", **query):
        paid = number(float(fixed(row["paid_usd"], 2)))
        shares = percent(row["cumulative_rate"], 4), percent(row["apr"], 2)
        assert found.pop(row["exchange"]) == [row["instrument"], str(row["settlements"]), *shares, paid]
    assert found == {}


async def test_a_link_keeps_what_is_looked_at(shown: Shown, browser: Any, home: str) -> None:
    page = shown.page
    await shown.go("#/asset?asset=BTC")
    end = (await page.evaluate("new Date(Date.now() - 3600000).toISOString()"))[:14] + "00"
    await shown.change(page.fill("[name=end]", end))
    asked = await shown.change(page.click('[data-window="1d"]'))
    windows = {int(q["end"]) - int(q["start"]) for p, q in asked if p == "/open-interest/BTC" and "interval" in q}
    assert windows == {86_400_000}
    asked = await shown.change(page.select_option("[name=per]", "1y"))
    assert {q["per"] for p, q in asked if p == "/funding/BTC"} == {"1y"}
    asked = await shown.change(page.fill("[name=exchanges]", "bybit,kraken"), 600)
    assert {q["exchanges"] for p, q in asked if "exchanges" in q} == {"bybit,kraken"}
    await page.fill("[name=asset]", "ETH")
    await shown.change(page.press("[name=asset]", "Enter"))
    words = {"asset": "ETH", "window": "1d", "per": "1y", "exchanges": "bybit,kraken", "end": end}
    assert await shown.words() == words
    other = await opened(browser, home)
    await other.go(await page.evaluate("location.hash"))
    for chart in ("funding", "oi", "price", "volume"):
        if await page.locator(f"#chart-{chart} .plot").is_visible():
            assert await other.drawn(f"#chart-{chart}") == await shown.drawn(f"#chart-{chart}")
    assert set(await other.drawn("#chart-funding")) >= {"bybit", "kraken"}
    await other.page.context.close()
