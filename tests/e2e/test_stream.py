"""The live stream over real sockets: what is stored is told at once, in order, to those who may hear it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from app.records import FundingInterval
from app.services import keys, outbox, reference
from app.services.live import Hub, hub
from app.services.store import put
from tests.api.test_health import label, samples
from tests.db import facts
from tests.streaming import (
    Live,
    following,
    listed,
    listening,
    many,
    minutes_ago,
    place,
    predict,
    settle,
    until,
)

HEARD_BY = {
    "?topics=funding": ["settled BTC", "settled ETH", "predicted BTC"],
    "?topics=settled&topics=predicted:ETH": ["settled BTC", "settled ETH"],
    "?topics=funding:ethereum": ["settled ETH"],
    "?topics=predicted:BTC,settled:ETH,": ["settled ETH", "predicted BTC"],
    "?topics=open-interest:BTC": ["oi BTC"],
    "?topics=Open-Interest,predicted": ["predicted BTC", "oi BTC"],
}


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
        "interval_known": "declared", "for_time": None, "source": "binance", "generated": False,
    }  # fmt: skip
    assert (first.event, second.event, second.data["rate"]) == ("funding", "funding", 1e-4)
    assert place(first) < place(second) < place(spread)
    assert spread.event == "spreads"
    assert spread.data == {
        "asset": "BTC", "time": at.isoformat().replace("+00:00", "Z"),
        "short_exchange": "bybit", "long_exchange": "binance", "short_instrument": "BTCUSDT",
        "long_instrument": "BTCUSDT", "short_rate": 1e-4, "long_rate": 4e-5, "spread": 1e-4 - 4e-5,
        "spread_apr": (1e-4 - 4e-5) * 1095, "generated": False,
    }  # fmt: skip


async def test_what_is_posted_is_told_within_a_second(live: Live) -> None:
    key = await keys.create(live.db, "test", ["write"])
    listener = await listening(live.url, "?topics=settled")
    row = {"time": minutes_ago(30).isoformat(), "exchange": "kraken", "asset": "BTC", "rate": 1e-5, "interval_hours": 1}
    async with live.client() as client:
        client.headers["Authorization"] = f"Bearer {key}"
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


async def test_samples_have_the_interval_that_answers_have(live: Live) -> None:
    """Of the settlement in force, else declared, else of the last settlement; null where nobody knows; as told."""
    symbols = ("settled", "spaced", "declared", "expired", "unknown", "told", "later", "other")
    found = await listed(live.db, "okx", dict.fromkeys(symbols, "BTC"))
    await settle(live.db, {found["settled"]: 1e-4, found["later"]: 1e-4}, hours=4)
    for ago in (480, 240, 0):
        await settle(live.db, {found["spaced"]: 1e-4}, ago=ago + 30, hours=None)
    await settle(live.db, {found["expired"]: 1e-4}, ago=24 * 60, hours=2)
    await reference.put_instruments(live.db, "okx", [FundingInterval(name, 4) for name in ("declared", "settled")])
    await settle(live.db, {found["later"]: 1e-4}, ago=-1, hours=1)
    other = (await reference.series_of(live.db, "velo", "okx"))["other"].id
    await settle(live.db, {other: 1e-4}, hours=2)
    listener = await listening(live.url, "?topics=predicted:BTC")
    due = minutes_ago(-60)
    await predict(live.db, {to: 2e-4 for name, to in found.items() if name != "told"}, for_time=due)
    await predict(live.db, {found["told"]: 2e-4}, interval_hours=1.0)
    heard = {told.data["instrument"]: told.data for told in await listener.events(len(symbols))}
    known = {name: (told["interval_hours"], told["interval_known"]) for name, told in heard.items()}
    assert known == {
        "settled": (4, "inferred"), "spaced": (4, "inferred"), "declared": (4, "declared"), "expired": (2, "assumed"),
        "unknown": (None, None), "told": (1, "declared"), "later": (4, "inferred"), "other": (2, "inferred"),
    }  # fmt: skip
    assert datetime.fromisoformat(heard["settled"]["for_time"]) == due
    assert (heard["told"]["kind"], heard["told"]["rate"], heard["told"]["rate_native"]) == ("predicted", 1.6e-3, 2e-4)
    async with live.client() as client:
        rows = (
            await client.get("/funding/BTC", params={"kind": "predicted", "start": f"{minutes_ago(60):%FT%TZ}"})
        ).json()
    assert len(rows["data"]) == len(symbols)
    for row in rows["data"]:
        told = heard[row["instrument"]]
        assert {name: told[name] for name in SHARED_WITH_ANSWERS} == {name: row[name] for name in SHARED_WITH_ANSWERS}


SHARED_WITH_ANSWERS = (
    "time", "exchange", "rate", "rate_native", "interval_hours", "interval_known", "source", "for_time", "kind",
)  # fmt: skip


async def test_topics(live: Live) -> None:
    listeners = {topics: await listening(live.url, topics) for topics in HEARD_BY}
    await settle(live.db, {live.series["bybit", "BTC"]: 1e-4, live.series["bybit", "ETH"]: 1e-4})
    await predict(live.db, {live.series["bybit", "BTC"]: 1e-4})
    await hold(live, live.series["bybit", "BTC"])
    for topics, expected in HEARD_BY.items():
        told = [(await listeners[topics].event()).data for _ in expected]
        assert [f"{row.get('kind', 'oi')} {row['asset']}" for row in told] == expected
    assert all(await asyncio.gather(*(listener.silent(0.1) for listener in listeners.values())))


async def hold(live: Live, series: int) -> None:
    held = {"series_id": series, "ts": datetime.now(UTC), "oi_usd": 1e9}
    await put(live.db, "open_interest", [facts.batch("open_interest", [held])])


async def test_what_is_heard_on_request_only_is_not_told(live: Live) -> None:
    await reference.put_source(live.db, "hearsay", on_request=True)
    other = (await reference.series_of(live.db, "hearsay", "bybit"))["BTCUSDT"].id
    listener = await listening(live.url, "?topics=funding,open-interest")
    await predict(live.db, {other: 9e-4})
    await hold(live, other)
    await predict(live.db, {other: 9e-4, live.series["bybit", "BTC"]: 1e-4})
    assert (await listener.event()).data["source"] == "bybit"
    assert await listener.silent(0.1)


async def test_contracts_of_nobody_knows_what_are_looked_up_once(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    nameless = await listed(live.db, "okx", {"one": "NOBODYKNOWS1", "other": "NOBODYKNOWS2"})
    assert not await live.db.reads.fetchval(
        "select count(entity_id) from instrument where symbol = any($1)", [*nameless]
    )
    looked: list[Hub] = []
    reload = Hub._reload

    async def counted(self: Hub, connection: Any) -> None:
        looked.append(self)
        await reload(self, connection)

    monkeypatch.setattr(Hub, "_reload", counted)
    listener = await listening(live.url, "?topics=funding")
    for _ in range(3):
        for series in nameless.values():
            number = live.hub.key[0]
            await predict(live.db, {series: 1e-4})
            await until(lambda: live.hub.key[0] > number)  # noqa: B023 - waited for here
    await predict(live.db, {live.series["bybit", "BTC"]: 1e-4})
    await listener.event()
    assert len(looked) == 3


async def test_what_cannot_be_asked(served: tuple[str, FastAPI]) -> None:
    transport = httpx.ASGITransport(served[1])
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for query, status, code, parameter in (
            ("", 400, "bad_value", "topics"),
            ("?topics=,", 400, "bad_value", "topics"),
            ("?topics=fundign:BTC", 400, "unknown_topic", "topics"),
            ("?topics=funding:", 400, "unknown_topic", "topics"),
            ("?topics=funding:BTK", 404, "unknown_asset", "asset"),
            ("?topics=funding&format=json", 400, "unknown_parameter", "format"),
            ("?topics=funding&last_event_id=latest", 400, "bad_value", "last_event_id"),
        ):
            answer = await client.get(f"/stream{query}")
            body = answer.json()
            assert (answer.status_code, body["code"], body["errors"][0]["parameter"]) == (status, code, parameter)
            assert code != "unknown_topic" or ("open-interest" in body["detail"] and body["candidates"] == ["funding"])
        answer = await client.get("/stream?topics=funding", headers={"Last-Event-ID": "x"})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Last-Event-ID")


async def test_only_so_many_readers_and_who_leaves_makes_room(live: Live) -> None:
    async with following(live.app, live.db, stream_readers=2) as followed:
        asked = await asyncio.gather(*(listening(live.url, "?topics=funding") for _ in range(3)))
        one, _, refused = sorted(asked, key=lambda listener: listener.status)
        assert (one.status, refused.status, refused.headers["retry-after"]) == (200, 503, "5")
        one.close()
        await until(lambda: followed.readers < 2)
        assert (await listening(live.url, "?topics=funding")).status == 200


async def test_reading_may_need_a_key_and_ends_with_it(live: Live) -> None:
    key, other = [await keys.create(live.db, name, ["read"]) for name in ("one", "other")]
    async with following(live.app, live.db, read_requires_key=True, stream_heartbeat_s=0.1) as followed:
        assert (await listening(live.url, "?topics=funding")).status == 401
        listeners = [await listening(live.url, "?topics=funding", Authorization=f"Bearer {k}") for k in (key, other)]
        assert [listener.status for listener in listeners] == [200, 200]
        await keys.revoke(live.db, "one")
        ended = await listeners[0].event()
        assert (ended.event, "key" in ended.data["reason"]) == ("dropped", True)
        await until(lambda: followed.readers == 1)
        assert await listeners[1].silent()


async def test_head_is_answered_and_open_streams_are_counted(live: Live) -> None:
    url = f"{live.url}/stream?topics=funding"
    async with live.client() as client:
        before = await samples(client)
        answer = await client.head(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        await listening(live.url, "?topics=funding")
        await asyncio.sleep(0.3)
        after = await samples(client)
    route = {"method": "GET", "path": "/stream"}
    counted, took = (f"perpstore_request{rest}" for rest in ("s_total", "_seconds_sum"))
    key, sums = (counted, label(**route, status="200")), (took, label(**route))
    assert after[key] - before.get(key, 0) == 2
    assert after[sums] - before.get(sums, 0) < 0.3
    assert after["perpstore_stream_readers", label()] == 1


async def test_heartbeats_while_nothing_happens(live: Live) -> None:
    async with following(live.app, live.db, stream_heartbeat_s=0.1):
        listener = await listening(live.url, "?topics=settled")
        began = time.monotonic()
        await listener.next()
        told = [(await listener.raw()).strip().splitlines() for _ in range(3)]
        assert [lines[0] for lines in told] == [b": heartbeat"] * 3
        assert 0.25 < time.monotonic() - began < 1


async def test_a_follower_that_dies_is_told(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its readers do not wait for ever for what nobody reads any more."""
    listener = await listening(live.url, "?topics=funding")

    async def broken(*_: object) -> list[outbox.Event]:
        raise ZeroDivisionError

    monkeypatch.setattr(outbox, "between", broken)
    await predict(live.db, {live.series["bybit", "BTC"]: 1e-4})
    ended = await listener.event()
    assert (ended.event, ended.data["reason"]) == ("dropped", hub.FAILED)
    with pytest.raises(asyncio.IncompleteReadError):
        await listener.next()
    assert (await listening(live.url, "?topics=funding")).status == 503
    async with live.client() as client:
        assert (await client.get("/stream?topics=funding")).json()["code"] == "stream_ended"
        ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["code"]) == (503, "stream_ended")


async def test_a_reader_that_takes_nothing_is_closed(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.stream.STALLED_SECONDS", 0.2)
    batch = await many(live.db, 100)
    await listening(live.url, "?topics=predicted", buffer=4096)
    for _ in range(12):
        await predict(live.db, dict.fromkeys(batch, 1e-4))
    await until(lambda: not live.hub.readers)


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
    assert (len(final), len({len(ids) for ids in seen}) > 5) == (30, True)
    assert all(ids == final[: len(ids)] for ids in seen)


async def write(live: Live, fact: str) -> None:
    value = {"oi_usd": 1.0} if fact == "open_interest" else {"rate": 1e-4}
    for n in range(10):
        row: dict[str, Any] = {"series_id": live.series["bybit", "BTC"], "ts": minutes_ago(30 - n), **value}
        await put(live.db, fact, [facts.batch(fact, [row])])
