"""No answer about estimates or intervals changes by what happens, or is stored, later."""

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import Database
from tests.api.test_predictions import WINDOW, hour_of_velo, predicted, read, sample
from tests.db.facts import at, series, settle

FEW = settings(max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
HOURS = st.integers(0, 48)
RATES = st.dictionaries(HOURS, st.integers(-1000, 1000).map(lambda n: n / 1e6), min_size=2, max_size=8)


@FEW
@given(settled=RATES, told=RATES, later_settled=RATES, later_told=RATES, velo=RATES)
async def test_nothing_stored_later_changes_what_was_known(
    client: httpx.AsyncClient,
    clean_database: Database,
    settled: dict[float, float],
    told: dict[float, float],
    later_settled: dict[float, float],
    later_told: dict[float, float],
    velo: dict[float, float],
) -> None:
    to = await series(clean_database, "binance", "BTCUSDT", funding_interval_hours=8.0)
    await settle(clean_database, to, settled)
    await sample(clean_database, to, {h + 0.5: rate for h, rate in told.items()})
    await hour_of_velo(clean_database, "binance", "BTCUSDT", velo)
    paths = ("/funding/BTC", "/funding/BTC/prediction-error", "/instruments/binance/BTCUSDT/funding-intervals")
    moment = await clean_database.reads.fetchval("select clock_timestamp()")
    asked: list[dict[str, object]] = [{"kind": "predicted", **WINDOW}, dict(WINDOW), {}]
    before = [await read(client, p, known_at=moment.isoformat(), **q) for p, q in zip(paths, asked, strict=True)]
    await series(clean_database, "binance", "BTCUSDT", funding_interval_hours=4.0)
    await settle(clean_database, to, later_settled)
    await sample(clean_database, to, {h + 0.5: rate for h, rate in later_told.items()}, for_hour=49)
    await hour_of_velo(clean_database, "binance", "BTCUSDT", later_told)
    after = [await read(client, p, known_at=moment.isoformat(), **q) for p, q in zip(paths, asked, strict=True)]
    assert after == before
    assert before[0]


@FEW
@given(moment=st.integers(0, 47), told=RATES, settled=RATES, later=RATES)
async def test_nothing_that_happens_later_changes_what_was_told_at_an_instant(
    client: httpx.AsyncClient,
    clean_database: Database,
    moment: int,
    told: dict[float, float],
    settled: dict[float, float],
    later: dict[float, float],
) -> None:
    await clean_database.reads.execute("truncate funding, predicted_funding, perp_1h, latest")
    to = await series(clean_database, "binance", "BTCUSDT")
    await settle(clean_database, to, {h: rate for h, rate in settled.items() if h <= moment}, hours=8)
    await sample(clean_database, to, {h: rate for h, rate in told.items() if h <= moment})
    before = await predicted(client, at=at(moment).isoformat())
    await settle(clean_database, to, {h + moment + 1: rate for h, rate in later.items()}, hours=4)
    await sample(clean_database, to, {h + moment + 1: rate for h, rate in later.items()})
    await hour_of_velo(clean_database, "binance", "BTCUSDT", {h + moment: rate for h, rate in later.items()})
    assert await predicted(client, at=at(moment).isoformat()) == before
