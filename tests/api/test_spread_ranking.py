"""The ranking of spreads: after fees, against plain Python, now and at an instant."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.db import Database
from app.records import Instrument
from app.services import reference
from app.services.fees import fee_table
from app.services.store import put
from app.settings import Settings
from tests import plain_spreads
from tests.api.test_funding import iso
from tests.api.test_spreads import Rows, a_market, ask, paid, rows_of, stored
from tests.db.facts import at, batch, hold, series, settle

HOUR = timedelta(hours=1)
FEES = {"binance": 0.0005, "bybit": 0.00055, "hyperliquid": 0.00045, "kraken": 0.0005}


@pytest.mark.parametrize(("hour", "horizon", "lookback"), [(40.5, 168, 168), (50, 8, 24)])
async def test_ranking_equals_plain_python(
    client: httpx.AsyncClient, clean_database: Database, hour: float, horizon: int, lookback: int
) -> None:
    market, moment = await stored(clean_database, a_market(7)), at(hour)
    asked = {"at": iso(moment), "pairs": "all", "horizon_hours": horizon, "lookback_hours": lookback}
    rows = await rows_of(client, "/spreads", **asked)
    expected = plain_spreads.pairs(market, moment)
    expected.sort(key=lambda pair: -plain_spreads.net(pair, FEES, horizon))
    for pair in expected:
        pair.update(time=None)
    assert [(r["short_exchange"], r["short_instrument"], r["long_instrument"]) for r in rows] == [
        (r["short_exchange"], r["short_instrument"], r["long_instrument"]) for r in expected
    ]
    for row, pair in zip(rows, expected, strict=True):
        higher, both = plain_spreads.persistence(market, pair, moment, lookback)
        after = plain_spreads.net(pair, FEES, horizon)
        assert row["spread"] == pytest.approx(pair["spread"], rel=1e-9, abs=1e-18)
        assert row["net_apr"] == pytest.approx(after * 8760 / horizon, rel=1e-9)
        assert row["break_even_hours"] == (
            pytest.approx(row["fees"] / (pair["spread"] / 8), rel=1e-9) if pair["spread"] else None  # type: ignore[operator]
        )
        assert row["break_even_spread"] == pytest.approx(row["fees"] / horizon * 8, rel=1e-9)
        assert (row["persistence"], row["persistence_hours"]) == (pytest.approx(higher / both), both)
        realised, hours = plain_spreads.realised(market, pair, moment, lookback)
        assert row["realised_spread"] == pytest.approx(realised, rel=1e-9, abs=1e-18)
        assert row["realised_hours"] == pytest.approx(hours)
    (top,) = await rows_of(client, "/spreads", **{**asked, "pairs": "best"})
    assert top == {**rows[0], "rank": 1}


async def test_the_best_pair_is_the_one_that_pays_most_after_fees(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    """Equal gaps to lighter, which is free: extended costs less than mexc, whose fees nobody published."""
    await stored(clean_database, {
        ("mexc", "BTC"): paid("mexc", {8: 3.2e-4}, 8), ("extended", "BTC-USD"): paid("extended", {8: 4e-5}, 1),
        ("lighter", "BTC"): paid("lighter", {8: 0.0}, 1),
    })  # fmt: skip
    asked = {"at": iso(at(8)), "horizon_hours": 24}
    found = await ask(client, "/spreads", **asked)
    (row,) = found["data"]  # type: ignore[misc]
    assert (row["short_exchange"], row["spread"], row["fees"]) == ("extended", pytest.approx(3.2e-4), 0.0005)
    assert row["net_apr"] == pytest.approx((24 * 4e-5 - 0.0005) * 365)
    assert row["break_even_hours"] == pytest.approx(12.5)
    assert any("extended 0.00025" in told and "others 0.0006 (assumed)" in told for told in found["meta"]["notices"])  # type: ignore[index]
    (free,) = await rows_of(client, "/spreads", fees="none", **asked)
    assert (free["short_exchange"], free["fees"], free["break_even_hours"]) == ("extended", 0, 0)
    (cheap,) = await rows_of(client, "/spreads", fee_rates="extended:0.01", **asked)
    assert (cheap["short_exchange"], cheap["fees"], cheap["fees_assumed"]) == ("mexc", pytest.approx(0.0012), True)
    (maker,) = await rows_of(client, "/spreads", fees="maker", exchanges="extended,mexc", **asked)
    assert (maker["short_exchange"], maker["fees"]) == ("extended", pytest.approx(0.0004))


async def test_what_a_position_has_room_for_and_what_is_flagged(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    long = await series(clean_database, "bybit", "B")
    short = await series(clean_database, "binance", "A")
    await settle(clean_database, short, {0: 3e-4, 8: 3e-4}, hours=8)
    await settle(clean_database, long, {4: 1e-4})
    await hold(clean_database, short, {7: 5e6})
    await hold(clean_database, long, {5: 1e6, 7: 2e6})
    (row,) = await rows_of(client, "/spreads", at=iso(at(9)))
    assert (row["short_oi_usd"], row["long_oi_usd"], row["capacity_usd"]) == (5e6, 2e6, 2e4)
    assert (row["short_age_s"], row["long_age_s"], row["age_s"]) == (3600, 18000, 18000)
    assert (row["settlement_mismatch"], row["interval_assumed"]) == (True, True)
    assert len(await rows_of(client, "/spreads", at=iso(at(9)), min_oi_usd=2e6)) == 1
    assert await rows_of(client, "/spreads", at=iso(at(9)), min_oi_usd=2.1e6) == []
    (row,) = await rows_of(client, "/spreads", at=iso(at(9.5)))
    assert (row["long_oi_usd"], row["capacity_usd"]) == (None, None)
    assert await rows_of(client, "/spreads", at=iso(at(9.5)), min_oi_usd=1) == []
    await settle(clean_database, long, {0: 1e-4, 8: 1e-4}, hours=8)
    (row,) = await rows_of(client, "/spreads", at=iso(at(9)))
    assert (row["settlement_mismatch"], row["interval_assumed"]) == (False, False)
    assert await rows_of(client, "/spreads", at=iso(at(9)), min_spread=0.0002) == [row]
    assert await rows_of(client, "/spreads", at=iso(at(9)), min_spread=0.000201) == []


async def test_realised_is_over_the_hours_for_which_both_legs_are_known(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    """Listed five hours ago at five times the rate, paying four of them above the other; missing is never zero."""
    always = dict.fromkeys(range(168), 1e-4)
    await stored(clean_database, {
        ("bybit", "B"): paid("bybit", always, 1),
        ("binance", "A"): paid("binance", dict.fromkeys(range(163, 168), 5e-4), 1),
        ("okx", "C"): paid("okx", {h: 0.0 for h in range(168) if not 50 <= h < 100}, 1),
        ("kraken", "D"): paid("kraken", {160: 4e-3}, 8),
    })  # fmt: skip
    rows = await rows_of(client, "/spreads", at=iso(at(167)), pairs="all")
    found = {(row["short_exchange"], row["long_exchange"]): row for row in rows}
    listed, gap, long = found["binance", "bybit"], found["bybit", "okx"], found["kraken", "bybit"]
    assert (listed["realised_spread"], listed["realised_hours"]) == (pytest.approx(5 * 4e-4), 5)
    assert (gap["realised_spread"], gap["realised_hours"]) == (pytest.approx(118e-4), 118)
    assert (long["realised_spread"], long["realised_hours"]) == (pytest.approx(4e-3 - 15e-4), 15)
    assert (found["binance", "okx"]["realised_hours"], found["binance", "okx"]["realised_spread"]) == (5, 25e-4)
    brief = await rows_of(client, "/spreads", at=iso(at(167)), lookback_hours=2, exchanges="kraken,bybit")
    assert [(row["realised_spread"], row["realised_hours"]) for row in brief] == [(None, 2)]


async def test_a_settlement_stamped_ahead_leaves_the_contract_in(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    """Stamps are rounded to the minute, so that the newest may be of half a minute from now."""
    await now_market(clean_database)
    before = await rows_of(client, "/spreads", assets="BTC", pairs="all")
    to, ahead = await series(clean_database, "okx", "BTCUSDT"), datetime.now(UTC) + timedelta(seconds=29)
    row = {"series_id": to, "ts": ahead, "rate": 0.1, "interval_hours": 1.0}
    await put(clean_database, "funding", [batch("funding", [row])])
    await put(clean_database, "open_interest", [batch("open_interest", [{"series_id": to, "ts": ahead, "oi_usd": 1}])])
    after = await rows_of(client, "/spreads", assets="BTC", pairs="all")
    for name in ("short_exchange", "long_exchange", "spread", "capacity_usd"):
        assert [row[name] for row in after] == [row[name] for row in before]


async def test_open_interest_on_hearsay_is_none(client: httpx.AsyncClient, clean_database: Database) -> None:
    """What only CoinGecko tells is heard on request; here nobody can ask for it."""
    for exchange in ("binance", "bybit"):
        await settle(clean_database, await series(clean_database, exchange, "BTCUSDT"), {8: 1e-4}, hours=8)
        heard = (await reference.series_of(clean_database, "coingecko", exchange))["BTCUSDT"].id
        await hold(clean_database, heard, {8: 9e9})
    (row,) = await rows_of(client, "/spreads", at=iso(at(8)))
    assert (row["short_oi_usd"], row["capacity_usd"]) == (None, None)
    assert await rows_of(client, "/spreads", at=iso(at(8)), min_oi_usd=1) == []


async def now_market(db: Database) -> datetime:
    """Six assets with settlements of the last hours on three exchanges; gives the last full hour."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    paid: Rows = []
    held: Rows = []
    for m, exchange in enumerate(("binance", "bybit", "okx")):
        listed = [Instrument(f"{base}USDT", base, "USDT") for base in ("BTC", "ETH", "SOL", "DOGE", "XRP", "ADA")]
        await reference.put_instruments(db, exchange, listed)
        found = await reference.series_of(db, exchange, exchange)
        for n, to in enumerate(found[instrument.symbol].id for instrument in listed):
            rates = {now - h * HOUR: (n + 1) * (m - 1.5 + h % 3) * 1e-5 for h in range(5)}
            paid += [{"series_id": to, "ts": ts, "rate": r, "interval_hours": 1.0} for ts, r in rates.items()]
            held.append({"series_id": to, "ts": now, "oi_usd": 1e6 * (n + 1)})
    await put(db, "funding", [batch("funding", paid)])
    await put(db, "open_interest", [batch("open_interest", held)])
    return now


