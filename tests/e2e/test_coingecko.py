"""CoinGecko over real sockets: from a round of pulls to what the API answers, asked for it by name or not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.ingest import jobs
from app.ingest.engine import Engine
from app.ingest.orders import plan_order
from app.ingest.work import Order
from app.services import reference, store
from app.services.backfills import NothingToAsk
from tests.api.test_funding import iso
from tests.db.facts import batch
from tests.db.importing import bring
from tests.e2e.rounds import Clock, source
from tests.replay import Replay, broken
from tests.replayed import coingecko as replayed
from tests.replayed import markets as world
from tests.replayed.coingecko import PERCENT, row

NATIVE = 0.00004308
BITCOINS = [world.MARKETS[0], *(m for m in world.of("hyperliquid") if m.symbol == "BTC")]
ON_ITS_OWN = {"gate", "murky-dex", "phemex"}


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    replayed.calm()
    yield
    replayed.calm()


async def pulled(engine: Engine) -> list[jobs.Pulled]:
    mine = source("coingecko")
    return await jobs.pull_all(engine, mine, jobs.datasets(mine), Order())


@pytest.fixture
async def exchanges(engine: Engine, clock: Clock) -> None:
    """An exchange that settles every 8 hours and one that does every hour: what they list, have paid and hold."""
    for name, hours in (("binance", 8), ("hyperliquid", 1)):
        await jobs.pull_all(engine, source(name), ["instruments"], Order())
        to = (await reference.series_of(engine.db, name, name))["BTCUSDT" if name == "binance" else "BTC"].id
        last = clock.now.replace(minute=0, second=0) - timedelta(hours=clock.now.hour % hours)
        paid = [{"series_id": to, "ts": last - n * timedelta(hours=hours), "rate": 1e-5} for n in range(4)]
        await store.put(engine.db, "funding", [batch("funding", paid)])
        held = [{"series_id": to, "ts": clock.now - timedelta(minutes=n), "oi_usd": 5e8} for n in (70, 10)]
        await store.put(engine.db, "open_interest", [batch("open_interest", held)])


async def told(client: httpx.AsyncClient, path: str, **asked: Any) -> dict[str, Any]:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def a_day(clock: Clock) -> dict[str, str]:
    return {"start": iso(clock.now - timedelta(days=1)), "end": iso(clock.now + timedelta(hours=1))}


async def rejects(db: Database) -> set[tuple[str, str]]:
    rows = await db.reads.fetch("select code, symbol from reject where source = 'coingecko'")
    return {(row["code"], row["symbol"]) for row in rows}


@pytest.mark.usefixtures("exchanges")
async def test_a_round_ends_in_what_will_be_paid(engine: Engine, client: httpx.AsyncClient, clock: Clock) -> None:
    """`0.004308` percent is 0.00004308 of an interval: of 8 hours as it is, of 1 hour eight times as much per 8 h."""
    assert PERCENT == 0.004308
    assert [(one.dataset, one.status, one.error) for one in await pulled(engine)] == [
        ("instruments", "succeeded", None), ("perp_snapshot", "succeeded", None)]  # fmt: skip
    asked = {**a_day(clock), "kind": "predicted", "source": "coingecko"}
    rows = {row["exchange"]: row for row in (await told(client, "/funding/BTC", **asked))["data"]}
    assert rows.keys() == {"binance", "hyperliquid"} | ON_ITS_OWN
    assert {row["rate_native"] for row in rows.values()} == {NATIVE}
    assert {row["source"] for row in rows.values()} == {"coingecko"}
    assert {row["for_time"] for row in rows.values()} == {None}
    of_8h, of_1h, of_none = (rows[name] for name in ("binance", "hyperliquid", "phemex"))
    assert (of_8h["interval_hours"], of_8h["rate"]) == (8, NATIVE)
    assert (of_1h["interval_hours"], of_1h["rate"]) == (1, 8 * NATIVE)
    assert (of_none["interval_hours"], of_none["rate"], of_none["instrument"]) == (None, None, "XBTUSD")
    assert {row["time"] for row in rows.values()} == {iso(clock.now)}
    (listed,) = (await told(client, "/instruments/phemex/XBTUSD"))["data"]
    assert listed["oi_sides"] is None
    once = await told(client, "/funding/BTC", at=iso(clock.now), kind="predicted", source="coingecko")
    assert {(row["exchange"], row["rate"]) for row in once["data"]} == {(n, row["rate"]) for n, row in rows.items()}


@pytest.mark.usefixtures("exchanges")
async def test_who_does_not_ask_for_it_gets_none_of_it(engine: Engine, client: httpx.AsyncClient, clock: Clock) -> None:
    asked = {
        "start": iso(clock.now - timedelta(days=1)),
        "end": iso(clock.now + timedelta(hours=2)),
        "aggregate": "sum",
    }
    before = await told(client, "/open-interest/BTC", **asked)
    samples = await told(client, "/open-interest/BTC", **a_day(clock))
    weighted = await told(client, "/funding/BTC", **a_day(clock), weighted="oi")
    await pulled(engine)
    after = await told(client, "/open-interest/BTC", **asked)
    assert after["data"] == before["data"]
    assert after["meta"]["contributors"] == before["meta"]["contributors"] == ["binance", "hyperliquid"]
    assert (await told(client, "/open-interest/BTC", **a_day(clock)))["data"] == samples["data"]
    assert (await told(client, "/funding/BTC", **a_day(clock), weighted="oi"))["data"] == weighted["data"]
    assert (await told(client, "/funding/BTC", **a_day(clock), kind="predicted"))["data"] == []
    (notice,) = [words for words in after["meta"]["notices"] if "coingecko" in words]
    assert notice == (
        "left out: 5 perpetuals as told by coingecko, the only source of gate, murky-dex, phemex; "
        "source=coingecko gives them"
    )
    by_name = await told(client, "/open-interest/BTC", **a_day(clock), source="coingecko")
    assert {row["exchange"] for row in by_name["data"]} == {"binance", "hyperliquid"} | ON_ITS_OWN
    assert {row["oi_base"] for row in by_name["data"]} == {None}
    total = await told(client, "/open-interest/BTC", **asked, source="coingecko")
    assert set(total["meta"]["contributors"]) == {"binance", "hyperliquid"} | ON_ITS_OWN
    assert total["data"][-1]["instruments"] == 5
    assert not any("coingecko" in words for words in total["meta"]["notices"])


@pytest.mark.usefixtures("exchanges")
async def test_it_stands_in_as_a_weight_where_nobody_else_is_fresh(
    engine: Engine, client: httpx.AsyncClient, clock: Clock
) -> None:
    await engine.db.reads.execute("delete from open_interest")
    asked = {"at": iso(clock.now), "weighted": "oi"}
    (before,) = (await told(client, "/funding/BTC", **asked))["data"]
    await pulled(engine)
    (after,) = (await told(client, "/funding/BTC", **asked))["data"]
    assert (before["rate"], before["present"], before["stale"]) == (None, [], ["binance", "hyperliquid"])
    assert (after["present"], after["stale"]) == (["binance", "hyperliquid"], [])
    assert after["oi_usd"] == pytest.approx(sum(world.usd(m, clock.now) for m in BITCOINS))


async def test_an_exchange_whose_own_source_is_not_pulled_is_told_of_here(engine: Engine) -> None:
    """`PERPSTORE_SOURCES` says who is pulled: of any other exchange CoinGecko tells, as of those we do not know."""
    named = """select distinct x.slug from series s join instrument i on i.id = s.instrument_id
      join exchange x on x.id = i.exchange_id"""
    await pulled(engine)
    assert {row["slug"] for row in await engine.db.reads.fetch(named)} == ON_ITS_OWN
    await engine.db.reads.execute("update source_exchange set listed_at = null")
    await pulled(replace(engine, pulled=("coingecko", "bybit")))
    assert {row["slug"] for row in await engine.db.reads.fetch(named)} == ON_ITS_OWN | {"binance", "hyperliquid", "okx"}


@pytest.mark.usefixtures("exchanges")
async def test_what_counts_and_what_is_refused_by_name(
    engine: Engine, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Exchanges that tell themselves what they list have no second instrument; coins go by CoinGecko's id."""
    now = clock.now
    replayed.mood.percent["phemex_futures", "ETHUSD"] = 58.196744826794
    replayed.mood.more = [
        row("binance_futures", "BTCUSD_PERP", "BTC", now),
        row("binance_futures", "BTCUSDT", "BTC", now, funding_rate=9.9),
        row("gate_futures", "", "BTC", now),
        row("gate_futures", "NEWEST_USDT", "NEWEST", now),
        row("murky_dex", "OLD-USD", "OLD", now, last_traded_at=round((now - timedelta(days=2)).timestamp())),
        row("murky_dex", "WHO-USD", "WHO", now, market="Nobody (Futures)"),
    ]
    count = "select count(*) from instrument i join exchange x on x.id = i.exchange_id where x.slug = 'binance'"
    before = await engine.db.reads.fetchval(count)
    await pulled(engine)
    assert await engine.db.reads.fetchval(count) == before
    assert await rejects(engine.db) >= {
        ("rate_out_of_range", "Phemex (Futures):ETHUSD"),
        ("unknown_instrument", "Binance (Futures):BTCUSD_PERP"),
        ("duplicate", "Binance (Futures):BTCUSDT"),
        ("no_symbol", "Gate (Futures):"),
        ("unknown_instrument", "Gate (Futures):NEWEST_USDT"),
        ("stale", "Murky DEX:OLD-USD"),
        ("unknown_instrument", "Nobody (Futures):WHO-USD"),
        ("unknown_instrument", "Bybit (Futures):BTCUSDT"),  # nobody has listed what Bybit has
        ("unknown_instrument", "Binance (Futures):OMGUSDT"),  # not any more
    }
    counts = await engine.db.reads.fetch(
        "select received, inserted, rejected from pull where dataset = 'perp_snapshot'"
    )
    assert [(r["received"], r["inserted"]) for r in counts] == [(r["inserted"] + r["rejected"], 24) for r in counts]
    once = await rejects(engine.db)
    clock.now += timedelta(minutes=30)
    caplog.clear()
    await pulled(engine)
    assert await rejects(engine.db) >= once  # one row each, however often
    assert await engine.db.reads.fetchval("select count(*) from reject") == len(await rejects(engine.db))
    assert not caplog.records
    rows = await engine.db.reads.fetch(
        """select x.slug, i.symbol, e.canonical_id, i.multiplier, s.preference from series s
        join source o on o.id = s.source_id and o.slug = 'coingecko' join instrument i on i.id = s.instrument_id
        join exchange x on x.id = i.exchange_id left join entity e on e.id = i.entity_id
        where x.slug not in ('binance', 'hyperliquid')"""
    )
    assert {(r["slug"], r["symbol"], r["canonical_id"], r["multiplier"]) for r in rows} == {
        ("phemex", "XBTUSD", "bitcoin", 1), ("phemex", "ETHUSD", "ethereum", 1),
        ("gate", "BTC_USDT", "bitcoin", 1), ("gate", "1000PEPE_USDT", "pepe", 1000),
        ("murky-dex", "BTC-USD", "bitcoin", 1), ("murky-dex", "NEVER-USD", None, 1), ("murky-dex", "SUI-USD", "sui", 1),
    }  # fmt: skip
    unmapped = "select id from source_asset where source = 'coingecko' and entity_id is null"
    assert [r["id"] for r in await engine.db.reads.fetch(unmapped)] == ["never-heard-of"]


