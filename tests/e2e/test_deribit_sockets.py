"""A line to a replayed Deribit over real sockets: what is heard, noticed, asked for again, and never said."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx
import pytest

from app import settings
from app.ingest.heard import Heard
from app.ingest.line import Clock, Line
from app.ingest.socket import Known
from app.ingest.sources.deribit import live
from app.ingest.spec import Message, Socket
from app.ingest.stream import keep_open
from app.ingest.topics import key_of, topics_of
from app.ingest.waiting import back_off
from app.records import BookChange, Instrument, OptionTrade, Quote
from tests.replayed import deribit_sockets
from tests.replayed.deribit_peer import Wrong
from tests.replayed.deribit_sockets import KEY, Deribit
from tests.replayed.deribit_world import World, kind

PERPETUAL = "BTC-PERPETUAL"
MINUTE = timedelta(minutes=1)
SPEED = 120.0
SETTLING = Wrong(10041, "settlement_in_progress")


@dataclass
class Ear:
    """What was heard of a line; a book that does not go on where it was is renewed."""

    heard: list[Heard] = field(default_factory=list)
    lost_keys: list[set[str]] = field(default_factory=list)
    found_again: list[dict[str, datetime]] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    books: dict[str, list[BookChange]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    _broken: set[str] = field(default_factory=set)

    def hear(self, line: Line, message: Message, heard: Heard) -> None:
        self.heard.append(heard)
        for one in heard.records:
            if isinstance(one, BookChange):
                self._follow(line, one)

    def _follow(self, line: Line, one: BookChange) -> None:
        before = self.books.setdefault(one.symbol, [])
        goes_on = one.whole or (before and before[-1].change_id == one.previous_id)
        if goes_on:
            self._broken.discard(one.symbol)
            before.append(one)
        elif one.symbol not in self._broken:
            self._broken.add(one.symbol)
            self.gaps.append(one.symbol)
            line.renew({key_of(f"book.{one.symbol}.100ms")})

    def lost(self, line: Line, keys: Iterable[str]) -> None:
        self.lost_keys.append(set(keys))

    def found(self, line: Line, broken: Mapping[str, datetime]) -> None:
        self.found_again.append(dict(broken))

    def gave_up(self, line: Line, key: str) -> None:
        self.given_up.append(key)

    def told(self, of: type[Quote | OptionTrade | BookChange]) -> list[Quote | OptionTrade | BookChange]:
        return [one for heard in self.heard for one in heard.records if isinstance(one, of)]


def contract(symbol: str) -> Instrument:
    if kind(symbol) == "future":
        return Instrument(symbol, "BTC", "USD", "perp")
    terms = {"expires_at": datetime.fromisoformat("2026-12-25T08:00Z"), "strike": 1.0, "option_type": "call"}
    return Instrument(symbol, "BTC", "BTC", "option", **terms)


@asynccontextmanager
async def listening(
    monkeypatch: pytest.MonkeyPatch,
    world: World | None = None,
    key: str | None = None,
    more: Iterable[str] = (),
    change: Callable[[Socket], Socket] = lambda one: one,
    logins: Iterable[Wrong | None] = (),
) -> AsyncIterator[tuple[Line, Ear, Deribit]]:
    """A line to all instruments of a world, and to `more` that are not in it."""
    async with deribit_sockets.serving(world, SPEED) as there:
        monkeypatch.setenv("DERIBIT_WS_URL", there.url)
        settings.environment.cache_clear()
        there.logins += logins
        ear, contracts = Ear(), {symbol: contract(symbol) for symbol in (*there.world.instruments, *more)}
        [socket] = live.sockets(["btc"], keyed=key is not None)
        clock, known = Clock(there.now, there.now.sleep), Known(contracts, contracts)
        line = Line("deribit:btc:0", "deribit", change(socket), clock, ear, known, key=key)
        line.want(topics_of(line.socket, contracts.values()), known)
        task = asyncio.create_task(keep_open(line))
        try:
            yield line, ear, there
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    settings.environment.cache_clear()


async def until(is_so: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - of many things
            await asyncio.sleep(0.01)


def is_whole(line: Line) -> bool:
    return line.since.keys() == line.topics.keys()


def level(there: Deribit, symbol: str) -> tuple[dict[float, float], dict[float, float]]:
    book = there.world.books[symbol]
    return book.bids, book.asks


def rebuilt(changes: Iterable[BookChange]) -> tuple[dict[float, float], dict[float, float]]:
    """The book that changes lead to."""
    sides: tuple[dict[float, float], dict[float, float]] = {}, {}
    for change in changes:
        for side, levels in zip(sides, (change.bids, change.asks), strict=True):
            if change.whole:
                side.clear()
            side.update(levels)
            for price in [price for price, amount in side.items() if amount == 0]:
                del side[price]
    return sides


async def test_all_is_heard_once_and_heartbeats_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch) as (line, ear, there):
        await until(lambda: is_whole(line))
        await there.now.until(there.world.start + 4 * MINUTE)
        assert len(there.connected) == 1, "10 s after a test_request that nobody answers it is closed"
        assert len(there.asked) == 1
        told = [(one.symbol, one.seq, one.price) for one in ear.told(OptionTrade) if isinstance(one, OptionTrade)]
        rows = [row for rows in there.world.trades.values() for row in rows]
        there_are = {(row["instrument_name"], row["trade_seq"], row["price"]) for row in rows}
        assert set(told) <= there_are
        assert len(set(told)) == len(told) >= len(there_are) - 5, "those of before the subscription, and just now"
        for symbol in there.world.instruments:
            await until(lambda symbol=symbol: rebuilt(ear.books[symbol]) == level(there, symbol))  # type: ignore[misc]
        assert not any(heard.bad or heard.unread for heard in ear.heard)
        assert {quote.symbol for quote in ear.told(Quote)} == set(there.world.instruments)
        assert not ear.gaps


async def test_who_answers_no_heartbeat_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def mute(one: Socket) -> Socket:
        return replace(one, reply=lambda _: None)

    async with listening(monkeypatch, change=mute) as (line, _, there):
        await until(lambda: len(there.connected) == 2)
        assert there.closed == ["4000 heartbeat close"]
        assert "heartbeat close" in (line.health.error or "")


async def test_a_dead_connection_is_noticed_after_three_and_a_half_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch) as (line, _, there):
        await until(lambda: is_whole(line))
        there.silent = True
        last = line.health.last_message_at
        await until(lambda: len(there.connected) == 2)
        assert last
        assert timedelta(seconds=105) <= there.connected[1] - last < timedelta(seconds=150)
        assert "silent for 10" in (line.health.error or "")


async def test_what_is_dropped_without_a_word_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, World(busy=4.0)) as (line, ear, there):
        await until(lambda: is_whole(line))
        await until(lambda: len(ear.told(OptionTrade)) > 3)
        channels = f"quote.{PERPETUAL}", f"book.{PERPETUAL}.100ms"
        for channel in channels:
            there.silently_unsubscribe(channel)
        at = there.now()
        await until(lambda: there.channels >= set(channels))
        assert timedelta(minutes=2.5) < there.now() - at < timedelta(minutes=6)
        await until(lambda: len(ear.found_again) == 2)
        assert {key for found in ear.found_again for key in found} == {key_of(channel) for channel in channels}
        assert all(abs(since - at) < MINUTE for found in ear.found_again for since in found.values())
        assert not line.covers(("quotes", PERPETUAL), at + MINUTE, at + 2 * MINUTE)
        assert len(there.connected) == 1
        assert all(set(asked) <= set(channels) for _, asked in there.asked[1:]), "no other is asked for again"


async def test_a_book_with_a_gap_begins_anew_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, World(busy=2.0)) as (line, ear, there):
        await until(lambda: is_whole(line) and len(ear.books.get(PERPETUAL, ())) > 5)
        since = dict(line.since)
        there.break_book(PERPETUAL)
        await until(lambda: sum(change.whole for change in ear.books[PERPETUAL]) == 2)
        count = len(ear.books[PERPETUAL])
        await until(lambda: len(ear.books[PERPETUAL]) > count)
        assert ear.gaps == [PERPETUAL]
        assert [asked for _, asked in there.asked[1:]] == [[f"book.{PERPETUAL}.100ms"]]
        assert line.since == since
        assert (len(there.connected), ear.lost_keys) == (1, [])


async def test_a_line_that_is_cut_is_there_again_with_all_its_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch) as (line, ear, there):
        for times in range(1, 4):
            await until(lambda: is_whole(line))
            there.disconnect()
            await until(lambda times=times: len(ear.lost_keys) == times)  # type: ignore[misc]
        await until(lambda: is_whole(line))
        assert ear.lost_keys == 3 * [set(line.topics)]
        assert line.health.reconnects == 3
        before = len(ear.told(Quote))
        await until(lambda: len(ear.told(Quote)) > before)


async def test_who_asks_too_much_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch) as (line, _, there):
        await until(lambda: is_whole(line))
        at = there.now()
        await there.too_many_requests(times=3)
        await until(lambda: len(there.connected) == 4 and is_whole(line), 40)
        first, second, third = (
            (late - early).total_seconds()
            for early, late in zip((at, *there.connected[1:3]), there.connected[1:], strict=True)
        )
        assert first >= 5
        assert second >= 10
        assert third >= 20
        assert "too much" in (line.health.error or "")


def test_the_longest_wait_of_who_asks_too_much_is_a_minute() -> None:
    assert all(5 <= back_off(0, False, True) <= 10 for _ in range(50))
    assert all(30 <= back_off(1000, False, True) <= 60 for _ in range(50))


async def test_wrong_channels_are_given_up_and_cost_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, more=["BTC-9MAR26-1-C"]) as (line, ear, there):
        wrong = {key_of("quote.BTC-9MAR26-1-C"), key_of("book.BTC-9MAR26-1-C.100ms")}
        await until(lambda: set(ear.given_up) == wrong)
        assert line.since.keys() == line.topics.keys() - wrong
        assert [len(asked) for _, asked in there.asked] == [len(line.topics), 2, 2]
        assert len(there.connected) == 1


async def test_with_a_key_all_is_raw_and_the_key_is_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(monkeypatch, key=":".join(KEY)) as (line, ear, there):
        await until(lambda: is_whole(line) and ear.told(BookChange))
        assert f"book.{PERPETUAL}.raw" in there.channels
        assert "trades.option.BTC.raw" in there.channels
        there.disconnect()
        await until(lambda: ear.lost_keys)
        shown = f"{line!r} {line.health!r} {ear.heard!r} {caplog.text}"
    assert KEY[1] not in shown


async def test_a_wrong_key_is_told_of_but_not_which(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(monkeypatch, World(("BTC-PERPETUAL",)), key="reader:not-the-right-one") as (line, ear, there):
        await until(lambda: len(there.connected) == 3, 40)
        assert there.asked == [], "nothing is subscribed for before the login is taken"
        assert "13004" in (line.health.error or "")
        assert ear.given_up == []
        assert "not-the-right-one" not in f"{line.health!r} {ear.heard!r} {caplog.text}"


async def test_a_login_that_is_refused_or_not_answered_for_now_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(("BTC-PERPETUAL",))
    async with listening(monkeypatch, world, ":".join(KEY), logins=[SETTLING, None, SETTLING]) as (line, ear, there):
        await until(lambda: is_whole(line), 40)
        assert (len(there.connected), len(there.asked), there.logins) == (4, 1, [])
        assert ear.given_up == []


async def test_what_was_given_up_is_asked_for_again_after_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    late = "BTC-9MAR26-1-C"
    async with listening(monkeypatch, World((PERPETUAL,)), more=[late]) as (line, ear, there):
        await until(lambda: len(ear.given_up) == 2)
        there.world.list_anew(late)
        await until(lambda: is_whole(line))
        assert len(there.connected) == 1


async def test_trades_that_were_not_told_are_there_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, World((PERPETUAL,), busy=5.0)) as (line, ear, there):
        await until(lambda: is_whole(line) and ear.told(OptionTrade))
        there.skip_trades(3)
        seqs: list[int] = []

        def has_a_hole() -> bool:
            seqs[:] = [one.seq for one in ear.told(OptionTrade) if isinstance(one, OptionTrade)]
            return seqs[-1] - seqs[0] > len(seqs) - 1

        await until(has_a_hole)
        missing = sorted(set(range(seqs[0], seqs[-1])) - set(seqs))
        asked = {"instrument_name": PERPETUAL, "start_seq": missing[0], "end_seq": missing[-1], "sorting": "asc"}
        async with httpx.AsyncClient(base_url=there.rest) as client:
            answer = await client.get("/api/v2/public/get_last_trades_by_instrument", params=asked)
            unknown = await client.get("/api/v2/public/get_last_trades_by_instrument", params={"instrument_name": "X"})
        assert [row["trade_seq"] for row in answer.json()["result"]["trades"]] == missing
        assert len(missing) >= 3
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, -32602)
