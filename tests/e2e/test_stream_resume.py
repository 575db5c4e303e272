"""Going on where one was: after a connection, a hub, the database or its events were gone; and who is too slow."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.db import Database
from app.services import outbox
from app.services.live import frames, hub
from perpstore_client.events import feed
from tests.streaming import EXCHANGES, Live, Told, following, listening, many, place, predict, settle, until

FATAL = b"SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
KILL = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
  and state = 'idle' and query not like '%pg_terminate%'
  and query ilike any(array['%live_event%', '%listen%', '%from instrument i%'])"""


async def kill_followers(db: Database) -> None:
    killed: list[Any] = []
    async with asyncio.timeout(10):
        while not killed:
            await asyncio.sleep(0.02)
            killed = await db.reads.fetch(KILL)


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
    fresh = await listening(live.url, "?topics=spreads:BTC")
    of_another = await listening(live.url, "?topics=spreads:BTC", Last_Event_ID="0.1.ffffffff")
    for listener in (fresh, of_another):
        standing = await listener.event()
        assert (standing.id, standing.data["spread"]) == ("", 5e-4 - 2e-4)
    assert all(await asyncio.gather(*(listener.silent(0.1) for listener in (resumed, fresh, of_another))))
    await settle(live.db, {btc: 6e-4}, ago=0)
    assert [(await listener.event()).data["short_rate"] for listener in (resumed, fresh, of_another)] == [6e-4] * 3


async def test_who_heard_nothing_yet_resumes_all_the_same(live: Live) -> None:
    """Where a stream begins and each heartbeat say from where on: also to the parser of the client."""
    one, other = live.series["bybit", "BTC"], live.series["bybit", "ETH"]
    async with following(live.app, live.db, stream_heartbeat_s=0.1):
        listener, client = await listening(live.url, "?topics=predicted:BTC,spreads"), feed("predicted:BTC", None, 1)
        field, began = (await listener.raw()).decode().split()
        assert field == "id:"
        for _ in range(2):
            await predict(live.db, {other: 1e-4})
        async with asyncio.timeout(5):
            while not str(client.last_id).startswith("2."):
                assert list(client.read(await listener.raw())) == []
        listener.close()
        await predict(live.db, {one: 2e-4})
        await live.db.reads.execute("delete from live_event where id = 1")
        again = await listening(live.url, "?topics=predicted:BTC", Last_Event_ID=str(client.last_id))
        assert (await again.event()).data["rate_native"] == 2e-4
        early = await listening(live.url, "?topics=predicted:BTC", Last_Event_ID=began)
        assert (await early.event()).data["rate_native"] == 2e-4
    async with following(live.app, live.db):
        last = await listening(live.url, "?topics=predicted:BTC", Last_Event_ID=str(client.last_id))
        assert (await last.event()).data["rate_native"] == 2e-4


async def test_a_resume_over_a_restart(live: Live) -> None:
    """Another hub, as after a restart or behind a balancer: facts from the outbox, spreads as they stand."""
    btc = [live.series[exchange, "BTC"] for exchange in EXCHANGES]
    async with following(live.app, live.db):
        listener = await listening(live.url, "?topics=funding:BTC,spreads")
        await settle(live.db, dict.fromkeys(btc, 1e-4))
        first, second = await listener.events(2)
        await listener.event("spreads")
        live.app.state.hub.end()
        with pytest.raises(asyncio.IncompleteReadError):
            await listener.event()
    await predict(live.db, {btc[0]: 7e-4, live.series["bybit", "ETH"]: 1.0})
    again = await listening(live.url, f"?topics=funding:BTC,spreads&last_event_id={first.id}")
    heard = await again.events(3)
    await predict(live.db, {btc[0]: 8e-4})
    heard += await again.events(1)
    assert (heard[0].event, heard[0].id, heard[0].data["spread"]) == ("spreads", "", 0)
    assert [told.data["rate_native"] for told in heard[1:]] == [1e-4, 7e-4, 8e-4]
    assert place(heard[1]) == place(second)


