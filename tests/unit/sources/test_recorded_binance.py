"""Binance's recorded answers and frames, every value worked out anew from the JSON."""

import gzip
import json
from collections import Counter
from typing import Any

import pytest

from tests.conftest import shared

NEVER = 4133404800000


@pytest.mark.parametrize(
    "name",
    [
        "exchange_info_2021-07-22.json",
        "exchange_info_2026-10-07_5symbols.json",
        "exchange_info_symbol_btcusdt_2026-09-15.json",
    ],
)
def test_contracts(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    body = body if "symbols" in body else {"symbols": [body]}  # one recording is a single element of the list
    items = recorded.read(body, "instruments", "market")
    for row, item in zip(body["symbols"], items, strict=True):
        if row["contractType"] == "":
            assert item is None
            continue
        assert (item.symbol, item.base, item.quote) == (row["symbol"], row["baseAsset"], row["quoteAsset"])
        assert item.kind == ("future" if "_" in row["symbol"] else "perp")
        assert item.active == (row["status"] == "TRADING")
        assert ms(item.listed_at) == row["onboardDate"]
        assert (ms(item.delisted_at) if item.delisted_at else NEVER) == row["deliveryDate"]
        assert (item.underlying == "coin") == (row["underlyingType"] == "COIN")
        assert (item.contract_size, item.multiplier, item.oi_sides, item.margin) == (1, 1, 1, "stable")


def test_odd_contracts(recorded: Any) -> None:
    items = recorded.read(recorded.body("exchange_info_2026-10-07_5symbols.json"), "instruments", "market")
    odd = {item.symbol: (item.kind, item.active, item.underlying) for item in items}
    assert odd == {
        "BTCUSDT": ("perp", True, "coin"),
        "XAUUSDT": ("perp", True, "other"),
        "币安人生USDT": ("perp", True, "coin"),
        "OMGUSDT": ("perp", False, "coin"),
        "BTCUSDT_261225": ("future", True, "coin"),
    }


@pytest.mark.parametrize("name", ["funding_info_2025-08.json", "funding_info_rows_2026-09-15.json"])
def test_intervals(recorded: Any, name: str) -> None:
    body = recorded.body(name)
    known = {row["symbol"]: None for row in body[1:]}
    items = recorded.read(body, "instruments", "market", nth=1, instruments=known)
    assert items[0] is None  # not among the contracts we know
    assert [(item.symbol, item.hours) for item in items[1:]] == [
        (row["symbol"], row["fundingIntervalHours"]) for row in body[1:]
    ]


@pytest.mark.parametrize("scope", ["market", "instrument"])
@pytest.mark.parametrize(
    "name",
    [
        "funding_rate_btcusdt_2019_first_rows.json",
        "funding_rate_btcusdt_2020_100rows.json",
        "funding_rate_btcusdt_2026-09-15.json",
    ],
)
def test_settlements(recorded: Any, ms: Any, name: str, scope: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "funding", scope, symbol="BTCUSDT" if scope == "instrument" else None)
    assert [(item.symbol, ms(item.time), item.rate, item.interval_hours) for item in items] == [
        (row["symbol"], row["fundingTime"], float(row["fundingRate"]), None) for row in body
    ]


@pytest.mark.parametrize(
    "name",
    [
        "premium_index_all_2020-10_cut.json",
        "premium_index_all_2026-10-07_3rows.json",
        "premium_index_btcusdt_2026-09-15.json",
    ],
)
def test_estimates(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    body = body if isinstance(body, list) else [body]  # asked for one symbol it answers with a bare object
    items = recorded.read(body, "predicted_funding", "market")
    assert [(item.symbol, ms(item.time), item.rate, ms(item.for_time)) for item in items] == [
        (row["symbol"], row["time"], float(row["lastFundingRate"]), row["nextFundingTime"]) for row in body
    ]


@pytest.mark.parametrize(
    "name", ["open_interest_hist_1d_ltcusdt_2020-10.json", "open_interest_hist_5m_btcusdt_2026-09-07.json"]
)
def test_open_interest(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "open_interest", "instrument", symbol=body[0]["symbol"])
    assert [(item.symbol, ms(item.time), item.oi_base, item.oi_usd) for item in items] == [
        (r["symbol"], r["timestamp"], float(r["sumOpenInterest"]), float(r["sumOpenInterestValue"])) for r in body
    ]


def test_open_interest_now(recorded: Any, ms: Any) -> None:
    body = recorded.body("open_interest_btcusdt_2026-09-15.json")
    [item] = recorded.read(body, "open_interest", "instrument", nth=1, symbol="BTCUSDT")
    assert (item.symbol, ms(item.time)) == (body["symbol"], body["time"])
    assert (item.oi_base, item.oi_usd) == (float(body["openInterest"]), None)


def test_ratios(recorded: Any, ms: Any) -> None:
    body = recorded.body("global_long_short_account_ratio_5m_btcusdt_2020.json")
    items = recorded.read(body, "long_short", "instrument", symbol="BTCUSDT")
    assert [(item.symbol, ms(item.time)) for item in items] == [(row["symbol"], row["timestamp"]) for row in body]
    for row, item in zip(body, items, strict=True):
        assert dict(item.values) == {"long_short_ratio": float(row["longShortRatio"])}
        shares = float(row["longAccount"]) / float(row["shortAccount"])  # of four digits each
        assert item.values["long_short_ratio"] == pytest.approx(shares, abs=0.0005)


# Candles of other intervals and of an index have the same columns.
@pytest.mark.parametrize(
    "name",
    [
        "klines_1m_btcusdt_2026-09-15.json",
        "klines_5m_ltcusdt_2020-10.json",
        "klines_1d_btcusdt_2019.json",
        "continuous_klines_1m_btcusdt_2026-09-15.json",
        "index_price_klines_1m_btcusdt_2026-09-15.json",
    ],
)
@pytest.mark.parametrize("dataset", ["candles_1m", "candles_1h"])
def test_candles(recorded: Any, ms: Any, name: str, dataset: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, dataset, "instrument", symbol="ABCUSDT")
    for row, item in zip(body, items, strict=True):
        assert (item.symbol, ms(item.time)) == ("ABCUSDT", row[0])
        assert [item.open, item.high, item.low, item.close] == [float(price) for price in row[1:5]]
        assert [item.volume_base, item.volume_usd] == [float(row[5]), float(row[7])]
        assert [item.trades, item.buy_volume_base] == [row[8], float(row[9])]
        # an average price between low and high tells that base and quote are not exchanged
        assert not item.volume_base or item.low * 0.999 <= item.volume_usd / item.volume_base <= item.high * 1.001


def test_errors_were_asked_wrongly(recorded: Any) -> None:
    for error in recorded.lines("errors.jsonl"):
        told = recorded.source.problem(error["http_status"], error["body"])
        assert (told.trouble, told.code, told.message) == ("refused", str(error["body"]["code"]), error["body"]["msg"])


def test_the_budget_is_what_the_exchange_says(recorded: Any) -> None:
    told = recorded.body("exchange_info_rate_limits_2026-09-15.json")
    [limit] = [row["limit"] for row in told if (row["rateLimitType"], row["interval"]) == ("REQUEST_WEIGHT", "MINUTE")]
    assert recorded.source.budgets["weight"].limit == limit


STREAMS = {"kline": "{}@kline_1m", "markPriceUpdate": "{}@markPrice@1s", "forceOrder": "!forceOrder@arr"}


def wrapped(frame: dict[str, Any]) -> dict[str, Any]:
    """A recorded frame as it comes on an address of `/stream`."""
    stream = STREAMS.get(frame["e"], "{}@" + frame["e"])
    return {"stream": stream.format(str(frame.get("s")).lower()), "data": frame}


def held(ms: Any, item: Any) -> tuple[Any, ...]:
    """All that a record tells."""
    match type(item).__name__:
        case "Candle":
            prices = (item.open, item.high, item.low, item.close, item.volume_base, item.volume_usd)
            return ("candle", item.symbol, ms(item.time), *prices, item.buy_volume_base, item.trades)
        case "PredictedFunding":
            return ("rate", item.symbol, ms(item.time), item.rate, ms(item.for_time))
        case "PerpMinute":
            return ("mark", item.symbol, ms(item.time), dict(item.values))
        case "Liquidation":
            return ("liquidation", item.symbol, ms(item.time), item.side, item.price, item.quantity)
    raise TypeError(item)


def told(frame: dict[str, Any]) -> list[tuple[Any, ...]] | None:
    """What a frame tells, from the JSON itself; None: it is not of what we subscribe for."""
    data = frame["data"]
    rows = data if isinstance(data, list) else [data]
    if rows[0]["e"] == "kline" and frame["stream"].endswith("@kline_1m"):
        k = rows[0]["k"]
        numbers = [float(k[key]) for key in ("o", "h", "l", "c", "v", "q", "V")]
        return [("candle", k["s"], k["t"], *numbers, k["n"])] if k["x"] else []
    if rows[0]["e"] == "markPriceUpdate":
        ours = [row for row in rows if row.get("st") != 2]
        return [
            one
            for row in ours
            for one in (
                ("rate", row["s"], row["E"], float(row["r"]), row["T"]),
                (
                    "mark",
                    row["s"],
                    row["E"] - row["E"] % 60000,
                    {"mark_price": float(row["p"]), "index_price": float(row["i"])},
                ),
            )
        ]
    if rows[0]["e"] == "forceOrder":
        o = rows[0]["o"]
        side = {"SELL": "long", "BUY": "short"}[o["S"]]
        return [("liquidation", o["s"], o["T"], side, float(o["ap"]), float(o["z"]))]
    return None


def symbols_of(frame: dict[str, Any]) -> set[str]:
    rows = frame["data"] if isinstance(frame["data"], list) else [frame["data"]]
    return {row.get("s") or row["o"]["s"] for row in rows}


def check(recorded: Any, ms: Any, frame: dict[str, Any]) -> Counter[str]:
    """Hold what is read of a frame against the frame; what kinds of records it held."""
    expected = told(frame)
    said, items = recorded.said(frame, symbols_of(frame))
    assert said == ("nothing" if expected is None else "data"), frame
    assert [held(ms, item) for item in items if item is not None] == (expected or []), frame
    assert all(item is None for item in recorded.said(frame, {"OTHERUSDT"})[1])
    return Counter(kind for kind, *_ in expected or [])


def test_frames(recorded: Any, ms: Any) -> None:
    seen = Counter[str]()
    for path in sorted(recorded.folder.glob("ws_*.jsonl")):
        for frame in recorded.lines(path.name):
            if "stream" not in frame:
                assert recorded.said(frame, symbols_of({"data": frame})) == ("nothing", [])  # bare ones do not come
                frame = wrapped(frame)
            seen += check(recorded, ms, frame)
    assert seen == {"candle": 3, "rate": 8, "mark": 8, "liquidation": 2}


def test_half_a_minute_of_four_contracts(recorded: Any, ms: Any) -> None:
    capture = shared("datasets/ws_captures") / "BINANCE_FUTURES.ws.1.0.gz"
    lines = gzip.decompress(capture.read_bytes()).decode().splitlines()
    frames = [json.loads(line.partition(": ")[2]) for line in lines if line[:1].isdigit()]
    assert len(frames) == 1535
    assert sum((check(recorded, ms, frame) for frame in frames), Counter[str]()) == {"candle": 4}
