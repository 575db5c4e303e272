"""What goes wrong upstream costs only what it must, and is written down."""

import pytest

from app.ingest.engine import Engine
from app.services import log
from tests.e2e.rounds import Clock, pull_round, stored, summary
from tests.replay import HTML, Fault, Replay, broken
from tests.replayed import markets as world
from tests.replayed.markets import HOUR, MARKETS


async def test_one_bad_instrument_costs_only_itself(engine: Engine, replay: Replay) -> None:
    bad = Fault(400, b'{"code":-1121,"msg":"Invalid symbol."}')
    replay.misbehave(bad, to="klines?symbol=ETHUSDT", times=100)
    pulled = {one.dataset: one for one in await pull_round(engine, ["binance"])}
    assert pulled["candles_1m"].status == "partial"
    assert "ETHUSDT" in str(pulled["candles_1m"].error)
    assert "-1121" in str(pulled["candles_1m"].error)
    assert set(await stored(engine.db, "perp_1m", "close")) == {("binance", "BTCUSDT"), ("binance", "1000PEPEUSDT")}
    assert pulled["funding"].status == "succeeded"
    noted = await engine.db.reads.fetch("select * from error_log where dataset = 'candles_1m'")
    assert [(row["place"], row["source"], row["code"]) for row in noted] == [("pull", "binance", "partial")]
    assert "-1121" in noted[0]["message"]
    assert '"pull": ' in noted[0]["context"]


async def test_who_refuses_everything_is_left_alone(engine: Engine, replay: Replay) -> None:
    await pull_round(engine, ["bybit"])
    replay.asked.clear()
    replay.misbehave(Fault(451, b"not from where you are"), times=1000)
    pulled = await pull_round(engine, ["bybit"])
    assert summary(one for one in pulled if one.counts.requests) == {"failed": len(replay.asked)}


async def test_what_nobody_can_read_is_kept(engine: Engine, replay: Replay) -> None:
    replay.misbehave(HTML, to="/v5/market/tickers")
    pulled = {one.dataset: one for one in await pull_round(engine, ["bybit"])}
    assert {one.status for name, one in pulled.items() if name != "predicted_funding"} <= {"succeeded", "partial"}
    (body,) = await log.bodies(engine.db)
    assert (body.source, body.status, body.body) == ("bybit", 200, HTML.body)
    assert body.request == "GET /v5/market/tickers?category=linear"
    (reject,) = await log.rejects(engine.db)
    assert (reject.code, reject.symbol, reject.count) == ("malformed", "", 1)


async def test_a_source_that_is_down_is_given_up_soon(engine: Engine, replay: Replay) -> None:
    await pull_round(engine, ["okx"])
    replay.asked.clear()
    replay.storm([broken(502)], share=1)
    pulled = await pull_round(engine, ["okx"])
    assert {one.status for one in pulled if one.counts.requests} == {"failed"}
    assert all("HTTP 502" in str(one.error) for one in pulled if one.counts.requests)


async def test_who_is_listed_no_more_is_asked_no_more(
    engine: Engine, replay: Replay, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pull_round(engine, ["bybit"])
    monkeypatch.setattr(world, "MARKETS", tuple(market for market in MARKETS if market.symbol != "BTCPERP"))
    clock.now += 2 * HOUR
    assert {one.status for one in await pull_round(engine, ["bybit"])} == {"succeeded"}
    replay.asked.clear()
    clock.now += 2 * HOUR
    await pull_round(engine, ["bybit"])
    assert [asked for asked in replay.asked if asked.query.get("symbol") == "BTCPERP"] == []
