"""The view Data: its tables are the API's, its controls are in the question and in the link."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.browser.pages import Shown, opened, told
from tests.browser.shown import age, compact, time


async def test_sources(shown: Shown, api: httpx.AsyncClient) -> None:
    await shown.go("#/data")
    rows = {row["source"]: row for row in await told(api, "/quality/sources")}
    found = await shown.rows("#part-sources")
    assert set(found) == set(rows)
    for source, cells in found.items():
        row = rows[source]
        assert cells[0] == row["name"]
        assert cells[1].split()[-1] == row["state"]
        due = row["state"] != "off" and row["late"] is not None
        assert cells[-3:] == [str(row["failures"]), str(row["late"]) if due else "–", str(row["datasets"])]
        assert (row["key_setting"] or "none needed") in cells[4]


async def test_freshness(shown: Shown, api: httpx.AsyncClient) -> None:
    await shown.go("#/data?part=freshness")
    asked = await shown.change(shown.page.fill("[name=dataset]", "funding,open_interest"), 400)
    assert [query["dataset"] for path, query in asked if path == "/quality/freshness"] == ["funding,open_interest"]
    rows = {
        f"{row['source']}:{row['dataset']}": row
        for row in await told(api, "/quality/freshness", dataset="funding,open_interest")
    }
    found = await shown.rows("#part-freshness")
    assert set(found) == set(rows)
    for key, cells in found.items():
        row = rows[key]
        assert cells[:2] == [row["source"], row["dataset"]]
        assert cells[4:7] == [
            age(row["expected_every_s"]),
            time(row["newest"]),
            "–" if row["series"] is None else str(row["series"]),
        ]
    assert any(row["newest"] for row in rows.values())


async def test_nothing_is_late_that_is_not_pulled(shown: Shown, api: httpx.AsyncClient, key: str) -> None:
    """The scheduler is off: neither is something overdue, nor does a job run soon."""
    await shown.enter(key)
    off = {row["source"] for row in await told(api, "/quality/sources") if row["state"] in ("off", "disabled")}
    assert any(row["late"] and row["source"] in off for row in await told(api, "/quality/freshness"))
    await shown.go("#/data?part=freshness")
    assert "the scheduler is off" in await shown.page.inner_text("#unpulled")
    found = await shown.rows("#part-freshness")
    late = {name: cells[2] for name, cells in found.items() if name.split(":")[0] in off}
    assert late
    assert set(late.values()) == {"–"}
    await shown.go("#/admin?part=jobs")
    assert "the scheduler is off" in await shown.page.inner_text("#unpulled")
    await shown.page.locator("#part-jobs tbody tr").first.wait_for()
    assert {cells[5] for cells in (await shown.rows("#part-jobs")).values()} == {"–"}


async def test_coverage(shown: Shown, api: httpx.AsyncClient, browser: Any, home: str) -> None:
    page = shown.page
    await shown.go("#/data?part=coverage&asset=SOL")
    asked = await shown.change(page.select_option("[name=dataset]", "candles_1m"))
    (query,) = [query for path, query in asked if path == "/quality/coverage"]
    rows = await told(api, "/quality/coverage", **query)
    found = await page.eval_on_selector_all(
        "#coverage td[data-value]", "all => all.map(({ dataset }) => [+dataset.key, +dataset.value])"
    )
    assert sorted(found) == sorted([row["day"], row["coverage"]] for row in rows)
    assert any(row["stored"] for row in rows)
    other = await opened(browser, home)
    await other.go(await page.evaluate("location.hash"))
    assert await other.page.inner_text("#coverage") == await page.inner_text("#coverage")
    await other.page.context.close()


@pytest.mark.parametrize("part", ["gaps", "rejects", "disagreements", "unmapped"])
async def test_the_other_parts(shown: Shown, api: httpx.AsyncClient, part: str) -> None:
    """As many rows as the API has to the same question; where it has none, no table of them."""
    await shown.go(f"#/data?part={part}")
    asked = [query for path, query in shown.asked if path == f"/quality/{part}"]
    rows = await told(api, f"/quality/{part}", **{**asked[-1], "time_format": "ms"})
    assert await shown.page.locator(f"#part-{part} tbody tr").count() == len(rows)


@pytest.mark.parametrize("part", ["pulls", "storage"])
async def test_what_needs_a_key_is_not_asked_without(shown: Shown, part: str) -> None:
    await shown.go(f"#/data?part={part}")
    assert await shown.page.locator("#locked").count() == 1
    assert not [path for path, _ in shown.asked if path.startswith("/admin")]


async def test_storage(shown: Shown, api: httpx.AsyncClient, key: str) -> None:
    await shown.enter(key)
    await shown.go("#/data?part=storage")
    rows = {row["table"]: row for row in await told(api, "/admin/storage")}
    found = await shown.rows("#part-storage")
    assert set(found) == set(rows)
    assert all(found[name][3] == compact(row["rows_estimated"]) for name, row in rows.items())


async def test_sorted_by_keys(shown: Shown) -> None:
    """Skip link, navigation, parts and a head of a table are reached by tabs; Enter sorts."""
    page = shown.page
    await shown.go("#/data")
    reached = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        reached.append(
            await page.evaluate(
                "document.activeElement.closest('th') ? 'head' : document.activeElement.textContent.trim()"
            )
        )
        if reached[-1] == "head":
            break
    assert reached[0] == "Skip to the numbers"
    order = [reached.index(name) for name in ("Now", "Admin", "Sources", "Coverage", "head")]
    assert order == sorted(order)
    before = [*await shown.rows("#part-sources")]
    await page.keyboard.press("Enter")
    await asyncio.sleep(0)
    after = [*await shown.rows("#part-sources")]
    assert await page.get_attribute("#part-sources th[aria-sort]", "aria-sort") == "ascending"
    assert sorted(before) == sorted(after)
    names = [cells[0] for cells in (await shown.rows("#part-sources")).values()]
    assert names == sorted(names, key=str.lower)