async def test_what_trades_on_an_exchange_is_asked_once_a_day(engine: Engine, replay: Replay, clock: Clock) -> None:
    """And of exchanges that tell it themselves never; one that did not answer is asked again an hour later."""
    replay.misbehave(broken(), to="/exchanges/gate_futures", times=16)
    assert [one.status for one in await pulled(engine)] == ["partial", "succeeded"]
    asked = [path.rsplit("/", 1)[1] for path in replay.counted() if path.startswith(f"{replayed.PATH}/exchanges/")]
    assert set(asked) == {"list", "phemex_futures", "gate_futures", "murky_dex"}
    replay.asked.clear()
    for _ in range(2):
        clock.now += timedelta(hours=1)
        await pulled(engine)
    again = {"list": 2, "gate_futures": 1}
    assert replay.counted() == {f"{replayed.PATH}/exchanges/{one}": n for one, n in again.items()} | {replayed.PATH: 2}
    replay.asked.clear()
    clock.now += timedelta(days=1)
    await pulled(engine)
    assert sum(replay.counted().values()) == 1 + 3 + 1


async def test_an_asset_alone_does_not_mean_what_only_coingecko_tells_of(engine: Engine, clock: Clock) -> None:
    """An import that names its contract shares it; one that names the asset makes one of its own."""
    replayed.mood.more = [row("murky_dex", "BTC-USD", "BTC", clock.now)]
    await pulled(engine)
    fact = {"time": iso(clock.now - timedelta(hours=3)), "exchange": "murky-dex", "asset": "BTC", "rate": 0.0001}
    assert (await bring(engine.db, "funding", fact)).inserted == 1
    named = {**fact, "instrument": "BTC-USD", "time": iso(clock.now - timedelta(hours=2))}
    assert (await bring(engine.db, "funding", named)).inserted == 1
    rows = await engine.db.reads.fetch(
        """select i.symbol, array_agg(o.slug order by o.slug) as sources from series s
        join source o on o.id = s.source_id join instrument i on i.id = s.instrument_id
        join exchange x on x.id = i.exchange_id join entity e on e.id = i.entity_id
        where x.slug = 'murky-dex' and e.canonical_id = 'bitcoin' group by i.symbol"""
    )
    assert {r["symbol"]: r["sources"] for r in rows} == {"BTC": ["import"], "BTC-USD": ["coingecko", "import"]}


async def test_history_is_refused_before_anybody_is_asked(engine: Engine, replay: Replay, clock: Clock) -> None:
    wish = {"source": "coingecko", "datasets": (), "entities": None, "exchanges": None}
    with pytest.raises(NothingToAsk, match="coingecko has no history: how things stand now is sampled while"):
        await plan_order(engine, {"coingecko": source("coingecko")}, {**wish, "start": clock.now, "end": clock.now})
    assert not replay.asked
