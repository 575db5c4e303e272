"""The view Spreads: the ranking and the history of a pair are the API's numbers, for every control and by link."""

from typing import Any

import httpx

from tests.browser.pages import Query, Shown, opened, told
from tests.browser.shown import MISSING, percent, rate, usd

PLACES = 11
SETTLES = {True: "apart", False: "together"}


def cells(row: dict[str, Any], per: str) -> list[str]:
    """What stands in a row of the ranking between its name and its age."""
    even = row["break_even_hours"]
    hours = MISSING if even is None else f"{even:.1f}" if even < 100 else f"{even:.0f}"
    net = percent(row["net_apr"], 2) + ("*" if row["fees_assumed"] else "")
    shares = percent(row["persistence"], 0), percent(row["realised_spread"], 3)
    return [str(row["rank"]), rate(row["spread"], per), percent(row["spread_apr"], 2), net, hours, *shares,
            SETTLES[row["settlement_mismatch"]], usd(row["capacity_usd"])]  # fmt: skip


def key_of(row: dict[str, Any]) -> str:
    legs = (f"{row[f'{side}_exchange']}:{row[f'{side}_instrument']}" for side in ("short", "long"))
    return " ".join([row["asset"], *legs])


async def ranked(shown: Shown, api: httpx.AsyncClient, query: Query, per: str = "8h") -> list[str]:
    """The keys of the ranking; every row is that of the API, in its order."""
    rows = await told(api, "/spreads", **query)
    found = await shown.rows("#ranking")
    assert {key: row[1:-1] for key, row in found.items()} == {key_of(row): cells(row, per) for row in rows}
    assert [*found] == [key_of(row) for row in rows]
    return [*found]


def asked_for(asked: list[tuple[str, Query]]) -> Query:
    return [query for path, query in asked if path == "/spreads"][-1]


async def test_the_ranking(shown: Shown, api: httpx.AsyncClient) -> None:
    page = shown.page
    await shown.go("#/spreads")
    first = await ranked(shown, api, asked_for(shown.asked))
    assert len(first) == 3
    assert len(next(iter((await shown.rows("#ranking")).values()))) == PLACES
    for name, value, word in (
        ("pairs", "all", "pairs"),
        ("per", "1y", "per"),
        ("fees", "maker", "fees"),
        ("sort", "spread", "sort"),
    ):
        query = asked_for(await shown.change(page.select_option(f"[name={name}]", value)))
        assert query[word] == value
        per = "8h" if name == "pairs" else "1y"
        assert await ranked(shown, api, query, per) != first
    for name, value, word in (
        ("horizon", "24", "horizon_hours"),
        ("min_oi", "1000", "min_oi_usd"),
        ("assets", "BTC", "assets"),
    ):
        query = asked_for(await shown.change(page.fill(f"[name={name}]", value), 700))
        assert query[word] == value
        await ranked(shown, api, query, "1y")
    words = {
        "pairs": "all",
        "per": "1y",
        "fees": "maker",
        "sort": "spread",
        "horizon": "24",
        "min_oi": "1000",
        "assets": "BTC",
    }
    assert await shown.words() == words


async def test_fees_of_ones_own_and_the_look_back(shown: Shown, api: httpx.AsyncClient) -> None:
    page = shown.page
    await shown.go("#/spreads?pairs=all")
    first = await shown.rows("#ranking")
    query = asked_for(await shown.change(page.fill("[name=fee_rates]", "*:0.01"), 700))
    assert query["fee_rates"] == "*:0.01"
    await ranked(shown, api, query)
    query = asked_for(await shown.change(page.fill("[name=lookback]", "24"), 500))
    assert query["lookback_hours"] == "24"
    await ranked(shown, api, query)
    assert await shown.rows("#ranking") != first
    assert await shown.words() == {"pairs": "all", "fee_rates": "*:0.01", "lookback": "24"}
    query = asked_for(await shown.change(page.select_option("[name=fees]", "none")))
    assert "fee_rates" not in query, "no fees are taken off: the API refuses rates of them"
    await ranked(shown, api, query)


async def test_a_pair_over_time(shown: Shown, api: httpx.AsyncClient, browser: Any, home: str) -> None:
    page = shown.page
    await shown.go("#/spreads?window=7d")
    key = next(iter(await shown.rows("#ranking")))
    asset, short, long = key.split(" ")
    asked = await shown.change(page.locator(f'#ranking tr[data-key="{key}"] a').press("Enter"))
    (query,) = [query for path, query in asked if path == f"/spreads/{asset}"]
    assert (query["short"], query["long"]) == (short, long)
    rows = [row for row in await told(api, f"/spreads/{asset}", **query) if row["spread"] is not None]
    drawn = await shown.drawn("#chart-pair")
    assert [point for point in drawn["spread"] if point[1] is not None] == [
        [row["time"], row["spread"]] for row in rows
    ]
    assert len(rows) > PLACES
    (now,) = [row for row in await told(api, "/spreads", **asked_for(shown.asked)) if key_of(row) == key]
    assert await page.inner_text("#pair-spread") == rate(now["spread"], "8h")
    assert await page.inner_text("#pair-needed") == rate(now["break_even_spread"], "8h")
    assert {y for _, y in drawn["break-even"]} == {now["break_even_spread"]}
    assert await shown.words() == {"window": "7d", "asset": asset, "short": short, "long": long}
    other = await opened(browser, home)
    await other.go(await page.evaluate("location.hash"))
    assert (await other.drawn("#chart-pair"))["spread"] == drawn["spread"]
    await other.page.context.close()
