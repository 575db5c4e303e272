"""What Deribit's sockets are told and tell, in the shapes it documents: and the traps in them."""

import json
from typing import Any

import pytest

from app.ingest.heard import hear
from app.ingest.socket import Known
from app.ingest.sources.deribit import live
from app.ingest.spec import Answer, Bad, Said
from app.ingest.topics import key_of, topics_of
from app.records import BookChange, Instrument, Quote
from tests.unit.test_sockets import RUBBISH

[BTC] = live.sockets(["btc"], keyed=False)
PERPETUAL = Instrument("BTC-PERPETUAL", "BTC", "USD", "perp", "coin")
SOL = Instrument("SOL_USDC-PERPETUAL", "SOL", "USDC", "perp")
INDEX = Instrument("btc_usd", "BTC", "USD", "index")
KNOWN = Known({one.symbol: one for one in (PERPETUAL, SOL, INDEX)}, {PERPETUAL.symbol, SOL.symbol, INDEX.symbol})
QUOTE = {
    "timestamp": 1765541767174,
    "instrument_name": "BTC-PERPETUAL",
    "best_ask_price": 92288.5,
    "best_bid_price": 92288.0,
    "best_ask_amount": 99470.0,
    "best_bid_amount": 133440,
}
BOOK = {
    "timestamp": 1765541767174,
    "type": "change",
    "change_id": 193809650259,
    "prev_change_id": 193809644396,
    "instrument_name": "BTC-PERPETUAL",
    "bids": [["delete", 92288.0, 0.0]],
    "asks": [["change", 92289.5, 91.89], ["new", 92290, 2.2e3]],
}
TRADE = {
    "trade_seq": 271252854,
    "trade_id": "403691824",
    "timestamp": 1765531356452,
    "instrument_name": "BTC-PERPETUAL",
    "direction": "sell",
    "price": 92294.5,
    "amount": 10.0,
    "index_price": 92276.75,
    "mark_price": 92287.11,
    "tick_direction": 2,
    "starbase_match_id": 230_000_000_000_000_003,
    "starbase_timestamp": 1_790_133_840_887_123_457,
}