async def test_only_what_is_wanted_is_made_of_what_was_missed(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.live.reader.ROWS_AT_ONCE", 7)
    batch = await many(live.db, 30)
    await predict(live.db, {**dict.fromkeys(batch, 1e-4), live.series["bybit", "ETH"]: 5e-4})
    await settle(live.db, {live.series["bybit", "ETH"]: 1e-4})
    made: list[frames.Key] = []
    frame = frames.Frame

    def counted(key: frames.Key, *rest: Any) -> frames.Frame:
        made.append(key)
        return frame(key, *rest)

    monkeypatch.setattr(frames, "Frame", counted)
    listener = await listening(live.url, "?topics=predicted:ETH", Last_Event_ID="1.0")
    assert (await listener.event()).data["rate_native"] == 5e-4
    assert len(made) == 1


async def test_a_reset_where_what_followed_is_gone(live: Live) -> None:
    one = live.series["bybit", "BTC"]
    listener = await listening(live.url, "?topics=funding")
    for rate in (1e-4, 2e-4, 3e-4):
        await predict(live.db, {one: rate})
    first, second, _ = await listener.events(3)
    await live.db.reads.execute("update live_event set at = at - interval '2 hours' where id < 3")
    await live.db.reads.execute(outbox.PRUNE)
    assert [row["id"] for row in await live.db.reads.fetch("select id from live_event order by id")] == [2, 3]
    async with following(live.app, live.db):
        again = await listening(live.url, "?topics=funding", Last_Event_ID=second.id)
        assert (await again.event()).data["rate_native"] == 3e-4
        late = await listening(live.url, "?topics=funding", Last_Event_ID=first.id)
        reset = await late.event()
        assert reset.event == "reset"
        assert "not kept" in reset.data["reason"]
        assert datetime.now(UTC) - datetime.fromisoformat(reset.data["from"]) < timedelta(seconds=5)
        await predict(live.db, {one: 4e-4})
        assert (await late.event()).data["rate_native"] == 4e-4
        resumed = await listening(live.url, "?topics=funding", Last_Event_ID=reset.id)
        assert (await resumed.event()).data["rate_native"] == 4e-4


async def test_an_id_of_another_database_is_a_reset(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.05)
    listener = await listening(live.url, "?topics=funding", Last_Event_ID="900.1")
    assert (await listener.event()).event == "reset"


async def test_a_database_that_was_restored_is_a_reset(live: Live) -> None:
    """Ids have gone back: waiting for greater ones, nothing would be told for long."""
    one = live.series["bybit", "BTC"]
    listener = await listening(live.url, "?topics=funding")
    for rate in (1e-4, 2e-4, 3e-4):
        await predict(live.db, {one: rate})
    await listener.events(3)
    await live.db.reads.execute("truncate live_event restart identity")
    await predict(live.db, {one: 4e-4})
    await kill_followers(live.db)
    reset = await listener.event()
    assert (reset.event, place(reset)[0]) == ("reset", 1)
    await predict(live.db, {one: 5e-4})
    assert (await listener.event()).data["rate_native"] == 5e-4
    resumed = await listening(live.url, "?topics=funding", Last_Event_ID=reset.id)
    assert (await resumed.event()).data["rate_native"] == 5e-4


async def test_a_slow_reader_is_dropped_with_the_reason_and_others_go_on(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "CAPACITY", 300)
    monkeypatch.setattr(hub, "ROWS_AT_ONCE", 30)
    batch = await many(live.db, 100)
    async with following(live.app, live.db) as followed:
        slow = await listening(live.url, "?topics=predicted", buffer=4096)
        fast = await listening(live.url, "?topics=predicted")
        for _ in range(12):
            await predict(live.db, dict.fromkeys(batch, 1e-4))
            assert len({place(told) for told in await fast.events(100)}) == 100
        heard: list[Told] = []
        while not heard or heard[-1].event == "funding":
            heard.append(await slow.event())
        assert (heard[-1].event, len(heard) < 1200) == ("dropped", True)
        assert "300 events behind" in heard[-1].data["reason"]
        with pytest.raises(asyncio.IncompleteReadError):
            await slow.event()
        assert followed.readers == 1
        resumed = await listening(live.url, "?topics=predicted", Last_Event_ID=str(slow.last_id))
        rest = await resumed.events(1200 - len(heard) + 1)
        assert [place(told) for told in [*heard[:-1], *rest]] == [(e, n) for e in range(1, 13) for n in range(1, 101)]


async def test_a_listener_that_loses_its_connection_loses_nothing(live: Live) -> None:
    one = live.series["bybit", "BTC"]
    listener = await listening(live.url, "?topics=funding")
    await predict(live.db, {one: 0.0})
    for n in range(1, 30):
        if n % 10 == 5:
            await kill_followers(live.db)
        await predict(live.db, {one: n * 1e-6})
    assert [(await listener.event()).data["rate_native"] for _ in range(30)] == [n * 1e-6 for n in range(30)]


async def test_a_follower_that_hears_its_end_between_two_statements_goes_on(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server tells that it ends a connection before it closes it: the driver then has an error of its own."""
    connections: list[Any] = []
    connect = asyncpg.connect

    async def kept(*arguments: Any, **options: Any) -> Any:
        connections.append(await connect(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(asyncpg, "connect", kept)
    await live.hub.ready()
    await until(lambda: connections[0]._protocol.queries_count > 3)
    connections[0]._protocol.data_received(b"E" + (len(FATAL) + 4).to_bytes(4, "big") + FATAL)
    await predict(live.db, {live.series["bybit", "BTC"]: 1e-4})
    await until(lambda: live.hub.key[0] == 1)
    assert len(connections) > 1


async def test_a_large_event_lets_others_have_their_turn(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ROWS_AT_ONCE", 10)
    row = {"series_id": live.series["bybit", "BTC"], "oi_base": None, "oi_usd": 1.0}
    event = outbox.Event(1, "2026-03-01T00:00:00Z", "open_interest", [{**row, "ts": "2026-03-01T00:00:00+00:00"}] * 95)
    listener = await listening(live.url, "?topics=open-interest")
    publishing, turns = asyncio.create_task(live.hub._publish(replace(event))), 0
    while not publishing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 10
    live.hub._wake()
    assert [place(told) for told in await listener.events(95)] == [(1, n) for n in range(1, 96)]
