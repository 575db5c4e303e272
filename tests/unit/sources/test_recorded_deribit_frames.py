"""Deribit's recorded frames, every one read and every value worked out anew from the JSON."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.ingest.heard import hear
from app.ingest.socket import Known
from app.ingest.sources.deribit import live
from app.ingest.spec import Answer, Bad, Said, Socket
from app.ingest.topics import key_of
from app.records import BookChange, Instrument, OptionTrade, Quote
from tests.conftest import shared

CUT = 53639437695
"""The change id of a book that its finder cut the asks off."""
NOT_READ = {
    "ticker",
    "incremental_ticker",
    "chart",
    "perpetual",
    "markprice",
    "deribit_price_index",
    "book in groups",
}


def frames() -> Iterator[Any]:
    for path in sorted(shared("fixtures/deribit").glob("ws__*.jsonl")):
        for line in path.read_text().splitlines():
            noted = json.loads(line)
            if noted.get("dir") != "out":
                yield json.loads(noted["raw"])


def kind_of(channel: str) -> str:
    what, *rest = channel.split(".")
    return "book in groups" if what == "book" and len(rest) == 4 else what


def socket_of(symbol: str) -> tuple[Socket, Known]:
    """The socket that tells of an instrument, and that as all there is."""
    base = symbol.partition("-")[0].partition("_")[0]
    [socket] = live.sockets([base], keyed=False)
    return socket, Known({symbol: Instrument(symbol, base, "USD", "future")}, {symbol})


def time(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def quote(data: Any) -> Quote:
    sides = [data[f"best_{side}_{what}"] or None for what in ("price", "amount") for side in ("bid", "ask")]
    return Quote(data["instrument_name"], time(data["timestamp"]), *sides)


def book(data: Any) -> BookChange:
    last = data.get("prev_change_id")
    whole = data.get("type") == "snapshot" or not last
    bids, asks = (tuple((price, amount) for _, price, amount in data[side]) for side in ("bids", "asks"))
    assert all(amount == 0 for side in (data["bids"], data["asks"]) for action, _, amount in side if action == "delete")
    symbol = data["instrument_name"]
    return BookChange(symbol, time(data["timestamp"]), whole, data["change_id"], last or None, bids, asks)


def trade(row: Any) -> OptionTrade:
    ids = row["trade_seq"], row["trade_id"]
    told = row["direction"], row["price"], row["amount"]
    more = {name: row.get(name) for name in ("mark_price", "index_price", "liquidation")}
    return OptionTrade(row["instrument_name"], time(row["timestamp"]), *ids, *told, iv=None, **more)


def test_every_frame_of_rows_is_read() -> None:
    seen = Counter[str]()
    for frame in frames():
        if frame.get("method") != "subscription":
            continue
        channel, data = frame["params"]["channel"], frame["params"]["data"]
        kind = kind_of(channel)
        seen[kind] += 1
        first = data[0] if isinstance(data, list) else data
        socket, known = socket_of(first.get("instrument_name", "BTC"))
        heard = hear(socket, frame, known)
        if kind in NOT_READ:
            assert heard.said is Said.NOTHING
        elif first.get("change_id") == CUT:
            assert "asks" not in first
            assert heard.unread
        else:
            expected = (
                [trade(row) for row in data] if kind == "trades" else [{"quote": quote, "book": book}[kind](data)]
            )
            assert (heard.said, heard.about, heard.bad) == (Said.DATA, key_of(channel), [])
            assert heard.records == expected
            assert heard.newest == max(one.time for one in expected)
    assert seen.keys() == {"quote", "book", "trades"} | NOT_READ
    assert (seen["quote"], seen["book"], seen["trades"]) == (2, 57, 6)


def test_every_frame_of_another_kind_is_known() -> None:
    [socket] = live.sockets(["btc"], keyed=False)
    told: list[Any] = []
    for frame in frames():
        if frame.get("method") != "subscription":
            items = list(socket.rows(frame, Known({}, ())))
            told.append((socket.said(frame), socket.reply(frame) is not None, items))
    assert told == [
        (Said.NOTHING, False, []),
        (Said.ALIVE, True, []),
        (Said.DATA, False, [Bad(None, "upstream_error", "13778 raw_subscriptions_not_available_for_unauthorized")]),
        (Said.DATA, False, [Bad(None, "upstream_error", "11050 bad_request")]),
        (Said.NOTHING, False, []),
    ], "answers to requests whose ids are not ours"


@pytest.mark.parametrize("name", ["ws__misc_frames.jsonl", "ws__options_raw_capture_2021-07.jsonl"])
def test_an_answer_with_our_id_tells_what_is_taken(name: str) -> None:
    [socket] = live.sockets(["btc"], keyed=True)
    lines = [json.loads(line) for line in (shared("fixtures/deribit") / name).read_text().splitlines()]
    bodies = [json.loads(line["raw"]) for line in lines]
    [answer] = [body for body in bodies if isinstance(body.get("result"), list)]
    ours = answer | {"id": f"subscribe {answer['result'][0]}"}
    assert socket.said(ours) is Said.DONE
    assert socket.answer(ours) == Answer(answer["result"][0], answer["result"])


def test_recorded_books_go_on_where_they_were() -> None:
    """Of a capture with nothing missing."""
    last: dict[str, int] = {}
    for line in (shared("fixtures/deribit") / "ws__options_raw_capture_2021-07.jsonl").read_text().splitlines():
        frame = json.loads(json.loads(line)["raw"])
        channel = frame.get("params", {}).get("channel", "")
        if channel.startswith("book."):
            socket, known = socket_of(channel.split(".")[1])
            [change] = hear(socket, frame, known).records
            assert isinstance(change, BookChange)
            assert change.whole or change.previous_id == last[change.symbol]
            last[change.symbol] = change.change_id
    assert len(last) == 10