def frame(channel: str, data: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


def rows(channel: str, data: Any, known: Known = KNOWN) -> list[Any]:
    return list(BTC.rows(frame(channel, data), known))


TELLING = (
    frame("quote.BTC-PERPETUAL", QUOTE),
    frame("book.BTC-PERPETUAL.100ms", BOOK),
    frame("trades.future.BTC.100ms", [TRADE]),
)


def test_a_side_that_is_empty_is_none() -> None:
    for empty in (0.0, 0, None):
        [told] = rows("quote.BTC-PERPETUAL", QUOTE | {"best_bid_price": empty, "best_bid_amount": empty})
        assert isinstance(told, Quote)
        assert (told.bid, told.bid_amount, told.ask, told.ask_amount) == (None, None, 92288.5, 99470.0)


def test_numbers_of_trades_are_text_or_whole() -> None:
    for number in ("403691824", "ETH-284830839", "BTC_USDT-1097032"):
        [told] = rows("trades.future.BTC.100ms", [TRADE | {"trade_id": number}])
        assert (told.id, told.seq) == (number, 271252854)
    [wrong] = rows("trades.future.BTC.100ms", [TRADE | {"trade_id": 403691824}])
    assert isinstance(wrong, Bad), "an id that is a number could have lost digits"


def test_legs_and_blocks_stand_beside_the_other_trades() -> None:
    more: list[dict[str, Any]] = [{}, {"block_trade_id": "BLOCK-1"}, {"combo_id": "BTC-FS-25DEC26_PERP"}]
    told = rows("trades.future.BTC.100ms", [TRADE | one for one in more])
    assert [(one.is_block, one.is_combo) for one in told] == [(False, False), (True, False), (False, True)]


def test_what_is_left_out_of_an_answer_is_not_taken() -> None:
    asked = [f"quote.{name}" for name in ("A", "B", "C")]
    sent: Any = BTC.subscribe(asked)
    told = {"jsonrpc": "2.0", "id": sent["id"], "result": ["quote.C", "quote.A"], "testnet": False}
    assert BTC.said(told) is Said.DONE
    assert BTC.answer(told) == Answer("quote.A", ["quote.C", "quote.A"])
    assert hear(BTC, told | {"result": []}, KNOWN).answer == Answer(key_of("quote.A"), set())
    refused = {
        "id": sent["id"],
        "error": {"code": 13778, "message": "raw_subscriptions_not_available_for_unauthorized"},
    }
    heard = hear(BTC, refused, KNOWN)
    assert (heard.said, heard.answer) == (Said.REFUSED, Answer(key_of("quote.A"), set()))


@pytest.mark.parametrize(
    ("change", "whole", "last"),
    [
        ({}, False, 193809644396),
        ({"type": "snapshot"}, True, 193809644396),
        ({"prev_change_id": 0}, True, None),
        ({"type": None}, False, 193809644396),
        ({"type": None, "prev_change_id": None}, True, None),
        ({"type": "snapshot", "prev_change_id": None, "asks": []}, True, None),
    ],
    ids=["change", "snapshot in mid-stream", "first change", "change of 2019", "first of 2019", "one side"],
)
def test_which_changes_are_the_whole_book(change: dict[str, Any], whole: bool, last: int | None) -> None:
    data = {name: value for name, value in (BOOK | change).items() if value is not None}
    [told] = rows("book.BTC-PERPETUAL.100ms", data)
    assert isinstance(told, BookChange)
    assert (told.whole, told.previous_id, told.change_id) == (whole, last, 193809650259)
    assert told.bids == ((92288.0, 0.0),)
    assert told.asks == (() if "asks" in change else ((92289.5, 91.89), (92290.0, 2200.0)))


def test_what_is_wanted_of_the_coin_is_read() -> None:
    of_sol = [TRADE | {"instrument_name": "SOL_USDC-PERPETUAL"}, TRADE | {"instrument_name": "XRP_USDC-PERPETUAL"}]
    assert rows("trades.future.USDC.100ms", [*of_sol, TRADE])[:2] == [None, None]
    [sol] = live.sockets(["sol"], keyed=False)
    told = list(sol.rows(frame("trades.future.USDC.100ms", [*of_sol, TRADE]), KNOWN))
    assert [one and one.symbol for one in told] == ["SOL_USDC-PERPETUAL", None, None]
    for one in TELLING:
        assert set(BTC.rows(one, Known(KNOWN.instruments, ()))) == {None}
    for one in TELLING[:2]:
        assert set(BTC.rows(one, Known({}, {"BTC-PERPETUAL"}))) == {None}


def test_trades_are_told_also_of_contracts_that_are_not_listed_yet() -> None:
    [sol] = live.sockets(["sol"], keyed=False)
    mine = ["SOL_USDC-21SEP26-1d5-C", "SOL_USDC-2MAY26"]
    others = ["BTC-21SEP26-80000-P", "SOLV_USDC-2MAY26", "SOL_USDC-FS-2MAY26_PERP", "SOL_USDC", "XRP_USDC-PERPETUAL"]
    deals = [TRADE | {"instrument_name": name} for name in (*mine, *others)]
    told = list(sol.rows(frame("trades.option.USDC.100ms", deals), KNOWN))
    assert [one and one.symbol for one in told] == [*mine, None, None, None, None, None]
    [btc] = rows("trades.option.BTC.100ms", [TRADE | {"instrument_name": "BTC-21SEP26-80000-P"}])
    assert btc.symbol == "BTC-21SEP26-80000-P"


@pytest.mark.parametrize(("coin", "keyed"), [("btc", False), ("btc", True), ("sol", False)])
def test_topics_of_a_coin(coin: str, keyed: bool) -> None:
    [socket] = live.sockets([coin], keyed=keyed)
    interval, family = "raw" if keyed else "100ms", "BTC" if coin == "btc" else "USDC"
    symbol = PERPETUAL.symbol if coin == "btc" else SOL.symbol
    assert socket.id == coin
    assert [topic.said for topic in topics_of(socket, KNOWN.instruments.values()).values()] == [
        f"trades.option.{family}.{interval}",
        f"trades.future.{family}.{interval}",
        f"quote.{symbol}",
        f"book.{symbol}.{interval}",
    ]


def test_frames_of_ours_are_short_and_few() -> None:
    names = [f"book.1000BONK_USDC-31DEC26-{number}d123456-P.100ms" for number in range(10_000, 10_000 + 500)]
    assert BTC.topics_a_frame <= 200
    assert len(json.dumps(BTC.subscribe(names[: BTC.topics_a_frame]))) < 32_000
    assert BTC.frames_a_second <= 3
    assert BTC.unsubscribe
    assert BTC.said({"id": BTC.unsubscribe(names[:1])["id"], "result": names[:1]}) is Said.NOTHING  # type: ignore[index]


def test_a_connection_begins_with_heartbeats_and_a_login_where_there_is_a_key() -> None:
    [first] = BTC.hello(None)
    assert (first["method"], first["params"]) == ("public/set_heartbeat", {"interval": 30})  # type: ignore[index]
    [_, login] = BTC.hello("reader:a:b")
    assert login["params"] == {  # type: ignore[index]
        "grant_type": "client_credentials",
        "client_id": "reader",
        "client_secret": "a:b",  # pragma: allowlist secret
    }


def test_only_a_test_request_is_answered() -> None:
    asked = {"params": {"type": "test_request"}, "method": "heartbeat", "jsonrpc": "2.0"}
    answer: Any = BTC.reply(asked)
    assert answer["method"] == "public/test"
    for other in (
        asked | {"params": {"type": "heartbeat"}},
        {"id": answer["id"], "result": {"version": "1"}},
        *TELLING,
    ):
        assert BTC.reply(other) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": 10028, "message": "too_many_requests"}, Said.THROTTLED),
        ({"code": -1, "message": "connection_too_slow"}, Said.CLOSING),
        ({"code": 13004, "message": "invalid_credentials", "data": {"reason": "invalid_token"}}, Said.DATA),
        ({"code": 11050, "message": "bad_request", "data": "invalid json"}, Said.DATA),
    ],
)
def test_errors_of_no_subscription(error: dict[str, Any], said: Said) -> None:
    for name in ({}, {"id": 5}):
        assert BTC.said({"jsonrpc": "2.0", **name, "error": error}) is said
    of_login = Said.KEPT_OUT if said is Said.DATA else said
    assert BTC.said({"jsonrpc": "2.0", "id": "login", "error": error}) is of_login
    if said is Said.DATA:
        told = list(BTC.rows({"error": error}, KNOWN))
        assert told == [Bad(None, "upstream_error", f"{error['code']} {error['message']}")]


def test_rubbish_is_nothing() -> None:
    for one in (*RUBBISH, {"error": None}, {"error": {}}, {"id": "subscribe a"}, {"method": "subscription"}):
        assert BTC.said(one) is Said.NOTHING, one
        assert list(BTC.rows(one, KNOWN)) == []
