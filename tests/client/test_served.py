"""The client against a real server over a real socket."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from app.db import Database
from perpstore_client import Ambiguous, AsyncPerpstoreClient, BadRequest, NotFound, PerpstoreClient, Unavailable
from tests.client import market
from tests.db.importing import bring

WINDOW = {"start": market.DAY, "end": market.DAY + timedelta(days=4)}
Client = PerpstoreClient[pd.DataFrame]


def test_rows_as_a_frame_with_their_facts(client: Client) -> None:
    frame = client.funding("BTC", per="native", exchanges=["binance", "bybit"], **WINDOW)
    assert list(frame.columns[:4]) == ["time", "exchange", "instrument", "rate"]
    told = [r for r in market.rows() if r["asset"] == "bitcoin" and r["exchange"] in ("binance", "bybit")]
    keys = {(r["time"], r["exchange"], r["instrument"]) for r in told}
    assert len(frame) == len(keys)
    assert str(frame["time"].dtype) == "datetime64[us, UTC]"
    assert (frame.attrs["per"], frame.attrs["kind"]) == ("native", "settled")
    assert frame.attrs["units"]["interval_hours"] == "hours"
    assert frame.attrs["window"]["start"] == "2026-03-01T00:00:00Z"


def test_the_same_rows_in_every_frame(client: Client) -> None:
    table = client.arrow.funding("ETH", **WINDOW)
    assert isinstance(table, pa.Table)
    polars = client.polars.funding("ETH", **WINDOW)
    assert isinstance(polars, pl.DataFrame)
    assert polars.rows() == [tuple(row.values()) for row in table.to_pylist()]
    assert_frame_equal(client.pandas.funding("ETH", **WINDOW), table.to_pandas())
    assert isinstance(client.funding("ETH", **WINDOW), pd.DataFrame)


ASKED: Sequence[Callable[[Any], Any]] = (
    lambda c: c.funding(at=market.DAY, assets=["BTC", "ETH"], per="1y"),
    lambda c: c.funding("BTC", weighted="equal", interval="4h", min_coverage=0.0, max_age="2h", **WINDOW),
    lambda c: c.funding("BTC", at="2026-03-02T07:30:00Z", margin="stable"),
    lambda c: c.funding("BTC", kind="predicted", source="binance"),
    lambda c: c.carry("BTC", side="short", notional=10_000, **WINDOW),
    lambda c: c.open_interest("BTC", aggregate="sum", interval="1d", **WINDOW),
    lambda c: c.candles("BTC", interval="1h", order="desc", limit=3, **WINDOW),
    lambda c: c.entities(q="bitcoin", limit=2),
    lambda c: c.entities("BTC"),
    lambda c: c.resolve("kPEPE"),
    lambda c: c.instruments(asset="BTC", exchange=["binance"], kind="perp", active=True),
    lambda c: c.instrument("binance", "BTCUSDT"),
    lambda c: c.funding_intervals("hyperliquid", "BTC"),
    lambda c: c.exchanges(),
    lambda c: c.sources(),
    lambda c: c.datasets(),
    lambda c: c.metrics_catalog(source="defillama", domain="fundamental"),
    lambda c: c.fundamentals("UNI", metric="TVL", **WINDOW),
    lambda c: c.compare("TVL", assets="UNI", interval="1d", **WINDOW),
    lambda c: c.rejects(),
    lambda c: c.unmapped(q="pepe"),
    lambda c: c.get("/funding/BTC", per="1y", **WINDOW),
)


@pytest.mark.parametrize("place", range(len(ASKED)))
async def test_every_question_awaited_is_answered_alike(url: str, client: Client, place: int) -> None:
    answered = ASKED[place](client.arrow)
    async with AsyncPerpstoreClient(url, frame="arrow") as awaiting:
        again = await ASKED[place](awaiting)
    assert answered.equals(again)


def test_freshness_is_a_frame(client: Client) -> None:
    assert {"source", "dataset", "age_s"} <= {*client.freshness().columns}


OF_SEVERAL_EXCHANGES: Sequence[tuple[Callable[[Client], pd.DataFrame], set[str]]] = (
    (lambda c: c.spreads(at=market.DAY + timedelta(hours=9), fees="none"), {"short_exchange", "net_apr"}),
    (lambda c: c.spreads("BTC", min_spread=1e-6, **WINDOW), {"long_exchange", "spread"}),
    (lambda c: c.spreads("BTC", short="bybit", long="binance", **WINDOW), {"short_rate"}),
    (lambda c: c.prediction_error("BTC", **WINDOW), set()),
    (lambda c: c.disagreements(**WINDOW), set()),
)


@pytest.mark.parametrize(("ask", "columns"), OF_SEVERAL_EXCHANGES)
def test_spreads_errors_and_disagreements_are_frames(
    client: Client, ask: Callable[[Client], pd.DataFrame], columns: set[str]
) -> None:
    assert columns <= {*ask(client).columns}


@pytest.mark.parametrize("shape", ["tuples", "pandas", "polars", "arrow", "dictionaries"])
async def test_many_look_ups_in_one_call(url: str, client: Client, shape: str) -> None:
    times = [market.DAY + timedelta(minutes=37 * n) for n in range(150)]
    told = [(time, "Binance" if n % 2 else "bybit", "BTC") for n, time in enumerate(times)]
    columns = dict(zip(("time", "exchange", "asset"), map(list, zip(*told, strict=True)), strict=True))
    forms = {
        "tuples": told,
        "pandas": pd.DataFrame(columns),
        "polars": pl.DataFrame(columns),
        "arrow": pa.table(columns),
        "dictionaries": pa.table(columns).to_pylist(),
    }
    found = client.arrow.lookup(forms[shape])
    assert found["time"].to_pylist() == times
    facts = market.rows()
    expected = [market.main_rate(facts, time, exchange.lower(), "bitcoin") for time, exchange, _ in told]
    assert found["rate"].to_pylist() == expected
    async with AsyncPerpstoreClient(url, frame="arrow") as awaiting:
        assert (await awaiting.lookup(forms[shape])).equals(found)


async def test_what_just_became_known(url: str, filled: Database) -> None:
    sample = {"exchange": "bybit", "instrument": "SOLUSDT", "asset": "SOL", "kind": "predicted", "rate": 1e-5}
    async with AsyncPerpstoreClient(url) as awaiting, aclosing(awaiting.events(["funding:SOL"])) as heard:
        event = asyncio.ensure_future(anext(heard))
        async with asyncio.timeout(20):
            while not event.done():
                await bring(filled, "funding", {**sample, "time": datetime.now(UTC).isoformat()})
                await asyncio.wait([event], timeout=0.2)
        told = await event
        assert (told.name, told.data["asset"], told.data["exchange"]) == ("funding", "SOL", "bybit")
        again = awaiting.events(["funding:SOL"], last_event_id=told.id)
        await bring(filled, "funding", {**sample, "time": datetime.now(UTC).isoformat()})
        assert (await anext(again)).id != told.id
        await again.aclose()


async def test_large_ranges_come_in_batches(url: str, client: Client) -> None:
    whole = client.arrow.funding("BTC", **WINDOW)
    batches = list(client.batches("/funding/BTC", **WINDOW))
    assert pa.Table.from_batches(batches).equals(whole)
    assert pd.concat(client.stream("/funding/BTC", **WINDOW)).equals(client.funding("BTC", **WINDOW))
    async with AsyncPerpstoreClient(url) as awaiting:
        again = [batch async for batch in awaiting.batches("/funding/BTC", **WINDOW)]
        frames = [frame async for frame in awaiting.stream("/funding/BTC", **WINDOW)]
    assert pa.Table.from_batches(again).equals(whole)
    assert sum(map(len, frames)) == whole.num_rows


async def test_who_stops_in_the_middle_lets_go(url: str, client: Client) -> None:
    """More than the server has places for, one after the other."""
    for _ in range(8):
        batches = client.batches("/funding/BTC", **WINDOW)
        next(batches)
        batches.close()
    async with AsyncPerpstoreClient(url) as awaiting:
        for _ in range(8):
            stream = awaiting.stream("/funding/BTC", **WINDOW)
            await anext(stream)
            await stream.aclose()
        assert len(await awaiting.funding("BTC", **WINDOW)) > 0


def test_an_empty_answer_has_its_columns_and_says_why(client: Client) -> None:
    frame = client.funding("BTC", start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2020, 1, 2, tzinfo=UTC))
    assert frame.empty
    assert "interval_hours" in frame.columns
    assert frame.attrs["notices"]


def test_problems_say_what_to_do(client: Client, url: str) -> None:
    with pytest.raises(NotFound) as unknown:
        client.funding("bitcon")
    assert (unknown.value.code, unknown.value.status) == ("unknown_asset", 404)
    assert "bitcoin" in unknown.value.candidates
    with pytest.raises(BadRequest, match="did you mean per") as wrong:
        client.get("/funding/BTC", pre="8h")
    assert wrong.value.errors[0].parameter == "pre"
    assert wrong.value.request_id
    with pytest.raises(BadRequest, match="not with rows") as rowless:
        client.get("/health/ready")
    assert rowless.value.code == "no_rows"
    with pytest.raises(BadRequest, match="exchange"):
        list(client.batches("/funding/BTC", exchanges="binanc"))
    with pytest.raises(Unavailable) as gone:
        PerpstoreClient("http://127.0.0.1:1").exchanges()
    assert gone.value.status is None


def test_an_ambiguous_symbol_names_its_candidates(client: Client, url: str) -> None:
    shared = client.entities()
    ids = {*shared["canonical_id"]}
    counts = shared["symbol"].str.lower().value_counts()
    symbol = next(symbol for symbol, count in counts.items() if count > 1 and symbol not in ids)
    with pytest.raises(Ambiguous) as several:
        client.funding(symbol)
    assert {*several.value.candidates} == {*shared[shared["symbol"].str.lower() == symbol]["canonical_id"]}


def test_names_with_any_character_stay_one_word(client: Client) -> None:
    with pytest.raises(NotFound) as unknown:
        client.instrument("binance", "A/B ?#%")
    assert unknown.value.code != "no_such_path"
