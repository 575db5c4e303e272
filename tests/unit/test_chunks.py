"""How history is cut into chunks, and what a chunk that was written down asks later."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.ingest.chunks import MOST_ROWS, Gone, chunked, restored
from app.ingest.plan import Stretch, windows
from app.ingest.sources import load
from app.ingest.spec import Feed, Source, Window
from app.records import Instrument

END = datetime(2026, 3, 10, 12, 5, 20, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BTC = Instrument("BTCUSDT", "BTC", "USDT", funding_interval_hours=8)
KNOWN = {"BTCUSDT": BTC}
BYBIT, DEFILLAMA = load(["bybit"])["bybit"], load(["defillama"])["defillama"]
CANDLES = BYBIT.feed("candles_1m", "instrument") or BYBIT.feeds[0]


def of_candles(limit: int) -> Source:
    return replace(BYBIT, feeds=(replace(CANDLES, step=MINUTE, limit=limit),))


def asked(source: Source, minutes: int, pages: int = 8) -> list[list[Window]]:
    """What each chunk of so many minutes asks."""
    pieces = list(chunked(0, source.feeds[0], [Window(END - minutes * MINUTE, END, BTC)], pages))
    told = [restored(source, piece.window, KNOWN)[1] for piece in pieces]
    assert [piece.requests for piece in pieces] == [len(one) for one in told]
    assert sum(piece.rows for piece in pieces) == minutes
    return told


@pytest.mark.parametrize("minutes", [1, 98, 99, 100, 8 * 99, 8 * 99 + 1, 5000])
@pytest.mark.parametrize("pages", [1, 8, 64])
def test_chunks_ask_the_pages_of_the_whole(minutes: int, pages: int) -> None:
    source = of_candles(100)
    whole = list(windows(Stretch(source.feeds[0], END - minutes * MINUTE, END, BTC), {}))
    chunks = asked(source, minutes, pages)
    assert [window for chunk in chunks for window in chunk] == whole
    assert [len(chunk) for chunk in chunks[:-1]] == [pages] * (len(chunks) - 1)


def test_a_chunk_is_never_more_than_is_stored_at_once() -> None:
    chunks = asked(of_candles(1001), 200_000, pages=1024)
    assert {len(chunk) for chunk in chunks} == {MOST_ROWS // 1000}


def test_nothing_is_cut_of_an_empty_window() -> None:
    assert not list(chunked(0, CANDLES, [Window(END, END, BTC), Window(END, END - HOUR, BTC)]))


def with_history(source: Source) -> list[tuple[int, Feed]]:
    return [(at, feed) for at, feed in enumerate(source.feeds) if feed.history and feed.scope != "market"]


def found_in(now: Source, before: Source) -> Sequence[Feed | None]:
    """The feeds that chunks of each feed of an earlier version are taken to be of."""
    window = Window(END - HOUR, END, subjects=("x",))
    pieces = [piece for at, feed in with_history(before) for piece in chunked(at, feed, [window])]
    return [restored(now, piece.window, {})[0] for piece in pieces]


@pytest.mark.parametrize("name", ["binance", "bybit", "okx", "hyperliquid", "velo", "artemis", "defillama"])
def test_a_chunk_is_of_its_feed(name: str) -> None:
    source = load([name])[name]
    assert found_in(source, source) == [feed for _, feed in with_history(source)]


def test_a_chunk_is_of_its_feed_wherever_that_stands_later() -> None:
    later = replace(BYBIT, feeds=BYBIT.feeds[::-1])
    assert found_in(later, BYBIT) == [feed for _, feed in with_history(BYBIT)]


def test_feeds_of_one_dataset_are_not_taken_for_another() -> None:
    """Two of DefiLlama's are asked with the same words: moved, they are rather not found."""
    later = replace(DEFILLAMA, feeds=DEFILLAMA.feeds[::-1])
    alone = [feed for _, feed in with_history(DEFILLAMA) if feed.request.__qualname__ != "summary"]
    before = replace(DEFILLAMA, feeds=tuple(alone))
    assert len(alone) > 3
    assert found_in(later, before) == alone
    with pytest.raises(Gone, match="order it anew"):
        found_in(later, DEFILLAMA)


def test_what_is_not_there_any_more_is_said() -> None:
    (piece,) = chunked(0, CANDLES, [Window(END - HOUR, END, BTC)])
    with pytest.raises(Gone, match="BTCUSDT"):
        restored(BYBIT, piece.window, {})
    with pytest.raises(Gone, match="candles_1m"):
        restored(replace(BYBIT, feeds=()), piece.window, KNOWN)
    with pytest.raises(Gone):
        restored(BYBIT, {**piece.window, "feed": 3}, KNOWN)
