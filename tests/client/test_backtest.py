"""The backtest provider: what was in force at an instant, from a server and from files, and nothing later."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db import Database
from app.services import reference
from app.services.export import DATASETS, Wanted, export
from app.services.intervals import HOUR_US, IntervalKnown, intervals
from perpstore_client import Ambiguous, Backtest, BadRequest, NotFound, NotLoaded, PerpstoreClient
from tests.client import market
from tests.db import facts

END = market.DAY + timedelta(hours=market.HOURS + 24)
ASSETS = {"BTC": "bitcoin", "ETH": "ethereum"}
EXCHANGES = ("binance", "bybit", "hyperliquid")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module", params=["server", "files"])
def backtest(request: pytest.FixtureRequest, client: PerpstoreClient[Any], exported: Path) -> Backtest:
    origin = client if request.param == "server" else exported
    return Backtest(origin).load(market.DAY - 2 * HOUR, END, list(ASSETS))


def instants() -> Iterable[datetime]:
    """Every settlement and every end of a rate, the instants around them, and some between."""
    for hour in range(-1, market.HOURS + 20):
        at = market.DAY + timedelta(hours=hour)
        yield from (at - timedelta(microseconds=1), at, at + timedelta(microseconds=1), at + HOUR / 2)
        yield at + HOUR / 2 + timedelta(microseconds=1)


def test_every_answer_is_that_of_plain_python(backtest: Backtest) -> None:
    facts = market.rows()
    for at in instants():
        for name, asset in ASSETS.items():
            for exchange in EXCHANGES:
                assert backtest.funding_rate(at, exchange, name) == market.main_rate(facts, at, exchange, asset), at
            assert backtest.best_spread(at, name) == market.widest(facts, at, asset), at


def test_a_rate_that_settled_before_the_window_is_in_force_in_it(
    backtest: Backtest, client: PerpstoreClient[Any], exported: Path
) -> None:
    start = market.DAY + timedelta(hours=64 + 7, minutes=59)
    for origin in (client, exported):
        later = Backtest(origin).load(start, END, "BTC", "Binance")
        assert later.funding_rate(start, "binance", "BTC") == backtest.funding_rate(start, "BINANCE", "btc") is not None


def test_the_best_pair_is_that_of_the_server(backtest: Backtest, client: PerpstoreClient[Any], url: str) -> None:
    for hour in (0, 9, 40, 52.5, 70, 100):
        at = market.DAY + hour * HOUR
        told = client.arrow.spreads("BTC", at=at).to_pylist()
        pairs = [(row["short_exchange"], row["long_exchange"], row["spread"]) for row in told]
        best = backtest.best_spread(at, "BTC")
        assert pairs == ([best] if best else [])


def test_intervals_nobody_declared_are_those_of_a_look_up(client: PerpstoreClient[Any], exported: Path) -> None:
    every = [market.DAY + hour * HOUR / 2 for hour in range(market.HOURS * 2)]
    asked = [(at, "okx", "LTC") for at in every]
    expected = client.arrow.lookup(asked)["rate"].to_pylist()
    for origin in (client, exported):
        loaded = Backtest(origin).load(market.DAY, END, "LTC")
        assert [loaded.funding_rate(*one) for one in asked] == expected
    assert None in expected
    first = market.DAY + 63 * HOUR
    assert Backtest(client).load(first, END, "LTC").funding_rate(first, "okx", "LTC") == expected[126] is not None


@settings(max_examples=40, deadline=None)
@given(
    spacings=st.lists(st.sampled_from([1, 1, 2, 3, 4, 6, 8, 8, 16]), min_size=1, max_size=12),
    minute=st.integers(0, 4000),
)
def test_no_interval_is_owed_to_later_settlements(spacings: list[int], minute: int) -> None:
    at = market.DAY + timedelta(minutes=minute)
    hours = list(accumulate(spacings))
    by_then = [hour for hour in hours if market.DAY + hour * HOUR <= at]
    assert _answers(_judged(hours), at) == _answers(_judged(by_then), at)


def _judged(hours: list[int]) -> list[market.Row]:
    """Settlements as the server stores them where it knows these."""
    found = intervals(np.array(hours, dtype=np.int64) * HOUR_US, np.full(len(hours), np.nan), 8.0)
    row = {"exchange": "a", "instrument": "BTCUSDT", "asset": "bitcoin", "source": "a", "rate": 1e-4}
    known = [IntervalKnown(known).name.lower() for known in found.known]
    return [
        {**row, "time": market.DAY + hour * HOUR, "interval_hours": every, "interval_known": how}
        for hour, every, how in zip(hours, found.hours.tolist(), known, strict=True)
    ]


def test_times_in_every_form(backtest: Backtest) -> None:
    at = market.DAY + 9 * HOUR
    us = int(at.timestamp())
    forms = [at, at.replace(tzinfo=None), pd.Timestamp(at), pd.Timestamp("2026-03-01T10:00:00+01:00"), us, us * 1000]
    forms += ["2026-03-01T09:00:00Z", "2026-03-01 10:00+01:00", str(us), np.datetime64("2026-03-01T09", "ns")]
    found = {backtest.funding_rate(form, "binance", "BTC") for form in (*forms, np.int64(us))}
    assert found == {market.main_rate(market.rows(), at, "binance", "bitcoin")}
    for bad in ("yesterday", "2026-13-01", 10**17, pd.NaT, np.datetime64("NaT")):
        with pytest.raises(ValueError, match=r"epoch seconds or milliseconds, or RFC 3339 as in 2026-"):
            backtest.funding_rate(bad, "binance", "BTC")
    with pytest.raises(TypeError, match="a time expected"):
        backtest.funding_rate(None, "binance", "BTC")  # type: ignore[arg-type]


def test_many_at_once_are_the_same_as_one_by_one(backtest: Backtest) -> None:
    times = list(instants())
    expected = [backtest.funding_rate(at, "binance", "BTC") for at in times]
    index = pd.DatetimeIndex(times)
    for form in (times, index, pd.Series(index), index.tz_localize(None).to_numpy(), iter(times)):
        found = backtest.funding_rates(form, "binance", "BTC")
        assert [None if np.isnan(rate) else rate for rate in found] == expected
    apart = backtest.spreads(times, "binance", "hyperliquid", "BTC")
    one_by_one = [backtest.spread(at, "binance", "hyperliquid", "BTC") for at in times]
    assert [None if np.isnan(rate) else rate for rate in apart] == one_by_one
    assert any(value is not None and value < 0 for value in one_by_one)
    assert backtest.funding_rates([], "binance", "BTC").size == 0
    with pytest.raises(NotLoaded):
        backtest.funding_rates([END + HOUR], "binance", "BTC")


def test_what_was_not_loaded_is_refused_not_answered(backtest: Backtest, exported: Path) -> None:
    for at in (END + HOUR, market.DAY - 3 * HOUR):
        with pytest.raises(NotLoaded, match="not in what was loaded"):
            backtest.funding_rate(at, "binance", "BTC")
    with pytest.raises(NotLoaded, match="SOL was not loaded; there are btc, eth"):
        backtest.best_spread(market.DAY, "SOL")
    with pytest.raises(NotLoaded, match="nothing is loaded yet"):
        Backtest(exported).funding_rate(market.DAY, "binance", "BTC")
    narrow = Backtest(exported).load(market.DAY, END, "BTC", ["binance", "okx"])
    with pytest.raises(NotLoaded, match="bybit was not loaded"):
        narrow.funding_rate(market.DAY, "bybit", "BTC")
    assert narrow.funding_rate(market.DAY, "okx", "BTC") is None
    with pytest.raises(ValueError, match="start has to be before end"):
        narrow.load(END, market.DAY)


def test_names_nobody_knows_are_no_missing_rates(
    backtest: Backtest, client: PerpstoreClient[Any], exported: Path
) -> None:
    at = market.DAY + 9 * HOUR
    for ask in (backtest.funding_rate, backtest.funding_rates):
        moments: Any = at if ask == backtest.funding_rate else [at]
        with pytest.raises(NotLoaded, match=r"No exchange binanse. Did you mean binance"):
            ask(moments, "binanse", "BTC")
        with pytest.raises(NotLoaded, match=r"No perpetual bybit:BTCPER of BTC. Did you mean bybit:BTCPERP"):
            ask(moments, "bybit:BTCPER", "BTC")
    with pytest.raises(NotLoaded, match=r"No perpetual binance:ETHUSDT of BTC"):
        backtest.spread(at, "bybit", "binance:ETHUSDT", "BTC")
    assert backtest.funding_rate(at, "okx", "BTC") is None
    for origin in (client, exported):
        with pytest.raises(BadRequest) as unknown:
            Backtest(origin).load(market.DAY, END, "BTC", "binanse")
        assert (unknown.value.code, "binance" in unknown.value.candidates) == ("unknown_exchange", True)


def test_a_contract_may_be_named(backtest: Backtest, exported: Path) -> None:
    at, facts = market.DAY + 9 * HOUR, market.in_force(market.rows(), market.DAY + 9 * HOUR, "bitcoin")
    other = facts["bybit", "BTCPERP"]
    assert backtest.funding_rate(at, "Bybit:btcperp", "BTC") == other != backtest.funding_rate(at, "bybit", "BTC")
    main = facts["bybit", "BTCUSDT"]
    assert backtest.spread(at, "bybit:BTCPERP", "bybit", "BTC") == other - main
    assert backtest.spreads([at], "bybit:BTCPERP", "bybit:BTCUSDT", "BTC").tolist() == [other - main]
    narrow = Backtest(exported).load(market.DAY, END, "BTC", ["bybit:BTCPERP"])
    assert narrow.funding_rate(at, "bybit:BTCPERP", "BTC") == other


def test_all_assets_where_none_is_named(client: PerpstoreClient[Any], exported: Path) -> None:
    at = market.DAY + 9 * HOUR
    for origin, name in ((client, "ETH"), (exported, "ethereum")):
        whole = Backtest(origin).load(market.DAY, END)
        assert whole.funding_rate(at, "binance", name) == market.main_rate(market.rows(), at, "binance", "ethereum")


def test_names_in_files(exported: Path, tmp_path: Path) -> None:
    files = Backtest(exported / "funding")
    assert files.load(market.DAY, END, ["Bitcoin"]).best_spread(market.DAY, "bitcoin") is not None
    with pytest.raises(NotFound) as unknown:
        files.load(market.DAY, END, ["bitcon"])
    assert "bitcoin" in unknown.value.candidates
    with pytest.raises(FileNotFoundError, match="holds no Parquet files"):
        Backtest(tmp_path).load(market.DAY, END)
    _write(tmp_path, market.rows(), {"bitcoin": "SAME", "ethereum": "same"})
    with pytest.raises(Ambiguous) as several:
        Backtest(tmp_path).load(market.DAY, END, "Same")
    assert several.value.candidates == ("bitcoin", "ethereum")


async def test_of_several_sources_it_is_the_one_the_server_prefers(clean_database: Database, tmp_path: Path) -> None:
    own = await facts.series(clean_database, "binance", "BTCUSDT")
    other = (await reference.series_of(clean_database, "velo", "binance"))["BTCUSDT"].id
    for to, rate in ((own, 1e-4), (other, 2e-4)):
        await facts.settle(clean_database, to, {0: rate}, hours=8)
    for order, rate in (("exchange", "import"), 1e-4), (("velo", "exchange"), 2e-4):
        await reference.prefer(clean_database, order)
        await export(clean_database, DATASETS["funding"], tmp_path, "parquet", Wanted())
        loaded = Backtest(tmp_path).load(facts.at(0), facts.at(4), "BTC")
        assert loaded.funding_rate(facts.at(1), "binance", "BTC") == rate
        assert loaded.best_spread(facts.at(1), "BTC") is None


def _write(folder: Path, facts: Iterable[market.Row], symbols: dict[str, str] | None = None) -> None:
    """One file as an export makes it."""
    table = pa.Table.from_pylist([{"interval_known": "declared", **row, "kind": "settled"} for row in facts], SCHEMA)
    told = {"perpstore": f'{{"assets": {symbols or {"bitcoin": "BTC"}}}}'.replace("'", '"')}
    pq.write_table(table.replace_schema_metadata(told), folder / "settled.parquet")


SCHEMA = pa.schema(
    {
        "time": pa.timestamp("us", "UTC"),
        **dict.fromkeys(("exchange", "instrument", "asset", "source", "kind"), pa.string()),
        "rate": pa.float64(),
        "interval_hours": pa.float64(),
        "interval_known": pa.string(),
    }
)

ELSEWHERE = {"time": market.DAY, "instrument": "ETHUSDT", "asset": "ethereum", "source": "a", "interval_hours": 8}

FACTS = st.lists(
    st.fixed_dictionaries(
        {
            "time": st.integers(0, 60).map(lambda hour: market.DAY + hour * HOUR),
            "exchange": st.sampled_from(["a", "b"]),
            "instrument": st.sampled_from(["BTCUSD", "BTCUSDC", "BTC-USDT", "BTCUSDT"]),
            "asset": st.just("bitcoin"),
            "source": st.sampled_from(["a", "import", "velo"]),
            "rate": st.sampled_from([-1e-4, 0.0, 1e-5, 1e-4, 0.1 + 0.2]),
            "interval_hours": st.sampled_from([1, 4, 8]),
        }
    ),
    max_size=25,
    unique_by=lambda row: (row["time"], row["exchange"], row["instrument"], row["source"]),
)


@settings(max_examples=60, deadline=None)
@given(facts=FACTS, minute=st.integers(0, 70 * 60), late=st.booleans())
def test_nothing_later_changes_an_answer(facts: list[market.Row], minute: int, late: bool) -> None:
    at = market.DAY + timedelta(minutes=minute, microseconds=1 if late else 0)
    known = [row for row in facts if row["time"] <= at]
    answers = [_answers(told, at) for told in (facts, known)]
    assert answers[0] == answers[1]
    rates = [market.main_rate(facts, at, exchange, "bitcoin") for exchange in ("a", "b")]
    assert answers[0] == (*rates, market.widest(facts, at, "bitcoin"))


def _answers(facts: list[market.Row], at: datetime) -> tuple[Any, ...]:
    with TemporaryDirectory() as name:
        others = [{**ELSEWHERE, "exchange": exchange} for exchange in ("a", "b")]
        _write(Path(name), [*facts, *others])
        files = Backtest(name).load(market.DAY, market.DAY + timedelta(days=4), "BTC")
    return *(files.funding_rate(at, exchange, "BTC") for exchange in ("a", "b")), files.best_spread(at, "BTC")


def test_a_settlement_counts_from_its_instant_until_one_and_a_half_intervals_later(tmp_path: Path) -> None:
    row = next(row for row in market.rows() if row["interval_hours"] == 8)
    _write(tmp_path, [row])
    files = Backtest(tmp_path).load("2026-02-01", "2026-04-01", "BTC")
    tick = timedelta(microseconds=1)
    at = row["time"]
    around = [at - tick, at, at + 12 * HOUR, at + 12 * HOUR + tick]
    assert [files.funding_rate(when, "binance", "BTC") is not None for when in around] == [False, True, True, False]
