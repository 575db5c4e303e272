"""What is brought of minutes: each of its own columns, the others stay; and what is refused, by name."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from app.db import Database
from app.records import Liquidation
from app.services import batch, reference, store
from app.services.importing import BadOption
from tests.db.facts import series
from tests.db.importing import WHEN, bring, candle, codes, contracts, liquidation, stored

LIQUIDATION = ("ts", "side", "price", "quantity")
LAID = ("liquidation_price", "long_liquidation_base", "short_liquidation_base")
BTC = {"time": WHEN, "exchange": "binance", "instrument": "BTCUSDT", "asset": "BTC"}
PEPE = {"time": WHEN, "exchange": "binance", "instrument": "1000PEPEUSDT", "asset": "1000PEPE"}


@pytest.fixture
async def own(clean_database: Database) -> AsyncIterator[Database]:
    """Users added columns to minutes."""
    write = clean_database.reads.execute
    await write("alter table perp_1m add column vwap float8, add column spot_base float8")
    yield clean_database
    await write("alter table perp_1m drop column vwap, drop column spot_base")


async def test_liquidations_of_one_millisecond(clean_database: Database) -> None:
    told = [liquidation(), liquidation(price=12.0, quantity=3.0), liquidation(side="short", quantity=0.5),
            liquidation(time="2025-08-21T00:00:59.999Z", side="SHORT", price=20.0),
            liquidation(time="2025-08-21T00:01:00Z")]  # fmt: skip
    for inserted, unchanged in ((5, 0), (0, 5)):
        answer = await bring(clean_database, "liquidations", *told, liquidation())
        assert codes(answer) == []
        assert (answer.inserted, answer.unchanged) == (inserted, unchanged + 1), "told twice, stored once"
    keys = {row[2] for row in await stored(clean_database, "liquidation", *LIQUIDATION)}
    assert len(keys) == 5
    minutes = await stored(clean_database, "perp_1m", *LAID, "close")
    price = (10 + 12 * 3 + 10 * 0.5 + 20) / 5.5
    assert minutes == [("BTCUSDT", "import", pytest.approx(price), 4, 1.5, None), ("BTCUSDT", "import", 10, 1, 0, None)]
    assert await clean_database.reads.fetchval("select count(*) from revision") == 0


async def test_a_liquidation_that_is_pulled_and_brought_is_one(clean_database: Database) -> None:
    await series(clean_database, "binance", "1000PEPEUSDT", "1000PEPE")
    refs = await reference.series_of(clean_database, "binance", "binance")
    moment = datetime.fromisoformat(WHEN)
    record = Liquidation("1000PEPEUSDT", moment, "short", 0.0123, 7.5)
    found, unknown = batch.columns([record], refs)
    assert not unknown
    assert (await store.put(clean_database, "liquidation", [found["liquidation"]])).inserted == 1
    row = liquidation(instrument="1000PEPEUSDT", asset="1000PEPE", side="short", price=0.0123, quantity=7.5)
    answer = await bring(clean_database, "liquidations", row, source="binance")
    assert (answer.unchanged, answer.received) == (1, 1)


async def test_prices_are_of_one_coin_and_quantities_count_coins(own: Database) -> None:
    who = {name: PEPE[name] for name in ("instrument", "asset")}
    await bring(own, "liquidations", liquidation(**who, price=0.012, quantity=2.0))
    await bring(own, "taker-volume", {**PEPE, "buy_volume_base": 3.0, "sell_volume_base": 4.0})
    await bring(own, "long-short", {**PEPE, "long_short_ratio": 1.5})
    await bring(own, "perp-data", {**PEPE, "vwap": 5.0, "spot_base": 6.0})
    assert [row[-1] for row in await contracts(own)] == [1000]
    assert [row[4:] for row in await stored(own, "liquidation", "ts", "side", "price", "quantity")] == [
        (0.012 / 1000, 2000)
    ]
    columns = (*LAID, "buy_volume_base", "sell_volume_base", "long_short_ratio", "vwap", "spot_base")
    assert await stored(own, "perp_1m", *columns) == [
        ("1000PEPEUSDT", "import", pytest.approx(0.012 / 1000), 2000, 0, 3000, 4000, 1.5, 5, 6000)
    ]


async def test_a_minute_of_several_imports(own: Database) -> None:
    for dataset, row in (
        ("taker-volume", {**BTC, "sell_volume_base": 4.0}),
        ("candles", candle(volume_base=9.0, buy_volume_base=5.0)),
        ("long-short", {**BTC, "time": "2025-08-21T00:00:59.9Z", "long_share": 0.6, "short_share": 0.4}),
        ("perp-data", {**BTC, "vwap": -1.5}),
        ("liquidations", liquidation()),
    ):
        for inserted in (1, 0):
            answer = await bring(own, dataset, row)
            assert (answer.inserted, answer.updated, answer.received) == (inserted, 0, 1), dataset
    rounded = {"time": "2025-08-21T00:02:00Z", "long_short_ratio": 1.8105, "long_share": 0.6442, "short_share": 0.3558}
    assert (await bring(own, "long-short", {**BTC, **rounded})).inserted == 1, "the four digits exchanges tell"
    await own.reads.execute("delete from perp_1m where long_short_ratio > 1.8")
    columns = ("close", "volume_base", "buy_volume_base", "sell_volume_base", "long_short_ratio", "vwap", *LAID[1:])
    (found,) = await stored(own, "perp_1m", *columns)
    assert found[2:] == (10, 9, 5, 4, pytest.approx(1.5), -1.5, 1, 0)
    answer = await bring(own, "perp-data", {**BTC, "vwap": 2.5})
    assert (answer.inserted, answer.updated) == (0, 1)


@pytest.mark.parametrize("interval", ["1m", "1h"])
async def test_takers_beside_candles(clean_database: Database, interval: str) -> None:
    told = {"interval": interval}
    later = "2025-08-21T01:00:00Z"
    await bring(clean_database, "candles", candle(volume_base=9.0, buy_volume_base=5.0, **told),
                candle(time=later, volume_base=9.0, buy_volume_base=5.0, **told))  # fmt: skip
    takers = {**BTC, **told, "buy_volume_base": 5.0, "sell_volume_base": 4.05}
    fits = await bring(clean_database, "taker-volume", takers, {**takers, "time": "2025-08-21T02:00:00Z"})
    assert fits.notices == ()
    usd = {**takers, "buy_volume_base": 500.0}
    replaced = "1 candle told another `buy_volume_base`: that of these rows replaces it"
    over = "1 candle told less `volume_base` than takers bought and sold by these rows: are they in coins?"
    for dry_run in (True, False):
        assert (await bring(clean_database, "taker-volume", usd, dry_run=dry_run)).notices[:2] == (replaced, over)
    assert (await bring(clean_database, "taker-volume", usd)).notices == (over,), "said once more, it replaces nothing"
    sold = {**BTC, **told, "time": later, "sell_volume_base": 4.0}
    assert (await bring(clean_database, "taker-volume", sold)).notices == ()


async def test_hours_of_takers(clean_database: Database) -> None:
    row = {**BTC, "interval": "1h", "buy_volume_base": 3.0, "sell_volume_base": 4.0}
    assert (await bring(clean_database, "taker-volume", row)).inserted == 1
    assert await stored(clean_database, "perp_1h", "buy_volume_base", "sell_volume_base", "close") == [
        ("BTCUSDT", "import", 3, 4, None)
    ]


REFUSED = {
    "liquidations": [
        (liquidation(side="buy"), "ambiguous_side"),
        (liquidation(side="SELL"), "ambiguous_side"),
        (liquidation(side="both"), "bad_side"),
        (liquidation(side=None), "no_side"),
        (liquidation(price=0), "no_value"),
        (liquidation(price=None), "no_value"),
        (liquidation(quantity=-1), "negative"),
        (liquidation(quantity="lots"), "bad_number"),
        (liquidation(time=None), "no_time"),
        (liquidation(time="2125-01-01"), "time_in_future"),
        (liquidation(instrument="NEWUSDT", asset="NOSUCH"), "unknown_asset"),
        (liquidation(asset="ETH"), "asset_mismatch"),
    ],
    "long-short": [
        (BTC, "no_value"),
        ({**BTC, "long_share": 0.6}, "no_value"),
        ({**BTC, "long_share": 0.6, "short_share": 0.6}, "shares"),
        ({**BTC, "long_share": 60, "short_share": 40}, "shares"),
        ({**BTC, "long_share": 1, "short_share": 0}, "shares"),
        ({**BTC, "long_short_ratio": -1}, "negative"),
        ({**BTC, "long_short_ratio": 1, "long_share": 0.9, "short_share": 0.1}, "contradiction"),
        ({**BTC, "long_short_ratio": 1.8105, "short_share": 0.3}, "contradiction"),
    ],
    "taker-volume": [
        (BTC, "no_value"),
        ({**BTC, "time": "2025-08-21T00:00:30Z", "buy_volume_base": 1}, "misaligned_time"),
        ({**BTC, "interval": "5m", "buy_volume_base": 1}, "unsupported_interval"),
        ({**BTC, "time": "2125-08-21", "buy_volume_base": 1}, "time_in_future"),
    ],
    "perp-data": [(BTC, "no_value"), ({**BTC, "vwap": "inf"}, "not_finite"), ({**BTC, "close": 5.0}, "no_value")],
}


@pytest.mark.parametrize("dataset", REFUSED)
async def test_what_cannot_be_true_is_refused_by_name(own: Database, dataset: str) -> None:
    values = {"long_short_ratio": 1, "buy_volume_base": 1, "vwap": 1}
    good = {**liquidation(), **values, "time": "2025-08-21T01:00:00Z"}
    rows = [row for row, _ in REFUSED[dataset]]
    answer = await bring(own, dataset, *rows, good)
    assert sorted(codes(answer)) == [(at, code) for at, (_, code) in enumerate(REFUSED[dataset])]
    assert answer.inserted == 1, "the good row is kept"
    if dataset == "liquidations":
        assert "`long` or `short`" in answer.rejected[0].reason


async def test_fields_that_nobody_added(own: Database) -> None:
    answer = await bring(own, "perp-data", {**BTC, "vwap": 1.0, "vwapp": 2.0, "mark_price": 3.0})
    assert answer.inserted == 1
    assert answer.notices[:2] == ("column `vwapp` was ignored", "column `mark_price` was ignored")
    assert (await bring(own, "perp-data", {**BTC, "v": 7.0}, columns={"v": "vwap"})).updated == 1
    for told in ({"columns": {"v": "vwapp"}}, {"values": {"close": "1"}}):
        with pytest.raises(BadOption, match="is not a field"):
            await bring(own, "perp-data", {**BTC, "v": 7.0}, **told)  # type: ignore[arg-type]
    assert [row[2] for row in await stored(own, "perp_1m", "vwap")] == [7]


async def test_without_columns_of_users_there_is_nothing_to_bring(clean_database: Database) -> None:
    answer = await bring(clean_database, "perp-data", {**BTC, "vwap": 1.0})
    assert codes(answer) == [(0, "no_value")]
    assert "POST /perpspecs" in answer.rejected[0].reason


async def test_rows_older_than_they_are_kept_are_told_of(clean_database: Database) -> None:
    told = [liquidation(), liquidation(price=11.0), liquidation(time="2026-11-01T00:00:00Z")]
    days = {"liquidation": 36_500, "perp_1m": 10}
    assert "older" not in str((await bring(clean_database, "liquidations", *told, kept=days)).notices)
    days["liquidation"] = 10
    answer = await bring(clean_database, "liquidations", *told[:2], kept=days)
    assert "2 rows are older than the 10 days that liquidations are kept: they will be removed" in answer.notices
    answer = await bring(clean_database, "candles", candle(), candle(interval="1h"), kept=days)
    assert [notice for notice in answer.notices if "kept" in notice] == [
        "1 row is older than the 10 days that minutes are kept: it will be removed"
    ]
