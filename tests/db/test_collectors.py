"""Which contracts are collected, and what collectors tell of themselves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.db import Database
from app.ingest.sources import load
from app.ingest.telling import Telling
from app.records import Instrument, OpenInterest, OptionSnapshot, PerpMinute
from app.services import batch, collectors, reference, store
from app.services.collectors import Report

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HELD = {
    "binance": {"BTCUSDT": ("BTC", 500.0), "ETHUSDT": ("ETH", 200.0), "SOLUSDT": ("SOL", 110.0)},
    "okx": {
        "BTC-USDT-SWAP": ("BTC", 300.0),
        "BTC-USD-SWAP": ("BTC", 400.0),
        "DOGE-USDT-SWAP": ("DOGE", 120.0),
        "NOSUCHCOIN-USDT-SWAP": ("NOSUCHCOIN", 9000.0),
    },
}


async def listed(db: Database) -> None:
    for exchange, contracts in HELD.items():
        rows = [Instrument(s, base, s.split("-")[1] if "-" in s else "USDT") for s, (base, _) in contracts.items()]
        await reference.put_instruments(db, exchange, rows)
        series = await reference.series_of(db, exchange, exchange)
        interest = [OpenInterest(symbol, NOW, None, usd) for symbol, (_, usd) in contracts.items()]
        await store.put(db, "open_interest", [batch.columns(interest, series)[0]["open_interest"]])


async def chosen(db: Database, exchange: str, assets: int) -> list[str]:
    return await collectors.contracts(db, exchange, assets, NOW - timedelta(hours=2))


async def test_assets_with_the_most_open_interest_of_all_exchanges_are_chosen_main_contracts_first(
    clean_database: Database,
) -> None:
    db = clean_database
    await listed(db)
    assert await chosen(db, "okx", 1) == ["BTC-USDT-SWAP", "BTC-USD-SWAP"]
    assert await chosen(db, "okx", 3) == ["BTC-USDT-SWAP", "DOGE-USDT-SWAP", "BTC-USD-SWAP"]
    assert await chosen(db, "binance", 3) == ["BTCUSDT", "ETHUSDT"]
    assert await chosen(db, "okx", 0) == [
        *("BTC-USDT-SWAP", "DOGE-USDT-SWAP", "BTC-USD-SWAP"),
        "NOSUCHCOIN-USDT-SWAP",  # nobody knows of which asset it is
    ]
    await reference.put_instruments(db, "okx", [Instrument("BTC-USDT-SWAP", "BTC", "USDT", active=False)])
    assert await chosen(db, "okx", 1) == ["BTC-USD-SWAP"]


async def test_who_is_collected_already_stays_until_others_have_clearly_more(clean_database: Database) -> None:
    db = clean_database
    await listed(db)
    series = await reference.series_of(db, "binance", "binance")
    minute = PerpMinute("SOLUSDT", NOW - timedelta(hours=1), {"oi_base": 1.0})
    await store.put(db, "perp_1m", [batch.minutes([minute], series)])
    assert await chosen(db, "binance", 3) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert "DOGE-USDT-SWAP" not in await chosen(db, "okx", 3)
    assert await collectors.contracts(db, "binance", 3, NOW) == ["BTCUSDT", "ETHUSDT"], "that was long ago"


def report(id: str, messages: int, error: str | None = None) -> Report:
    return Report(id, "okx", "/ws", "connected", 3, NOW, NOW, messages, 1.0, 0.5, 0, 1, error)


async def test_collectors_tell_of_themselves_and_those_before_them_are_forgotten(clean_database: Database) -> None:
    db = clean_database
    assert await collectors.heard(db, "okx") == {}
    await collectors.tell(db, "okx", [report("okx:a:0", 1), report("okx:a:1", 1)])
    first = await db.reads.fetchval("select started_at from collector where id = 'okx:a:0'")
    await collectors.tell(db, "okx", [report("okx:a:0", 9, "bad\0 " + "x" * 900)])
    [row] = await db.reads.fetch("select * from collector")
    assert (row["id"], row["messages"], row["started_at"]) == ("okx:a:0", 9, first)
    assert len(row["error"]) == collectors.MAX_WORDS


async def test_when_a_collector_was_last_heard_stays_known_until_others_begin(clean_database: Database) -> None:
    db, later = clean_database, NOW + timedelta(minutes=7)
    silent = replace(report("okx:b:0", 0), last_message_at=None)
    await collectors.tell(db, "okx", [report("okx:a:0", 1), silent])
    started = await db.reads.fetchval("select started_at from collector where id = 'okx:b:0'")
    for _ in range(2):
        assert await collectors.heard(db, "okx") == {"okx:a:0": NOW, "okx:b:0": started}
    await collectors.begin(db, "okx", later)
    assert await collectors.heard(db, "okx") == {"okx:a:0": later, "okx:b:0": later}
    await collectors.tell(db, "okx", [silent])
    assert await collectors.heard(db, "okx") == {"okx:b:0": later}


async def test_what_goes_wrong_again_and_again_is_written_down_once_an_hour(clean_database: Database) -> None:
    telling = Telling(clean_database, "okx")
    for minutes in (0, 1, 59, 61):
        telling.wrong("topic_refused", "candle1m of BTC")
        telling.wrong("topic_refused", f"candle1m of {minutes}")
        await telling.tell([], NOW + timedelta(minutes=minutes))
    rows = await clean_database.reads.fetch("select * from error_log where message like '%BTC' order by id")
    assert [(row["place"], row["source"], row["code"]) for row in rows] == [("collector", "okx", "topic_refused")] * 2
    assert await clean_database.reads.fetchval("select count(*) from error_log") == 6


async def options(db: Database) -> dict[str, tuple[float | None, float | None]]:
    rows = await collectors.options(db, "deribit", "BTC", NOW - timedelta(minutes=15), NOW)
    return {row["symbol"]: (row["volume_24h"], row["open_interest"]) for row in rows}


async def test_options_that_live_and_how_much_they_are_traded_by_their_newest_chain(clean_database: Database) -> None:
    def option(symbol: str, days: int, base: str = "BTC", active: bool = True) -> Instrument:
        terms = {"strike": 1.0, "option_type": "call", "expires_at": NOW + timedelta(days=days)}
        return Instrument(symbol, base, base, "option", "coin", active=active, **terms)

    db = clean_database
    gone = [option("EXPIRED", 0), option("ETH", 1, "ETH"), option("INACTIVE", 1, active=False)]
    listed = [option("BUSY", 1), option("IDLE", 2), option("OLD", 3), *gone, Instrument("BTC-PERPETUAL", "BTC", "USD")]
    await reference.put_instruments(db, "deribit", listed)
    series = await reference.series_of(db, "deribit", "deribit", ("option",))
    told = [
        OptionSnapshot("BUSY", NOW - timedelta(minutes=9), volume_24h=1.0, open_interest=2.0),
        OptionSnapshot("BUSY", NOW - timedelta(minutes=1), volume_24h=3.0, open_interest=4.0),
        OptionSnapshot("BUSY", NOW, mark_price=0.1),
        OptionSnapshot("OLD", NOW - timedelta(minutes=16), volume_24h=9.0),
    ]
    await store.put(db, "option_1m", [batch.columns(told, series)[0]["option_1m"]])
    assert await options(db) == {"BUSY": (3.0, 4.0), "IDLE": (None, None), "OLD": (None, None)}


async def test_collectors_of_one_currency_leave_those_of_another_alone(clean_database: Database) -> None:
    db = clean_database
    btc, eth = (replace(report(f"deribit:{coin}:0", 1), source="deribit") for coin in ("BTC", "ETH"))
    await collectors.tell(db, "deribit:BTC", [btc])
    await collectors.tell(db, "deribit:ETH", [eth])
    await collectors.tell(db, "deribit:BTC", [replace(btc, id="deribit:BTC:1")])
    assert await _ids(db) == {"deribit:BTC:1", "deribit:ETH:0"}
    later = NOW + timedelta(hours=1)
    await collectors.begin(db, "deribit:ETH", later)
    assert await collectors.heard(db, "deribit:ETH") == {"deribit:ETH:0": later}
    assert await collectors.heard(db, "deribit:BTC") == {"deribit:BTC:1": NOW}


async def _ids(db: Database) -> set[str]:
    return {row["id"] for row in await db.reads.fetch("select id from collector")}


async def test_collectors_of_minutes_leave_those_of_ticks_of_the_same_source_alone(clean_database: Database) -> None:
    db, later = clean_database, NOW + timedelta(hours=1)
    ticks, socket, poll = (
        replace(report(f"deribit:{which}", 1), source="deribit") for which in ("BTC:0", "btc:0", "poll:open_interest")
    )
    await collectors.tell(db, "deribit:BTC", [ticks])
    await collectors.tell(db, "deribit", [socket, poll])
    await collectors.tell(db, "deribit:BTC", [ticks])
    assert await _ids(db) == {ticks.id, socket.id, poll.id}
    await collectors.begin(db, "deribit", later)
    assert await collectors.heard(db, "deribit") == {socket.id: later, poll.id: later}
    assert await collectors.heard(db, "deribit:BTC") == {ticks.id: NOW}
    await collectors.tell(db, "deribit", [])
    assert await _ids(db) == {ticks.id}


def test_sockets_are_named_in_lower_case() -> None:
    named = {socket.id for source in load().values() for socket in source.sockets}
    assert {name.lower() for name in named} == named