async def test_now_is_what_is_known_at_this_instant(client: httpx.AsyncClient, clean_database: Database) -> None:
    await now_market(clean_database)
    ages = ("short_age_s", "long_age_s", "age_s", "realised_hours")

    def plain(rows: Rows) -> Rows:
        return [{name: value for name, value in row.items() if name not in ages} for row in rows]

    now = await rows_of(client, "/spreads", pairs="all")
    assert plain(now) == plain(await rows_of(client, "/spreads", pairs="all", at=iso(datetime.now(UTC))))
    assert len(now) == 18
    net = [row["net_apr"] for row in now]
    assert net == sorted(net, reverse=True)  # type: ignore[type-var]
    assert all(row["capacity_usd"] for row in now)
    by_oi = [row["short_oi_usd"] for row in await rows_of(client, "/spreads", sort="short_oi_usd")]
    assert by_oi == [6e6, 5e6, 4e6, 3e6, 2e6, 1e6]


async def test_pages_of_now_are_of_one_instant(client: httpx.AsyncClient, clean_database: Database) -> None:
    now = await now_market(clean_database)
    whole = await rows_of(client, "/spreads", pairs="all")
    page = await ask(client, "/spreads", pairs="all", limit=5)
    found: Rows = list(page["data"])  # type: ignore[call-overload]
    while cursor := page["page"]["next_cursor"]:  # type: ignore[index]
        late = await series(clean_database, "gate", f"BTC{len(found)}")
        row = {"series_id": late, "ts": now, "rate": 0.1 * len(found) / 100, "interval_hours": 8.0}
        await put(clean_database, "funding", [batch("funding", [row])])
        page = await ask(client, "/spreads", pairs="all", limit=5, cursor=cursor)
        found += page["data"]  # type: ignore[arg-type,operator]
    assert [(r["rank"], r["asset"], r["short_exchange"], r["net_apr"]) for r in found] == [
        (r["rank"], r["asset"], r["short_exchange"], r["net_apr"]) for r in whole
    ]


