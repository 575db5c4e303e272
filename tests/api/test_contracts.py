"""One option, future or perpetual: candles, quotes, trades, order books."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.records import Instrument
from app.services import retention
from tests.options import DAY, at, listed, listing, tell, tick

OPTION = listed(90000, "call")
PERP = Instrument("BTC-PERPETUAL", "BTC", "USD", margin="coin", contract_size=10)
MINUTE = timedelta(minutes=1)
TRADE = {"trade_id": "1", "side": 1, "price": 0.05, "amount": 2.0, "iv": 0.5, "is_block": False, "is_combo": False}


async def asked(client: httpx.AsyncClient, what: str, **params: str) -> dict[str, Any]:
    window = {} if "at" in params else {"start": at(0).isoformat(), "end": at(4).isoformat()}
    answer = await client.get(f"/options/instruments/{what}", params={**window, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def series(clean_database: Database) -> dict[str, int]:
    """An inverse option and an inverse perpetual."""
    return dict(await listing(clean_database, OPTION, PERP))


async def test_no_candles_where_only_the_chain_is_stored(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    option = series[OPTION.symbol]
    await tell(clean_database, "option_1m", {"series_id": option, "ts": at(1), "mark_iv": 0.5})
    body = await asked(client, f"{OPTION.symbol}/candles")
    assert (body["data"], body["meta"]["notices"]) == ([], ["no rows: no trades and no candles of it are stored"])
    await tell(clean_database, "option_1m", {"series_id": option, "ts": at(9), "open": 0.05, "close": 0.05})
    (notice,) = (await asked(client, f"{OPTION.symbol}/candles"))["meta"]["notices"]
    assert notice.startswith("no rows: nothing at this time")


async def test_candles_of_minutes_and_else_of_trades(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    option = series[OPTION.symbol]
    bar = {"open": 0.05, "high": 0.06, "low": 0.04, "close": 0.055, "volume_base": 1.0, "volume_quote": 0.05}
    await tell(clean_database, "option_1m", *({"series_id": option, "ts": at(1) + n * MINUTE, **bar} for n in (0, 1)))
    await tell(clean_database, "option_1m", {"series_id": option, "ts": at(1) + 3 * MINUTE, "mark_iv": 0.5})
    trades = [(1.001, 0.9, 1.0), (2.001, 0.05, 2.0), (2.002, 0.07, 1.0)]
    await tick(
        clean_database, "option_trade",
        *({"series_id": option, "ts": at(h), "trade_seq": n, **TRADE, "price": p, "amount": a}
          for n, (h, p, a) in enumerate(trades)),
    )  # fmt: skip
    body = await asked(client, f"{OPTION.symbol.lower()}/candles", interval="1h")
    first, second = body["data"]
    shown = ("open", "high", "low", "close", "volume_base", "complete", "made_of", "trades")
    assert {name: first[name] for name in shown} == {
        "open": 0.05, "high": 0.06, "low": 0.04, "close": 0.055, "volume_base": 2.0, "complete": False,
        "made_of": "minutes", "trades": None,
    }  # fmt: skip
    assert {name: second[name] for name in second if name not in ("exchange", "instrument")} == {
        "time": "2026-03-02T02:00:00Z", "open": 0.05, "high": 0.07, "low": 0.05, "close": 0.07, "volume_base": 3.0,
        "volume_quote": pytest.approx(0.17), "trades": 2, "complete": None, "made_of": "trades", "source": "deribit",
    }  # fmt: skip
    assert body["meta"]["units"]["open"] == "coin"
    whole = (await asked(client, f"{OPTION.symbol}/candles"))["data"]
    assert [(row["time"][11:16], row["made_of"]) for row in whole] == [
        ("01:00", "minutes"),
        ("01:01", "minutes"),
        ("02:00", "trades"),
    ]
    (closed,) = (await asked(client, f"{OPTION.symbol}/candles", at=(at(1) + 1.5 * MINUTE).isoformat()))["data"]
    assert closed["time"] == "2026-03-02T01:00:00Z"


async def test_candles_of_an_inverse_perpetual(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    perp = series[PERP.symbol]
    await tell(
        clean_database,
        "perp_1m",
        {"series_id": perp, "ts": at(1), "open": 9e4, "high": 9e4, "low": 9e4, "close": 9e4, "trades": 3},
    )
    trade = {"series_id": perp, "trade_seq": 1, **TRADE, "price": 80000.0, "amount": 1600.0, "iv": None}
    await tick(clean_database, "option_trade", {"ts": at(2), **trade})
    body = await asked(client, "BTC-PERPETUAL/candles")
    told, traded = body["data"]
    assert (told["close"], told["trades"], told["complete"]) == (9e4, 3, True)
    assert (traded["volume_base"], traded["volume_quote"]) == (0.02, 1600)
    assert body["meta"]["units"]["open"] == "USD"


async def test_quotes(client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]) -> None:
    option = series[OPTION.symbol]
    told = [(1.0, 0.04, 0.05), (1.5, None, 0.06), (1.75, 0.03, 0.07), (2.25, 0.05, None)]
    await tick(
        clean_database, "option_tick",
        *({"series_id": option, "ts": at(h), "bid": b, "ask": a, "bid_amount": 1.0, "ask_amount": 2.0}
          for h, b, a in told),
    )  # fmt: skip
    body = await asked(client, f"{OPTION.symbol}/quotes")
    assert [(row["bid"], row["ask"]) for row in body["data"]] == [(b, a) for _, b, a in told]
    assert (body["meta"]["units"]["bid"], body["meta"]["units"]["bid_amount"]) == ("coin", "coins")
    first, second = (await asked(client, f"{OPTION.symbol}/quotes", interval="1h"))["data"]
    assert [first[f"bid_{name}"] for name in ("open", "high", "low", "close")] == [0.04, 0.04, 0.03, 0.03]
    assert [first[f"ask_{name}"] for name in ("open", "high", "low", "close")] == [0.05, 0.07, 0.05, 0.07]
    assert (first["quotes"], second["ask_open"], second["made_of"]) == (3, None, "quotes")
    moments = {
        h: (await asked(client, f"{OPTION.symbol}/quotes", at=at(h).isoformat()))["data"] for h in (0.5, 1.6, 26, 26.5)
    }
    assert {h: [row["bid"] for row in rows] for h, rows in moments.items()} == {
        0.5: [],
        1.6: [None],
        26: [0.05],
        26.5: [],
    }


async def test_hours_of_quotes_outlive_them(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    option = series[OPTION.symbol]
    await clean_database.reads.execute(
        "insert into option_tick_1h (series_id, ts, bid_open, bid_high, bid_low, bid_close, quotes) "
        "select $1, $2::timestamptz + n * interval '1 hour', n, n + 0.5, n - 0.5, n + 0.25, 10 "
        "from generate_series(0, 2) n",
        option, at(0),
    )  # fmt: skip
    await tick(clean_database, "option_tick", {"series_id": option, "ts": at(2.5), "bid": 7.0, "ask": 8.0})
    hours = (await asked(client, f"{OPTION.symbol}/quotes", interval="1h"))["data"]
    assert [(row["made_of"], row["bid_open"], row["quotes"]) for row in hours] == [
        ("hours", 0, 10),
        ("hours", 1, 10),
        ("quotes", 7, 1),
    ]
    (four,) = (await asked(client, f"{OPTION.symbol}/quotes", interval="4h"))["data"]
    assert [four[f"bid_{name}"] for name in ("open", "high", "low", "close")] == [0, 7, -0.5, 7]
    assert (four["quotes"], four["made_of"]) == (21, "hours,quotes")
    assert [row["made_of"] for row in (await asked(client, f"{OPTION.symbol}/quotes", interval="15m"))["data"]] == [
        "quotes"
    ]


async def test_trades(client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]) -> None:
    option = series[OPTION.symbol]
    rows = [
        {"series_id": option, "ts": at(1), "trade_seq": n, **TRADE, "trade_id": f"ETH-{n}", "side": 1 - 2 * n}
        for n in (0, 1)
    ]
    await tick(clean_database, "option_trade", *rows)
    found = (await asked(client, f"{OPTION.symbol}/trades"))["data"]
    assert [(row["trade_seq"], row["trade_id"], row["side"]) for row in found] == [
        (0, "ETH-0", "buy"),
        (1, "ETH-1", "sell"),
    ]
    (last,) = (await asked(client, f"{OPTION.symbol}/trades", at=at(1).isoformat()))["data"]
    assert last["trade_seq"] == 1
    url: str | None = str(
        httpx.URL(
            f"/options/instruments/{OPTION.symbol}/trades",
            params={"start": at(0).isoformat(), "end": at(2).isoformat(), "limit": "1"},
        )
    )
    paged: list[int] = []
    while url:
        body = (await client.get(url)).json()
        paged += [row["trade_seq"] for row in body["data"]]
        url = body["page"]["next_url"]
    assert paged == [0, 1]


async def test_depth(client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]) -> None:
    book = {"bid_prices": [3.0, 2.0, 1.0], "bid_amounts": [10.0, 20.0, 30.0], "ask_prices": [], "ask_amounts": []}
    perp = series[PERP.symbol]
    await tick(
        clean_database,
        "depth",
        *({"series_id": perp, "ts": at(h), "change_id": n, **book} for n, h in enumerate((1, 2))),
    )
    body = await asked(client, "BTC-PERPETUAL/depth", levels="2")
    assert [(row["change_id"], row["bids"], row["asks"]) for row in body["data"]] == [
        (n, [[3, 10], [2, 20]], []) for n in (0, 1)
    ]
    assert body["meta"]["units"]["bids"] == "price: USD, amount: USD"
    (one,) = (await client.get("/depth/deribit/btc-perpetual", params={"at": at(1.5).isoformat()})).json()["data"]
    assert (one["change_id"], len(one["bids"])) == (0, 3)
    csv = await client.get("/depth/deribit/BTC-PERPETUAL", params={"at": at(1.5).isoformat(), "format": "csv"})
    assert '"[[3, 10], [2, 20], [1, 30]]"' in csv.text


async def test_greeks(client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]) -> None:
    option = series[OPTION.symbol]
    await tell(clean_database, "greeks", {"series_id": option, "ts": at(1), "delta": 0.5})
    await tell(clean_database, "option_1m", {"series_id": option, "ts": at(2), "mark_iv": 0.5, "underlying_price": 9e4})
    assert [row["delta"] for row in (await asked(client, f"{OPTION.symbol}/greeks"))["data"]] == [0.5]
    assert [row["delta"] for row in (await asked(client, f"{OPTION.symbol}/greeks", at=at(3).isoformat()))["data"]] == [
        0.5
    ]
    made = (await asked(client, f"{OPTION.symbol}/greeks", model="black76"))["data"]
    assert [(row["time"][11:13], row["model"]) for row in made] == [("02", "black76"), ("03", "black76")]


async def test_unknown_names(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    answer = await client.get(f"/options/instruments/{OPTION.symbol}X/quotes")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_instrument")
    assert OPTION.symbol in answer.json()["candidates"]
    assert (await client.get("/depth/nowhere/BTC-PERPETUAL")).status_code == 404
    assert (
        await client.get(f"/options/instruments/{OPTION.symbol}/quotes", params={"exchange": "nowhere"})
    ).status_code == 400


@pytest.mark.parametrize("what", ["candles", "quotes", "trades", "depth", "greeks"])
async def test_why_empty(client: httpx.AsyncClient, series: dict[str, int], what: str) -> None:
    assert (await asked(client, f"{OPTION.symbol}/{what}"))["meta"]["notices"] == ["no rows: not fetched yet"]


async def test_gone(client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]) -> None:
    await tick(clean_database, "option_tick", {"series_id": series[OPTION.symbol], "ts": at(1), "bid": 1.0})
    await retention.apply(clean_database, {"option_tick": 8}, DAY + timedelta(days=20))
    answer = await client.get(f"/options/instruments/{OPTION.symbol}/quotes", params={"at": at(1).isoformat()})
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")
