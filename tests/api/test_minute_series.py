"""Wicks, long/short ratio, taker volume and liquidations over HTTP."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.records import Liquidation, PerpMinute
from app.services.batch import columns, minutes
from app.services.reference import SeriesRef
from app.services.store import put
from tests.api.test_funding import iso
from tests.db.facts import at, batch, hour_batch, series

MINUTE, MS = timedelta(minutes=1), timedelta(milliseconds=1)
HOUR = {"start": iso(at(0)), "end": iso(at(1))}


async def tell(db: Database, series_id: int, told: Mapping[float, Mapping[str, float]]) -> None:
    """What is told of minutes after the start of the test day."""
    records = [PerpMinute("A", at(0) + minute * MINUTE, values) for minute, values in told.items()]
    for record in records:
        await put(db, "perp_1m", [minutes([record], {"A": SeriesRef(series_id, 1.0)})])


async def liquidate(db: Database, series_id: int, told: Iterable[tuple[datetime, Any, float, float]]) -> None:
    """Liquidations: time, side, price, quantity."""
    batches, _ = columns([Liquidation("A", *one) for one in told], {"A": SeriesRef(series_id, 1.0)})
    await put(db, "liquidation", [batches["liquidation"]])


async def rows(client: httpx.AsyncClient, path: str, **parameters: object) -> list[dict[str, Any]]:
    answer = await client.get(path, params={name: str(value) for name, value in parameters.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def notices(client: httpx.AsyncClient, path: str, **parameters: str) -> list[str]:
    return (await client.get(path, params=parameters)).json()["meta"]["notices"]


def candle(opened: float, high: float, low: float, close: float) -> dict[str, float]:
    return {"open": opened, "high": high, "low": low, "close": close}


class TestWicks:
    @pytest.fixture
    async def told(self, clean_database: Database) -> None:
        a = await series(clean_database, "binance", "A")
        wicked = {
            0: candle(10, 10.2, 9.9, 10),
            1: candle(10, 10.19999, 9.9, 10),
            2: candle(10, 10.5, 9.5, 10),
            3: candle(9, 10.1, 8.8, 10),
        }
        await tell(clean_database, a, wicked)

    async def test_asked_by_the_length_it_is_shown_with_it_is_told(
        self, client: httpx.AsyncClient, clean_database: Database
    ) -> None:
        a = await series(clean_database, "binance", "A")
        await tell(clean_database, a, {n: candle(10, 10.5 + n / 70, 9.5 - n / 90, 10 - n / 110) for n in range(40)})
        shown = await rows(client, "/wicks/BTC", **HOUR)
        assert len(shown) > 40
        for row in shown:
            found = await rows(client, "/wicks/BTC", **HOUR, min_pct=repr(row["wick_pct"]), side=row["side"])
            assert row in found

    @pytest.mark.usefixtures("told")
    async def test_a_wick_as_long_as_asked_is_told_and_one_on_each_side_twice(self, client: httpx.AsyncClient) -> None:
        found = await rows(client, "/wicks/BTC", **HOUR)
        assert [(r["time"], r["side"], r["wick_pct"], r["exchange"], r["complete"]) for r in found] == [
            (iso(at(0)), "upper", 2, "binance", True),
            (iso(at(0) + 2 * MINUTE), "lower", 5, "binance", True),
            (iso(at(0) + 2 * MINUTE), "upper", 5, "binance", True),
            (iso(at(0) + 3 * MINUTE), "lower", pytest.approx(100 * 0.2 / 9), "binance", True),
        ]
        assert list(found[0]) == [
            "time", "exchange", "instrument", "open", "high", "low", "close", "side", "wick_pct", "complete",
        ]  # fmt: skip

    @pytest.mark.usefixtures("told")
    async def test_thresholds_sides_and_lengths(self, client: httpx.AsyncClient) -> None:
        for asked, sides in (
            ({"side": "Upper"}, ["upper", "upper"]),
            ({"side": "lower", "min_pct": 5}, ["lower"]),
            ({"min_upper_pct": 3}, ["lower", "upper", "lower"]),
            ({"min_pct": 5, "min_lower_pct": 1}, ["lower", "lower", "lower", "upper", "lower"]),
            ({"min_pct": 6}, []),
            ({"min_pct": 0, "side": "lower", "exchange": "BINANCE,bybit"}, ["lower"] * 4),
            ({"exchange": "bybit"}, []),
            ({"interval": "5m"}, ["lower", "upper"]),
        ):
            found = await rows(client, "/wicks/BTC", **HOUR, **asked)
            assert [row["side"] for row in found] == sides, asked

    @pytest.mark.usefixtures("told")
    async def test_at_an_instant_is_the_candle_closed_by_then(self, client: httpx.AsyncClient) -> None:
        for second, expected in ((59, []), (60, ["upper"]), (119, ["upper"]), (120, [])):
            moment = iso(at(0) + timedelta(seconds=second))
            assert [row["side"] for row in await rows(client, "/wicks/BTC", at=moment)] == expected

    @pytest.mark.usefixtures("told")
    async def test_what_is_refused(self, client: httpx.AsyncClient) -> None:
        for asked in ("min_pct=-1", "min_pct=nan", "min_pct=inf", "side=left", "exchange=nowhere", "exchanges=binance"):
            answer = await client.get(f"/wicks/BTC?{asked}")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["parameter"] == asked.split("=")[0]


async def test_pages_hold_every_wick_once(client: httpx.AsyncClient, clean_database: Database) -> None:
    a = await series(clean_database, "binance", "A")
    await tell(clean_database, a, {minute: candle(10, 11, 9, 10) for minute in range(5)})
    for order in ("asc", "desc"):
        whole = await rows(client, "/wicks/BTC", order=order, **HOUR)
        found, page = [], {"next_url": f"/wicks/BTC?limit=3&order={order}&start={HOUR['start']}&end={HOUR['end']}"}
        while page["next_url"]:
            answer = (await client.get(page["next_url"])).json()
            found, page = found + answer["data"], answer["page"]
        assert found == whole
        assert len(found) == 10


async def test_long_short_as_told_and_the_last_of_each_bucket(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    a, b = await series(clean_database, "binance", "A"), await series(clean_database, "okx", "B")
    await tell(clean_database, a, {n: {"long_short_ratio": 1 + n / 10} for n in (0, 3, 5, 10)} | {4: {"oi_usd": 1.0}})
    await tell(clean_database, b, {6: {"long_short_ratio": 3.0}})
    found = await rows(client, "/long-short/BTC", **HOUR)
    assert [(row["exchange"], row["long_short_ratio"]) for row in found] == [
        ("binance", 1), ("binance", 1.3), ("binance", 1.5), ("okx", 3), ("binance", 2),
    ]  # fmt: skip
    assert found[3] == {
        "time": iso(at(0) + 6 * MINUTE), "exchange": "okx", "instrument": "B", "long_short_ratio": 3,
        "long_share": 0.75, "short_share": 0.25, "source": "okx",
    }  # fmt: skip
    buckets = await rows(client, "/long-short/BTC", interval="5m", exchanges="binance", **HOUR)
    assert [(row["time"], row["long_short_ratio"]) for row in buckets] == [
        (iso(at(0)), 1.3), (iso(at(0) + 5 * MINUTE), 1.5), (iso(at(0) + 10 * MINUTE), 2),
    ]  # fmt: skip


async def test_long_short_of_an_instant_is_what_was_known_then(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    a = await series(clean_database, "binance", "A")
    await tell(clean_database, a, {0: {"long_short_ratio": 1.0}, 7: {"long_short_ratio": 2.0}})
    for minute, asked, expected in ((0.9, {}, []), (7.9, {}, [1]), (8, {}, [2]), (1448, {}, []),
                                    (5, {"interval": "5m"}, [1]), (9.9, {"interval": "5m"}, [1]),
                                    (10, {"interval": "5m"}, [2]), (15, {"interval": "5m"}, [])):  # fmt: skip
        found = await rows(client, "/long-short/BTC", at=iso(at(0) + minute * MINUTE), **asked)
        assert [row["long_short_ratio"] for row in found] == expected, minute


async def test_a_ratio_that_was_corrected_is_what_it_was_then(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    a = await series(clean_database, "binance", "A")
    await tell(clean_database, a, {0: {"long_short_ratio": 1.0}})
    await clean_database.reads.execute("update perp_1m set known_at = known_at - interval '1 hour'")
    await tell(clean_database, a, {0: {"long_short_ratio": 2.0}})
    for known_at, expected in ((datetime.now(UTC), 2), (datetime.now(UTC) - timedelta(minutes=30), 1)):
        found = await rows(client, "/long-short/BTC", known_at=iso(known_at), **HOUR)
        assert [row["long_short_ratio"] for row in found] == [expected]


async def test_taker_volume_as_told_or_what_is_left_of_all(client: httpx.AsyncClient, clean_database: Database) -> None:
    a = await series(clean_database, "binance", "A")
    await tell(clean_database, a, {
        0: {"buy_volume_base": 3.0, "volume_base": 4.0, **candle(1, 1, 1, 1)},
        1: {"buy_volume_base": 3.0, "sell_volume_base": 1.5},
        2: {"buy_volume_base": 3.0},
        3: {"buy_volume_base": 3.0, "sell_volume_base": 0.0},
        4: {"volume_base": 5.0, **candle(1, 1, 1, 1)},
    })  # fmt: skip
    found = await rows(client, "/taker-volume/BTC", **HOUR)
    assert [(r["buy_volume_base"], r["sell_volume_base"], r["buy_sell_ratio"], r["complete"]) for r in found] == [
        (3, 1, 3, True), (3, 1.5, 2, True), (3, None, None, True), (3, 0, None, True),
    ]  # fmt: skip
    (five,) = await rows(client, "/taker-volume/BTC", interval="5m", **HOUR)
    assert (five["buy_volume_base"], five["sell_volume_base"], five["complete"]) == (12, None, False)


async def test_taker_volume_of_hours_told_and_of_minutes_where_none_is(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    a = await series(clean_database, "binance", "A")
    await tell(clean_database, a, {n: {"buy_volume_base": 2.0, "sell_volume_base": 1.0} for n in range(70)})
    told = [{"series_id": a, "ts": at(1), "buy_volume_base": 50.0, "sell_volume_base": 25.0}]
    await put(clean_database, "perp_1h", [hour_batch(told)])
    day = {"start": iso(at(0)), "end": iso(at(24))}
    hours = await rows(client, "/taker-volume/BTC", interval="1h", **day)
    assert [(r["buy_volume_base"], r["sell_volume_base"], r["complete"]) for r in hours] == [
        (120, 60, True), (50, 25, True),
    ]  # fmt: skip
    (whole,) = await rows(client, "/taker-volume/BTC", interval="1d", **day)
    assert (whole["buy_volume_base"], whole["buy_sell_ratio"], whole["complete"]) == (170, 2, False)
    (last,) = await rows(client, "/taker-volume/BTC", interval="1h", at=iso(at(1.99)))
    assert (last["time"], last["buy_volume_base"]) == (iso(at(0)), 120)


class TestLiquidations:
    @pytest.fixture
    async def told(self, clean_database: Database) -> None:
        a, b = await series(clean_database, "bybit", "A"), await series(clean_database, "okx", "B")
        one = at(0) + 123 * MS
        events = [(one, "long", 100.0, 2.0), (one, "long", 100.0, 3.0), (one, "short", 101.0, 1.0),
                  (at(0) + MINUTE, "long", 110.0, 5.0), (one, "long", 100.0, 2.0)]  # fmt: skip
        await liquidate(clean_database, a, events)
        await liquidate(clean_database, b, [(at(0) + 2 * MINUTE, "long", 90.0, 1.0)])

    @pytest.mark.usefixtures("told")
    async def test_each_with_its_millisecond(self, client: httpx.AsyncClient) -> None:
        found = await rows(client, "/liquidations/BTC", time_format="ms", **HOUR)
        start = int(at(0).timestamp() * 1000)
        assert [(r["time"] - start, r["side"], r["price"], r["quantity"], r["usd"], r["count"]) for r in found] == [
            (123, "long", 100, 2, 200, 1), (123, "long", 100, 3, 300, 1), (123, "short", 101, 1, 101, 1),
            (60_000, "long", 110, 5, 550, 1), (120_000, "long", 90, 1, 90, 1),
        ]  # fmt: skip
        assert [row["side"] for row in await rows(client, "/liquidations/BTC", side="short", **HOUR)] == ["short"]
        until = iso(at(0) + 123 * MS)
        assert await rows(client, "/liquidations/BTC", start=iso(at(0)), end=until) == []
        assert len(await rows(client, "/liquidations/BTC", start=until, end=iso(at(0) + 124 * MS))) == 3

    @pytest.mark.usefixtures("told")
    async def test_sums_by_side(self, client: httpx.AsyncClient) -> None:
        found = await rows(client, "/liquidations/BTC", interval="5m", exchanges="bybit", **HOUR)
        assert [(r["time"], r["side"], r["price"], r["quantity"], r["usd"], r["count"]) for r in found] == [
            (iso(at(0)), "long", 105, 10, 1050, 3), (iso(at(0)), "short", 101, 1, 101, 1),
        ]  # fmt: skip

    @pytest.mark.usefixtures("told")
    async def test_pages_end_within_a_millisecond(self, client: httpx.AsyncClient) -> None:
        for order in ("asc", "desc"):
            asked = f"order={order}&start={HOUR['start']}&end={HOUR['end']}"
            found, page = [], {"next_url": f"/liquidations/BTC?limit=1&{asked}"}
            while page["next_url"]:
                answer = (await client.get(page["next_url"])).json()
                found, page = found + answer["data"], answer["page"]
            assert found == await rows(client, "/liquidations/BTC", order=order, **HOUR)
            assert len(found) == 5

    @pytest.mark.usefixtures("told")
    async def test_of_an_instant(self, client: httpx.AsyncClient) -> None:
        for later, expected in ((122 * MS, []), (123 * MS, [100, 101]), (MINUTE, [110, 101]), (24.1 * 60 * MINUTE, [])):
            found = await rows(client, "/liquidations/BTC", exchanges="bybit", at=iso(at(0) + later))
            assert sorted(row["price"] for row in found) == sorted(expected)
        (row, *_) = await rows(client, "/liquidations/BTC", interval="1m", at=iso(at(0) + 1.5 * MINUTE))
        assert (row["time"], row["quantity"]) == (iso(at(0)), 5)

    @pytest.mark.usefixtures("told")
    async def test_where_not_all_are_told_the_answer_says_so(self, client: httpx.AsyncClient) -> None:
        assert "okx" in (await notices(client, "/liquidations/BTC", **HOUR))[0]
        assert await notices(client, "/liquidations/BTC", exchanges="bybit", **HOUR) == []
        told = (await client.get("/entities/BTC")).json()["data"][0]["data"]
        assert [row["exchange"] for row in told if row["dataset"] == "liquidations"] == ["bybit", "okx"]


async def test_a_minute_without_a_liquidation_has_a_quantity_of_zero_and_no_side(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    a = await series(clean_database, "bybit", "A")
    zero = {"long_liquidation_base": 0.0, "short_liquidation_base": 0.0}
    await tell(clean_database, a, {0: zero, 1: zero, 2: {"oi_base": 1.0}})
    await liquidate(clean_database, a, [(at(0) + MINUTE, "short", 100.0, 2.0)])
    found = await rows(client, "/perp-data/BTC", perpspecs="byb-lq", **HOUR)
    assert [(r["time"], r["lqside"], r["lqprice"], r["lqqty"]) for r in found] == [
        (iso(at(0)), None, None, 0), (iso(at(0) + MINUTE), "short", 100, 2),
    ]  # fmt: skip
    assert len(await rows(client, "/liquidations/BTC", **HOUR)) == 1


async def test_of_two_tellers_of_a_minute_the_preferred_one(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    a = await series(clean_database, "bybit", "A")
    await clean_database.reads.execute(
        """insert into series (instrument_id, source_id, preference)
        select instrument_id, (select id from source where id <> source_id limit 1), 100 from series where id = $1""", a
    )  # fmt: skip
    other = await clean_database.reads.fetchval("select max(id) from series")
    if other == a:
        pytest.fail("no second source to tell it")
    await liquidate(clean_database, a, [(at(0), "long", 100.0, 2.0)])
    await liquidate(clean_database, other, [(at(0) + MS, "long", 100.0, 2.0), (at(0) + MINUTE, "long", 99.0, 1.0)])
    assert [row["price"] for row in await rows(client, "/liquidations/BTC", **HOUR)] == [100, 99]
    (bucket,) = await rows(client, "/liquidations/BTC", interval="1h", **HOUR)
    assert (bucket["quantity"], bucket["count"], len(bucket["source"].split(","))) == (3, 2, 2)


@pytest.mark.parametrize("path", ["wicks", "long-short", "taker-volume", "liquidations"])
async def test_an_empty_answer_says_why(client: httpx.AsyncClient, clean_database: Database, path: str) -> None:
    assert "no perpetual" in (await notices(client, f"/{path}/BTC", **HOUR))[-1]
    a = await series(clean_database, "bybit", "A")
    assert "not fetched yet" in (await notices(client, f"/{path}/BTC", **HOUR))[-1]
    values = {"long_short_ratio": 1.0, "buy_volume_base": 1.0, **candle(1, 1, 1, 1)}
    await tell(clean_database, a, {600: values})
    await liquidate(clean_database, a, [(at(10), "long", 100.0, 2.0)])
    assert "before our history" in (await notices(client, f"/{path}/BTC", **HOUR))[-1]
    assert (await client.get(f"/{path}/nothing")).status_code == 404
    assert (await client.get(f"/{path}/BTC?interval=7m")).json()["errors"][0]["parameter"] == "interval"


async def test_two_kinds_told_of_one_minute_are_one_row_with_both(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    a = await series(clean_database, "bybit", "A")
    await put(clean_database, "perp_1m", [batch("perp_1m", [{"series_id": a, "ts": at(0), **candle(10, 11, 9, 10)}])])
    await tell(clean_database, a, {0: {"long_short_ratio": 2.0}})
    assert len(await rows(client, "/wicks/BTC", **HOUR)) == 2
    assert len(await rows(client, "/long-short/BTC", **HOUR)) == 1


async def test_why_nobody_tells_a_ratio(client: httpx.AsyncClient, clean_database: Database) -> None:
    """Few minutes tell one, so they are not all searched; only what was asked for is named."""
    a = await series(clean_database, "binance", "A")
    await tell(clean_database, a, {n: candle(10, 11, 9, 10) for n in (0, 30)})
    for path, why in (("/long-short/BTC", "not told in this window"), ("/taker-volume/BTC", "not told in this window")):
        asked = {"start": iso(at(0) + MINUTE), "end": iso(at(0) + 20 * MINUTE)}
        answer = (await client.get(path, params=asked)).json()
        assert answer["data"] == []
        assert why in answer["meta"]["notices"][-1]
    for more, named in (({}, False), ({"known_at": iso(at(2))}, True)):
        answer = (await client.get("/candles/BTC", params={**asked, "interval": "1m", **more})).json()
        assert answer["data"] == []
        assert ("known_at" in answer["meta"]["notices"][-1]) is named
