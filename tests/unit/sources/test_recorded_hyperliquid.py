"""Hyperliquid's recorded answers and frames, every value worked out anew from the JSON."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.ingest.spec import Window

STATES = ["meta_and_asset_ctxs_cut_2026-09-03.json", "meta_and_asset_ctxs_cut_2026-09-27.json"]
SAMPLED = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)  # the end of the window: the answer has no time


@pytest.mark.parametrize("name", STATES)
def test_contracts(recorded: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "instruments", "market")
    for coin, item in zip(body[0]["universe"], items, strict=True):
        assert (item.symbol, item.base, item.quote) == (coin["name"], coin["name"], "USDC")
        assert item.active == ("isDelisted" not in coin)
        assert (item.kind, item.margin, item.funding_interval_hours) == ("perp", "stable", 1)
        assert (item.contract_size, item.multiplier, item.oi_sides) == (1, 1, 1)


@pytest.mark.parametrize("name", STATES)
def test_estimates_stand_in_line_with_the_universe(recorded: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "predicted_funding", "market")
    for i, item in enumerate(items):
        if "isDelisted" in body[0]["universe"][i]:
            assert item is None
            continue
        assert item.symbol == body[0]["universe"][i]["name"]
        assert item.rate == float(body[1][i]["funding"])
        assert (item.time, item.for_time) == (SAMPLED, SAMPLED + timedelta(minutes=30))
        assert item.interval_hours == 1


@pytest.mark.parametrize("name", STATES)
def test_open_interest_stands_in_line_with_the_universe(recorded: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "open_interest", "market")
    for i, item in enumerate(items):
        if "isDelisted" in body[0]["universe"][i]:
            assert item is None
            continue
        context = body[1][i]
        assert (item.symbol, item.time) == (body[0]["universe"][i]["name"], SAMPLED)
        assert item.oi_base == float(context["openInterest"])
        assert item.oi_usd == pytest.approx(float(context["openInterest"]) * float(context["markPx"]))


def test_a_whole_universe(recorded: Any) -> None:
    """Frames of the socket have contexts like those of the answer, and no names at all: their places stand for them."""
    contexts = dict(recorded.body("ws_all_dexs_asset_ctxs_2026-05.json")["data"]["ctxs"])[""]
    body = [{"universe": [{"name": f"COIN{i}"} for i in range(len(contexts))]}, contexts]
    rates = recorded.read(body, "predicted_funding", "market")
    assert [(item.symbol, item.rate) for item in rates] == [
        (f"COIN{i}", float(context["funding"])) for i, context in enumerate(contexts)
    ]
    interests = recorded.read(body, "open_interest", "market")
    assert [(item.symbol, item.oi_base) for item in interests] == [
        (f"COIN{i}", float(context["openInterest"])) for i, context in enumerate(contexts)
    ]


def test_a_list_out_of_line_is_refused(recorded: Any) -> None:
    universe, contexts = recorded.body(STATES[0])
    for contexts_cut in (contexts[1:], [*contexts, contexts[0]], []):
        with pytest.raises(ValidationError):
            recorded.read([universe, contexts_cut], "open_interest", "market")


def test_the_universe_alone_is_refused(recorded: Any) -> None:
    with pytest.raises(ValidationError):
        recorded.read(recorded.body("meta_2023-07-17.json"), "instruments", "market")


def test_old_names_are_read_as_they_are(recorded: Any) -> None:
    meta = recorded.body("meta_2023-07-17.json")
    items = recorded.read([meta, [{}] * len(meta["universe"])], "instruments", "market")  # contexts were not recorded
    assert [item.symbol for item in items] == [coin["name"] for coin in meta["universe"]]
    assert {item.base for item in items} >= {"kPEPE", "BTC"}


@pytest.mark.parametrize("name", ["funding_history_btc_2023-05_8h.json", "funding_history_hype_2026-09-07.json"])
def test_settlements(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "funding", "instrument", symbol=body[0]["coin"])
    assert [(item.symbol, ms(item.time), item.rate, item.interval_hours) for item in items] == [
        (row["coin"], row["time"], float(row["fundingRate"]), None) for row in body
    ]


@pytest.mark.parametrize(
    ("name", "dataset"),
    [("candle_snapshot_1h_kpepe_2023-05.json", "candles_1h"), ("candle_snapshot_1m_btc_2026-09-27.json", "candles_1m")],
)
def test_candles(recorded: Any, ms: Any, name: str, dataset: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, dataset, "instrument", symbol=body[0]["s"])
    for row, item in zip(body, items, strict=True):
        assert (item.symbol, ms(item.time), ms(item.closes)) == (row["s"], row["t"], row["T"] + 1)
        assert [item.open, item.high, item.low, item.close] == [float(row[key]) for key in "ohlc"]
        assert (item.volume_base, item.trades) == (float(row["v"]), row["n"])
        assert item.volume_usd is None


def test_a_candle_that_grew_at_the_start_is_left_out(recorded: Any) -> None:
    body = recorded.body("candle_snapshot_1h_kpepe_2023-05.json")
    asked = [datetime.fromtimestamp(at / 1000, UTC) for at in (1684702007000, 1684784807000)]  # as it was asked then
    feed = recorded.source.feed("candles_1h")
    first, *rest = feed.rows(TypeAdapter(feed.answer).validate_python(body), Window(*asked))
    assert first is None
    assert len([item for item in rest if item is not None]) == len(body) - 1


def test_how_all_stand_by_one_answer(recorded: Any) -> None:
    body = recorded.body(STATES[0])
    items = recorded.read(body, "perp_snapshot", "market")
    apart = [recorded.read(body, dataset, "market") for dataset in ("predicted_funding", "open_interest")]
    assert items[: -len(body[1])] == [*apart[0], *apart[1]]
    for coin, context, item in zip(body[0]["universe"], body[1], items[-len(body[1]) :], strict=True):
        if "isDelisted" in coin:
            assert item is None
            continue
        assert (item.symbol, item.time) == (coin["name"], SAMPLED)
        told = {"mark_price": float(context["markPx"]), "index_price": float(context["oraclePx"])}
        assert dict(item.values) == told


SAYS = {"subscriptionResponse": "done", "pong": "alive", "candle": "data", "trades": "data"}
SIDES = {"A": "sell", "B": "buy"}


def test_frames(recorded: Any, ms: Any) -> None:
    seen: set[str] = set()
    for path in sorted(recorded.folder.glob("ws_*.json*")):
        for frame in recorded.lines(path.name):
            seen.add(frame["channel"])
            said, items = recorded.said(frame, {"BTC", "HYPE"})
            assert said == SAYS.get(frame["channel"], "nothing")
            if frame["channel"] == "candle":
                [item], row = items, frame["data"]
                assert (item.symbol, ms(item.time), ms(item.closes)) == (row["s"], row["t"], row["T"] + 1)
                assert [item.open, item.high, item.low, item.close] == [float(row[key]) for key in "ohlc"]
                assert (item.volume_base, item.volume_usd, item.trades) == (float(row["v"]), None, row["n"])
            elif frame["channel"] == "trades":
                assert [(i.symbol, ms(i.time), i.id, i.side, i.price, i.quantity) for i in items] == [
                    (t["coin"], t["time"], str(t["tid"]), SIDES[t["side"]], float(t["px"]), float(t["sz"]))
                    for t in frame["data"]
                ]
            else:
                assert items == []
            assert all(item is None for item in recorded.said(frame, {"ETH"})[1])
    assert seen >= SAYS.keys()


def test_what_an_answer_is_about(recorded: Any) -> None:
    [about] = [socket.about for socket in recorded.source.sockets]
    frames = {frame["channel"]: frame for frame in recorded.lines("ws_frames_2026-09-03.jsonl")}
    assert about(frames["subscriptionResponse"]) == {"type": "bbo", "coin": "BTC"}
    assert about(frames["error"]) == {"type": "trades", "coin": "ETH"}
    assert about(frames["pong"]) is None
    answers = [f for f in recorded.lines("ws_trades_l2book_hype_2025-01-12.jsonl") if "subscription" in f["data"]]
    assert [about(frame) for frame in answers] == [{"type": "l2Book", "coin": "HYPE"}]  # what it repeats as null is not