async def test_a_contract_that_trades_no_more_is_left_out_of_now(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    await now_market(clean_database)
    await series(clean_database, "okx", "BTCUSDT", active=False)
    now = await rows_of(client, "/spreads", assets="BTC", pairs="all")
    assert {str(row[leg]) for row in now for leg in ("short_exchange", "long_exchange")} == {"binance", "bybit"}
    assert len(await rows_of(client, "/spreads", assets="BTC", pairs="all", at=iso(datetime.now(UTC)))) == 3


async def test_coins_are_priced_where_nobody_told_dollars(client: httpx.AsyncClient, clean_database: Database) -> None:
    for exchange in ("binance", "bybit"):
        to = await series(clean_database, exchange, "BTCUSDT")
        await settle(clean_database, to, {8: 1e-4}, hours=8)
        held = {"series_id": to, "ts": at(8), "oi_base": 10.0}
        await put(clean_database, "open_interest", [batch("open_interest", [held])])
        price = {"open": 9e4, "high": 9e4, "low": 9e4, "close": 9e4}
        await put(clean_database, "perp_1h", [batch("perp_1h", [{"series_id": to, "ts": at(7), **price}])])
    (row,) = await rows_of(client, "/spreads", at=iso(at(8)))
    assert (row["short_oi_usd"], row["capacity_usd"]) == (9e5, 9e3)


def test_fees_of_the_settings_overlay_the_published_ones() -> None:
    words = Settings(fees="Binance:0.0004/0.0001").fees  # type: ignore[arg-type]
    table = fee_table("taker", words, {"bybit": 0.0})
    assert (table.rates["binance"], table.rates["bybit"], table.rates["okx"]) == (0.0004, 0, 0.0005)
    assert (table.other, table.assumed) == (0.0006, True)
    assert table.told(["bybit"]) == "taker fees a trade: bybit 0, others 0.0006 (assumed)"


def test_a_fee_of_all_others_is_that_of_every_exchange_not_named_beside_it() -> None:
    words = Settings(fees="Binance:0.0004/0.0001, *:0.001/0").fees  # type: ignore[arg-type]
    table = fee_table("taker", words, {"bybit": 0.0})
    assert (table.rates, table.other, table.assumed) == ({"binance": 0.0004, "bybit": 0.0}, 0.001, False)
    assert fee_table("maker", words, {}).other == 0
    asked = fee_table("taker", words, {"*": 0.002})
    assert (asked.rates, asked.other, asked.told()) == ({}, 0.002, "taker fees a trade: others 0.002")
    assert not fee_table("none", words, {}).assumed


async def test_order_is_of_what_is_ranked_by(client: httpx.AsyncClient, clean_database: Database) -> None:
    await stored(clean_database, a_market(7))
    asked = {"at": iso(at(40)), "pairs": "all", "min_oi_usd": 0, "fees": "taker"}
    best = [row["net_apr"] for row in await rows_of(client, "/spreads", **asked)]
    assert len(best) > 2
    assert best == sorted(best, reverse=True)
    for order, turned in (("desc", True), ("asc", False)):
        ranked = await rows_of(client, "/spreads", order=order, **asked)
        assert [row["net_apr"] for row in ranked] == sorted(best, reverse=turned)
        assert [row["rank"] for row in ranked] == [*range(1, len(best) + 1)]
    quickest = [row["break_even_hours"] for row in await rows_of(client, "/spreads", sort="break_even_hours", **asked)]
    known = [hours for hours in quickest if hours is not None]
    assert quickest == [*sorted(known), *[None] * (len(quickest) - len(known))]
    free = await rows_of(client, "/spreads", **{**asked, "fees": "none"})
    assert not any(row["fees_assumed"] for row in free)


def test_fees_that_cannot_be_read_are_refused() -> None:
    for wrong in ("binance", "binance:0.1", "binance:1/2", "binance:0.1/", ":0/0", "binance:a/b"):
        with pytest.raises(ValueError, match="exchange:taker/maker"):
            Settings(fees=wrong)  # type: ignore[arg-type]
