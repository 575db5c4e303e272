"""What holds for all facts: nothing looks ahead, nothing forgets what was known, and units do not matter."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import accumulate
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.db import Database
from app.records import FundingInterval
from app.services import reference
from app.services.store import put
from tests.db import facts

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
KINDS = ("settlement", "interest", "candle")
VENUES = {"binance": 8.0, "hyperliquid": 1.0}
HOURS = {"native": None, "1h": 1, "8h": 8, "1y": 8760}
MINUTE = 1 / 60
Fact = tuple[str, str, float, float]
"""Kind, exchange, hours after the start of the test day, and a value from 0 to 1."""

rates = st.floats(-0.05, 0.05, allow_subnormal=False).filter(lambda rate: abs(rate) > 1e-12)
instants = st.integers(20 * 60, 44 * 60).map(lambda minute: minute / 60)
added = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(list(VENUES)),
        st.integers(0, 3000).map(lambda minutes: minutes / 60),
        st.floats(0.01, 1),
    ),
    min_size=6,
    max_size=18,
)
spacings = st.lists(st.sampled_from([1, 1, 2, 2, 3, 4, 8, 8, 16]), min_size=2, max_size=12)


@pytest.fixture
async def series(clean_database: Database) -> dict[str, int]:
    """Two days of settlements, open interest and minute candles of two exchanges; their series."""
    found = {venue: await facts.series(clean_database, venue, "BTCUSDT") for venue in VENUES}
    for venue, step in VENUES.items():
        for kind, every in (("settlement", int(step)), ("interest", 1), ("candle", 1)):
            told = [(kind, venue, float(h), 0.5 + h / 100) for h in range(0, 48, every)]
            await store(clean_database, found, told, declared=True)
    return found


async def store(db: Database, series: dict[str, int], told: Sequence[Fact], *, declared: bool) -> None:
    """Store facts; of settlements with their interval, or (not `declared`) leaving it to be inferred."""
    for venue, step in VENUES.items():
        of = {kind: {h: v for k, e, h, v in told if (k, e) == (kind, venue)} for kind, *_ in told}
        settled = {h: value / 1000 for h, value in of.get("settlement", {}).items()}
        await facts.settle(db, series[venue], settled, step if declared else None)
        await facts.hold(db, series[venue], {h: 1e9 * value for h, value in of.get("interest", {}).items()})
        candles = [
            {"series_id": series[venue], "ts": facts.at(h), **dict.fromkeys(("open", "high", "low", "close"), value)}
            for h, value in of.get("candle", {}).items()
        ]
        await put(db, "perp_1m", [facts.batch("perp_1m", candles)])


async def answers(client: httpx.AsyncClient, at: float, known_at: str | None = None) -> list[Any]:
    """What is said of an instant: rates, their mean, estimates, spreads, open interest, candles and look-ups."""
    moment = facts.at(at).isoformat()
    asked = {"at": moment} | ({"known_at": known_at} if known_at else {})
    paths: list[tuple[str, dict[str, str]]] = [
        ("/funding/BTC", {}),
        ("/funding", {}),
        ("/funding/BTC", {"weighted": "oi", "detail": "contributors"}),
        ("/funding/BTC", {"kind": "predicted"}),
        ("/spreads", {"pairs": "all"}),
        ("/spreads/BTC", {"pairs": "all"}),
        ("/open-interest/BTC", {}),
        ("/candles/BTC", {"interval": "1m"}),
        *((f"/instruments/{venue}/BTCUSDT/funding-intervals", {}) for venue in VENUES),
    ]
    found = await asyncio.gather(*(client.get(path, params={**asked, **more}) for path, more in paths))
    hours = (at, at + 1)  # asked about together: what is read for the later must not tell on the earlier
    rows = [{"time": facts.at(h).isoformat(), "exchange": venue, "asset": "BTC"} for h in hours for venue in VENUES]
    body = {"dataset": "funding", "rows": rows, "known_at": known_at}
    many = (await client.post("/lookup", json=body)).raise_for_status().json()["data"]
    looked_up = {name: values[: len(VENUES)] for name, values in many.items()}
    return [*(answer.raise_for_status().json()["data"] for answer in found), looked_up]


@FEW
@given(at=instants, told=added)
async def test_no_answer_changes_when_later_facts_are_added(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int], at: float, told: list[Fact]
) -> None:
    """A candle is known when it closes: one that is open at the instant is later too. The first are a minute later."""
    before = await answers(client, at)
    told = [*((kind, venue, 0.0, 0.9) for kind in KINDS for venue in VENUES), *told]
    later = [(kind, venue, at + after + (MINUTE if kind != "candle" else 0), v) for kind, venue, after, v in told]
    await store(clean_database, series, later, declared=True)
    assert await answers(client, at) == before


@settings(FEW, max_examples=8)
@given(at=st.integers(0, 40).map(float), steps=st.tuples(spacings, spacings), nth=st.integers(0, 20))
async def test_no_interval_is_owed_to_later_settlements(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int], at: float, steps: Any, nth: int
) -> None:
    """Nobody declares one: first settlements, gaps, changes, and what only later settlements tell apart."""
    for fact in ("funding", "predicted_funding", "revision", "latest"):
        await clean_database.reads.execute(f"delete from {fact}")
    for venue, spacing in zip(VENUES, steps, strict=True):
        hours = [float(hour) for hour in accumulate(spacing)]
        at = hours[min(nth, len(hours) - 1)] + at % 2 if venue == "binance" else at
        await estimate(clean_database, series[venue], hours)
        known = {hour: (1 + hour) * 1e-6 for hour in hours if hour <= at}
        await facts.settle(clean_database, series[venue], known)
    before = await answers(client, at)
    assert before[0]
    for venue, spacing in zip(VENUES, steps, strict=True):
        later = {float(hour): (1 + hour) * 1e-6 for hour in accumulate(spacing) if hour > at}
        await facts.settle(clean_database, series[venue], later)
    await reference.put_instruments(clean_database, "binance", [FundingInterval("BTCUSDT", 2)])
    assert await answers(client, at) == before
    [one] = [row for row in before[0] if row["exchange"] == "binance"]
    assert (before[-1]["rate"][0], before[-1]["interval_hours"][0]) == (one["rate"], one["interval_hours"])


async def estimate(db: Database, series: int, hours: list[float]) -> None:
    """What was expected before each settlement, by somebody who does not say of which interval."""
    rows = [{"series_id": series, "ts": facts.at(hour - 0.5), "rate": 1e-4} for hour in hours]
    await put(db, "predicted_funding", [facts.batch("predicted_funding", rows)])


@FEW
@given(at=instants, told=added)
async def test_no_answer_as_known_then_changes_when_anything_is_stored(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int], at: float, told: list[Fact]
) -> None:
    """Corrections, new facts before and after, and intervals that are inferred anew."""
    then = str(await clean_database.reads.fetchval("select iso(clock_timestamp())"))
    before = await answers(client, at, then)
    shortly_before = [(kind, venue, at - h / 20, value) for kind, venue, h, value in told]
    in_force = [(kind, venue, at // VENUES[venue] * VENUES[venue], value) for kind, venue, _, value in told]
    for later in (told, shortly_before, in_force):
        await store(clean_database, series, later, declared=False)
    assert await answers(client, at, then) == before
    assert any(before)


@FEW
@given(rate=rates, hours=st.sampled_from([1.0, 2.0, 4.0, 6.0, 8.0]))
async def test_between_bases_and_back(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int], rate: float, hours: float
) -> None:
    await facts.settle(clean_database, series["binance"], {50: rate}, hours)
    moment = facts.at(50).isoformat()
    row = {"time": moment, "exchange": "binance", "asset": "BTC"}
    for per, basis in HOURS.items():
        asked = {"at": moment, "exchanges": "binance", "per": per}
        one = (await client.get("/funding/BTC", params=asked)).json()["data"][0]
        many = (await client.post("/lookup", json={"dataset": "funding", "per": per, "rows": [row]})).json()["data"]
        assert (one["rate_native"], many["rate_native"]) == (rate, [rate])
        assert many["rate"] == [one["rate"]]
        back = Fraction(one["rate"]) * Fraction(hours) / Fraction(basis or hours)
        assert abs(back - Fraction(rate)) <= abs(Fraction(rate)) / 10**15


@FEW
@given(factor=st.floats(1e-6, 1e6), at=instants)
async def test_only_the_ratio_of_open_interests_weighs(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int], factor: float, at: float
) -> None:
    asked = {"weighted": "oi", "at": facts.at(at).isoformat()}
    before = (await client.get("/funding/BTC", params=asked)).json()["data"][0]
    held = "update open_interest set oi_usd = oi_usd * $1"
    await clean_database.reads.execute(held, factor)
    after = (await client.get("/funding/BTC", params=asked)).json()["data"][0]
    await clean_database.reads.execute(held, 1 / factor)
    assert after["rate"] == pytest.approx(before["rate"], rel=1e-12)
    assert (after["coverage"], after["present"]) == (pytest.approx(before["coverage"]), before["present"])
    assert after["oi_usd"] == pytest.approx(before["oi_usd"] * factor)


@settings(FEW, max_examples=8)
@given(last=st.integers(1, 40), since=st.integers(0, 30 * 60))
async def test_an_exchange_that_falls_silent_is_stale_then_missing(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int], last: int, since: int
) -> None:
    """Its weight counts for two hours, its rate for one and a half intervals; then the mean is that of the others."""
    silent = await facts.series(clean_database, "bybit", "BTCUSDT")
    for fact in ("funding", "open_interest"):
        await clean_database.reads.execute(f"delete from {fact} where series_id = $1", silent)
    await facts.settle(clean_database, silent, {last - 1: 1e-4, last: 1e-4}, 4)
    await facts.hold(clean_database, silent, {last - 1: 1e9, last: 1e9})
    moment = facts.at(last) + timedelta(minutes=since)
    asked = {"weighted": "oi", "at": moment.isoformat()}
    mean = (await client.get("/funding/BTC", params=asked)).json()["data"][0]
    state = "present" if since <= 120 else "stale" if since <= 360 else "missing"
    assert [name for name in ("present", "stale", "missing") if "bybit" in mean[name]] == [state]
    others = (await client.get("/funding/BTC", params={**asked, "exchanges": ",".join(VENUES)})).json()["data"][0]
    assert others["missing"] == [name for name in mean["missing"] if name != "bybit"]
    assert (mean["rate"] == others["rate"]) == (state != "present")
