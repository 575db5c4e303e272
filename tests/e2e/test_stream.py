"""The live stream over real sockets: what is stored is told at once, in order, and nothing is lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.db import Database
from app.services import keys, outbox, reference
from app.services.live import Hub, hub
from app.services.store import put
from tests.db import facts
from tests.streaming import Told, listening, minutes_ago, predict, serving, settle, until

COINS = ("BTC", "ETH", "SOL")
EXCHANGES = ("binance", "bybit")


@dataclass
class Live:
    """A server, and the series of the perpetuals there are by exchange and coin."""

    db: Database
    url: str
    hub: Hub
    series: dict[tuple[str, str], int]


@pytest.fixture
async def series(clean_database: Database) -> dict[tuple[str, str], int]:
    pairs = [(exchange, coin) for exchange in EXCHANGES for coin in COINS]
    return {(e, c): await facts.series(clean_database, e, f"{c}USDT", c) for e, c in pairs}


@pytest.fixture
async def live(clean_database: Database, series: dict[tuple[str, str], int]) -> AsyncIterator[Live]:
    async with serving(clean_database) as (url, followed):
        yield Live(clean_database, url, followed, series)


def place(told: Told) -> tuple[int, int]:
    number, within, _ = told.id.split(".")
    return int(number), int(within)


async def test_a_settlement_is_told_within_a_second(live: Live) -> None:
    listener = await listening(live.url, "?topics=funding:btc,SPREADS")
    assert (listener.status, listener.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (listener.headers["cache-control"], listener.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert "content-encoding" not in listener.headers
    await settle(live.db, {live.series["bybit", "BTC"]: 1e-4, live.series["binance", "BTC"]: 4e-5})
    began = time.monotonic()
    first, second, spread = await listener.events(3)
    assert time.monotonic() - began < 1
    told = first.data
    at, known_at = (datetime.fromisoformat(told.pop(name)) for name in ("at", "known_at"))
    assert at - timedelta(seconds=1) < known_at <= at <= datetime.now(UTC)
    assert told == {
        "asset": "BTC", "exchange": "binance", "instrument": "BTCUSDT", "kind": "settled",
        "time": f"{minutes_ago(60):%Y-%m-%dT%H:%M:00Z}", "rate": 4e-5, "rate_native": 4e-5, "interval_hours": 8,
        "interval_known": "declared", "for_time": None, "source": "binance",
    }  # fmt: skip
    assert (first.event, second.event, second.data["rate"]) == ("funding", "funding", 1e-4)
    assert place(first) < place(second) < place(spread)
    assert spread.event == "spreads"
    assert spread.data == {
        "asset": "BTC", "time": at.isoformat().replace("+00:00", "Z"),
        "short_exchange": "bybit", "long_exchange": "binance", "short_instrument": "BTCUSDT",
        "long_instrument": "BTCUSDT", "short_rate": 1e-4, "long_rate": 4e-5, "spread": 1e-4 - 4e-5,
        "spread_apr": (1e-4 - 4e-5) * 1095,
    }  # fmt: skip


async def test_what_is_posted_is_told_within_a_second(live: Live) -> None:
    key = await keys.create(live.db, "test", ["write"])
    listener = await listening(live.url, "?topics=settled")
    row = {"time": minutes_ago(30).isoformat(), "exchange": "kraken", "asset": "BTC", "rate": 1e-5, "interval_hours": 1}
    async with httpx.AsyncClient(base_url=live.url, headers={"Authorization": f"Bearer {key}"}) as client:
        assert (await client.post("/funding", json=[row], params={"dry_run": "true"})).json()["inserted"] == 1
        assert await listener.silent(0.2)
        assert (await client.post("/funding", json=[row])).json()["inserted"] == 1
        began = time.monotonic()
        told = (await listener.event()).data
        assert time.monotonic() - began < 1
        assert (told["exchange"], told["source"], told["rate"]) == ("kraken", "import", 8e-5)
        assert (await client.post("/funding", json=[row])).json()["unchanged"] == 1
        assert await listener.silent()


async def test_what_is_old_repeated_or_of_the_past_is_not_told_and_a_correction_is(live: Live) -> None:
    listener = await listening(live.url, "?topics=funding")
    one, other = live.series["bybit", "BTC"], live.series["bybit", "ETH"]
    await settle(live.db, {one: 1e-4}, ago=60 * 25)
    await settle(live.db, {one: 2e-4, other: 5e-4}, ago=60)
    assert [told.data["rate"] for told in await listener.events(2)] == [2e-4, 5e-4]
    await settle(live.db, {one: 3e-4}, ago=120)
    await settle(live.db, {one: 2e-4, other: 6e-4}, ago=60)
    assert [(told.data["asset"], told.data["rate"]) for told in await listener.events(1)] == [("ETH", 6e-4)]
    assert await listener.silent()


async def test_samples_say_the_interval_they_are_for(live: Live) -> None:
    one = live.series["bybit", "BTC"]
    await settle(live.db, {one: 1e-4}, hours=4)
    listener = await listening(live.url, "?topics=predicted:BTC")
    due = minutes_ago(-60)
    await predict(live.db, {one: 2e-4}, for_time=due)
    told = (await listener.event()).data
    assert (told["kind"], told["rate"], told["rate_native"]) == ("predicted", 4e-4, 2e-4)
    assert (told["interval_hours"], told["interval_known"]) == (4, "inferred")
    assert datetime.fromisoformat(told["for_time"]) == due
    await predict(live.db, {one: 2e-4}, interval_hours=8.0)
    told = (await listener.event()).data
    assert (told["rate"], told["interval_known"], told["for_time"]) == (2e-4, "declared", None)


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ("?topics=funding", ["settled BTC", "settled ETH", "predicted BTC"]),
        ("?topics=settled&topics=predicted:ETH", ["settled BTC", "settled ETH"]),
        ("?topics=funding:ethereum", ["settled ETH"]),
        ("?topics=predicted:BTC,settled:ETH,", ["settled ETH", "predicted BTC"]),
        ("?topics=open-interest:BTC", ["oi BTC"]),
        ("?topics=Open-Interest,predicted", ["predicted BTC", "oi BTC"]),
    ],
)
async def test_topics(live: Live, topics: str, expected: list[str]) -> None:
    listener = await listening(live.url, topics)
    await settle(live.db, {live.series["bybit", "BTC"]: 1e-4, live.series["bybit", "ETH"]: 1e-4})
    await predict(live.db, {live.series["bybit", "BTC"]: 1e-4})
    held = {"series_id": live.series["bybit", "BTC"], "ts": datetime.now(UTC), "oi_usd": 1e9}
    await put(live.db, "open_interest", [facts.batch("open_interest", [held])])
    told = [(await listener.event()).data for _ in expected]
    assert [f"{row.get('kind', 'oi')} {row['asset']}" for row in told] == expected
    assert await listener.silent(0.1)


@pytest.mark.parametrize(
    ("query", "status", "code", "parameter"),
    [
        ("", 400, "bad_value", "topics"),
        ("?topics=,", 400, "bad_value", "topics"),
        ("?topics=fundign:BTC", 400, "unknown_topic", "topics"),
        ("?topics=funding:", 400, "unknown_topic", "topics"),
        ("?topics=funding:BTK", 404, "unknown_asset", "asset"),
        ("?topics=funding&format=json", 400, "unknown_parameter", "format"),
        ("?topics=funding&last_event_id=latest", 400, "bad_value", "last_event_id"),
    ],
)
async def test_bad_questions(client: httpx.AsyncClient, query: str, status: int, code: str, parameter: str) -> None:
    answer = await client.get(f"/stream{query}")
    body = answer.json()
    assert (answer.status_code, body["code"], body["errors"][0]["parameter"]) == (status, code, parameter)
    assert code != "unknown_topic" or ("open-interest" in body["detail"] and body["candidates"] == ["funding"])


async def test_bad_last_event_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/stream?topics=funding", headers={"Last-Event-ID": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Last-Event-ID")


async def test_only_so_many_readers_and_who_leaves_makes_room(clean_database: Database) -> None:
    async with serving(clean_database, stream_readers=2) as (url, followed):
        one, _ = [await listening(url, "?topics=funding") for _ in range(2)]
        refused = await listening(url, "?topics=funding")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        one.close()
        await until(lambda: followed.readers < 2)
        assert (await listening(url, "?topics=funding")).status == 200


async def test_reading_may_need_a_key(clean_database: Database) -> None:
    key = await keys.create(clean_database, "test", ["read"])
    async with serving(clean_database, read_requires_key=True) as (url, _):
        assert (await listening(url, "?topics=funding")).status == 401
        assert (await listening(url, "?topics=funding", Authorization=f"Bearer {key}")).status == 200


async def test_head_is_answered(live: Live) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.head(f"{live.url}/stream?topics=funding")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_heartbeats_while_nothing_happens(clean_database: Database) -> None:
    async with serving(clean_database, stream_heartbeat_s=0.1) as (url, _):
        listener = await listening(url, "?topics=funding")
        began = time.monotonic()
        assert [(await listener.raw()).strip() for _ in range(3)] == [b": heartbeat"] * 3
        assert 0.25 < time.monotonic() - began < 1


async def many(db: Database, count: int) -> list[int]:
    """Series of so many perpetuals."""
    listed = [reference.Instrument(f"C{n}USDT", "BTC", "USDT") for n in range(count)]
    await reference.put_instruments(db, "okx", listed)
    return sorted(to.id for to in (await reference.series_of(db, "okx", "okx")).values())


async def test_a_resume_in_the_middle_of_a_batch_misses_and_repeats_nothing(live: Live) -> None:
    batch = await many(live.db, 60)
    listener = await listening(live.url, "?topics=predicted,spreads")
    await predict(live.db, {n: n * 1e-6 for n in batch})
    heard = await listener.events(23)
    listener.close()
    await predict(live.db, {batch[0]: 1.0})
    listener = await listening(live.url, "?topics=predicted,spreads", Last_Event_ID=heard[-1].id)
    heard += await listener.events(38)
    await predict(live.db, {batch[1]: 2.0})
    heard += await listener.events(1)
    assert [told.data["rate_native"] for told in heard] == [*(n * 1e-6 for n in batch), 1.0, 2.0]
    assert [place(told) for told in heard] == [*((1, n) for n in range(1, 61)), (2, 1), (3, 1)]


async def test_a_resume_tells_spreads_once(live: Live) -> None:
    btc, others = live.series["bybit", "BTC"], live.series["binance", "BTC"]
    listener = await listening(live.url, "?topics=spreads")
    await settle(live.db, {btc: 1e-4, others: 2e-4}, ago=60)
    first = await listener.event()
    await settle(live.db, {btc: 5e-4}, ago=30)
    assert (await listener.event()).data["short_exchange"] == "bybit"
    resumed = await listening(live.url, "?topics=spreads", Last_Event_ID=first.id)
    assert (await resumed.event()).data["short_exchange"] == "bybit"
    assert await resumed.silent(0.1)
    fresh = await listening(live.url, "?topics=spreads:BTC")
    standing = await fresh.event()
    assert (standing.id, standing.data["spread"]) == ("", 5e-4 - 2e-4)


async def test_a_resume_over_a_restart(clean_database: Database, series: dict[tuple[str, str], int]) -> None:
    """Another hub, as after a restart or behind a balancer: facts from the outbox, spreads as they stand."""
    db, btc = clean_database, [series[exchange, "BTC"] for exchange in EXCHANGES]
    async with serving(db) as (url, _):
        listener = await listening(url, "?topics=funding:BTC,spreads")
        await settle(db, dict.fromkeys(btc, 1e-4))
        first, second = await listener.events(2)
    with pytest.raises(asyncio.IncompleteReadError):
        await listener.events(2)
    await predict(db, {btc[0]: 7e-4, series["bybit", "ETH"]: 1.0})
    async with serving(db) as (url, _):
        again = await listening(url, f"?topics=funding:BTC,spreads&last_event_id={first.id}")
        heard = await again.events(3)
        await predict(db, {btc[0]: 8e-4})
        heard += await again.events(1)
    assert (heard[0].event, heard[0].id, heard[0].data["spread"]) == ("spreads", "", 0)
    assert [told.data["rate_native"] for told in heard[1:]] == [1e-4, 7e-4, 8e-4]
    assert place(heard[1]) == place(second)


async def test_a_reset_where_what_followed_is_gone(live: Live) -> None:
    one = live.series["bybit", "BTC"]
    listener = await listening(live.url, "?topics=funding")
    for rate in (1e-4, 2e-4, 3e-4):
        await predict(live.db, {one: rate})
    first, second, _ = await listener.events(3)
    await live.db.reads.execute("update live_event set at = at - interval '2 hours' where id < 3")
    await live.db.reads.execute(outbox.PRUNE)
    assert [row["id"] for row in await live.db.reads.fetch("select id from live_event order by id")] == [2, 3]
    async with serving(live.db) as (url, _):
        again = await listening(url, "?topics=funding", Last_Event_ID=second.id)
        assert (await again.event()).data["rate_native"] == 3e-4
        late = await listening(url, "?topics=funding", Last_Event_ID=first.id)
        reset = await late.event()
        assert reset.event == "reset"
        assert "not kept" in reset.data["reason"]
        assert datetime.now(UTC) - datetime.fromisoformat(reset.data["from"]) < timedelta(seconds=5)
        await predict(live.db, {one: 4e-4})
        assert (await late.event()).data["rate_native"] == 4e-4
        resumed = await listening(url, "?topics=funding", Last_Event_ID=reset.id)
        assert (await resumed.event()).data["rate_native"] == 4e-4


async def test_an_id_of_another_database_is_a_reset(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.05)
    listener = await listening(live.url, "?topics=funding", Last_Event_ID="900.1")
    assert (await listener.event()).event == "reset"


async def test_a_slow_reader_is_dropped_with_the_reason_and_others_go_on(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "CAPACITY", 300)
    batch = await many(clean_database, 100)
    async with serving(clean_database, send_buffer=8192) as (url, followed):
        slow = await listening(url, "?topics=predicted", buffer=4096)
        fast = await listening(url, "?topics=predicted")
        for _ in range(12):
            await predict(clean_database, dict.fromkeys(batch, 1e-4))
            assert len({place(told) for told in await fast.events(100)}) == 100
        heard: list[Told] = []
        while not heard or heard[-1].event == "funding":
            heard.append(await slow.event())
        assert (heard[-1].event, len(heard) < 1200) == ("dropped", True)
        assert "300 events behind" in heard[-1].data["reason"]
        with pytest.raises(asyncio.IncompleteReadError):
            await slow.event()
        assert followed.readers == 1
        resumed = await listening(url, "?topics=predicted", Last_Event_ID=str(slow.last_id))
        rest = await resumed.events(1200 - len(heard) + 1)
        assert [place(told) for told in [*heard[:-1], *rest]] == [(e, n) for e in range(1, 13) for n in range(1, 101)]


async def test_a_reader_that_takes_nothing_is_closed(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.stream.PATIENCE_SECONDS", 0.2)
    batch = await many(clean_database, 100)
    async with serving(clean_database, send_buffer=8192) as (url, followed):
        await listening(url, "?topics=predicted", buffer=4096)
        for _ in range(12):
            await predict(clean_database, dict.fromkeys(batch, 1e-4))
        await until(lambda: not followed.readers)


async def test_a_listener_that_loses_its_connection_loses_nothing(live: Live) -> None:
    one = live.series["bybit", "BTC"]
    listener = await listening(live.url, "?topics=funding")
    await predict(live.db, {one: 0.0})
    for n in range(1, 30):
        if n % 10 == 5:
            await kill_followers(live.db)
        await predict(live.db, {one: n * 1e-6})
    assert [(await listener.event()).data["rate_native"] for _ in range(30)] == [n * 1e-6 for n in range(30)]


async def kill_followers(db: Database) -> None:
    killed: list[Any] = []
    async with asyncio.timeout(10):
        while not killed:
            await asyncio.sleep(0.02)
            killed = await db.reads.fetch(KILL)


async def test_a_follower_that_hears_its_end_between_two_statements_goes_on(
    clean_database: Database, series: dict[tuple[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server tells that it ends a connection before it closes it: the driver then has an error of its own."""
    connections: list[Any] = []
    connect = asyncpg.connect

    async def kept(*arguments: Any, **options: Any) -> Any:
        connections.append(await connect(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(asyncpg, "connect", kept)
    followed = Hub()
    async with hub.running(followed, clean_database):
        await followed.ready()
        await until(lambda: connections[-1]._protocol.queries_count > 3)
        connections[-1]._protocol.data_received(b"E" + (len(ENDED) + 4).to_bytes(4, "big") + ENDED)
        await predict(clean_database, {series["bybit", "BTC"]: 1e-4})
        await until(lambda: followed.key[0] == 1)
    assert len(connections) > 1


ENDED = b"SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


KILL = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
  and state = 'idle' and query not like '%pg_terminate%' and query ilike any(array['%live_event%', '%listen%', '%from instrument i%'])"""


async def test_ids_grow_in_the_order_of_the_commits(live: Live) -> None:
    """Whoever has read up to an id has missed nothing: no smaller one appears later."""
    seen: list[list[int]] = []
    writing = asyncio.gather(*(write(live, fact) for fact in ("predicted_funding", "open_interest", "funding")))
    connection = await asyncpg.connect(live.db.dsn)
    while not writing.done():
        seen.append(await connection.fetchval("select coalesce(array_agg(id order by id), '{}') from live_event"))
    await writing
    final = [row["id"] for row in await connection.fetch("select id from live_event order by id")]
    await connection.close()
    assert (len(final), len({len(ids) for ids in seen}) > 10) == (60, True)
    assert all(ids == final[: len(ids)] for ids in seen)


async def write(live: Live, fact: str) -> None:
    value = {"oi_usd": 1.0} if fact == "open_interest" else {"rate": 1e-4}
    for n in range(20):
        row: dict[str, Any] = {"series_id": live.series["bybit", "BTC"], "ts": minutes_ago(30 - n), **value}
        await put(live.db, fact, [facts.batch(fact, [row])])
