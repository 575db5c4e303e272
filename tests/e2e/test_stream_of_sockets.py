"""One connection to a replayed exchange: kept open, subscribed, and given up when nobody is there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from app import settings
from app.ingest import sources
from app.ingest.heard import Heard
from app.ingest.line import Clock, Line
from app.ingest.socket import Known
from app.ingest.spec import Message, Socket
from app.ingest.stream import keep_open
from app.ingest.topics import key_of, topics_of
from app.ingest.waiting import back_off
from app.records import Candle, Instrument
from tests import minutes
from tests.replay_sockets import Fast, Faults, Sockets, replaying
from tests.replayed import markets

START = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)
SPEED = 60.0


@dataclass
class Ear:
    """What was heard, and what broke."""

    frames: list[Heard] = field(default_factory=list)
    breaks: list[set[str]] = field(default_factory=list)
    healed: list[dict[str, datetime]] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    def hear(self, line: Line, message: Message, heard: Heard) -> None:
        self.frames.append(heard)

    def lost(self, line: Line, keys: Iterable[str]) -> None:
        self.breaks.append(set(keys))

    def found(self, line: Line, broken: Mapping[str, datetime]) -> None:
        self.healed.append(dict(broken))

    def gave_up(self, line: Line, key: str) -> None:
        self.given_up.append(key)

    @property
    def candles(self) -> set[str]:
        return {row.symbol for heard in self.frames for row in heard.records if isinstance(row, Candle)}


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markets, "MARKETS", minutes.many(6))


@asynccontextmanager
async def listening(
    monkeypatch: pytest.MonkeyPatch, exchange: str, faults: Faults, change: Callable[[Socket], Socket] = lambda one: one
) -> AsyncIterator[tuple[Line, Ear, Sockets]]:
    clock, ear = Fast(START, SPEED), Ear()
    socket = change(sources.load([exchange])[exchange].sockets[0])
    contracts = {m.symbol: Instrument(m.symbol, m.base, m.quote) for m in markets.of(exchange)}
    async with replaying(clock, faults) as there:
        for name, value in there.settings().items():
            monkeypatch.setenv(name, value)
        settings.environment.cache_clear()
        known = Known(contracts, contracts)
        line = Line(f"{exchange}:0", exchange, socket, Clock(clock, clock.sleep), ear, known)
        line.want(topics_of(socket, contracts.values()), known)
        task = asyncio.create_task(keep_open(line))
        try:
            yield line, ear, there
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    settings.environment.cache_clear()


async def until(is_so: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - of many things
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("exchange", minutes.EXCHANGES)
async def test_everything_is_subscribed_and_told_and_closed_at_the_end(
    monkeypatch: pytest.MonkeyPatch, exchange: str
) -> None:
    async with listening(monkeypatch, exchange, Faults()) as (line, ear, there):
        await until(lambda: len(line.since) == len(line.topics) and len(ear.candles) == 6)
        assert there.asked.total() == len(line.topics), "each once"
        assert not any(heard.unread or heard.bad for heard in ear.frames)
        assert line.health.state == "connected"
    assert line.health.state == "closed"
    assert not there.peers


async def test_a_refused_topic_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults(refused={"kline.1.C002USDT"})
    async with listening(monkeypatch, "bybit", faults) as (line, ear, there):
        await until(lambda: "refused" in (line.health.error or ""))
        assert ear.given_up == [key_of("kline.1.C002USDT")]
        assert line.since.keys() == line.topics.keys() - {key_of("kline.1.C002USDT")}
        assert there.connected["bybit"] == 1
    assert "kline.1.C002USDT" in caplog.text


async def test_a_break_is_told_from_the_last_frame_to_the_new_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, "okx", Faults()) as (line, ear, there):
        await until(lambda: len(ear.candles) == 6)
        last = line.health.last_message_at
        there.drop("okx")
        await until(lambda: ear.healed and len(line.since) == len(line.topics))
        assert ear.breaks == [set(line.topics)]
        assert last
        assert set().union(*ear.healed) == set(line.topics)
        assert all(since >= last for healed in ear.healed for since in healed.values())
        assert line.health.reconnects == 1
        tells, since = ("candles_1m", "C001-USDT-SWAP"), line.since[key_of(line.topics[next(iter(line.topics))].said)]
        assert line.covers(tells, START + minutes.MINUTE, last), "before the break"
        assert not line.covers(tells, last, since), "across it"


async def test_who_says_that_it_closes_is_followed_without_a_break(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, "okx", Faults()) as (line, ear, there):
        await until(lambda: len(line.since) == len(line.topics))
        before = dict(line.since)
        await there.say("okx", {"event": "notice", "code": "64008", "msg": "upgrade", "connId": "c"})
        await until(lambda: there.connected["okx"] == 2 and len(there.peers) == 1 and len(line.sessions) == 1)
        assert line.since == before
        assert ear.breaks == []


async def test_a_connection_is_renewed_before_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(one: Socket) -> Socket:
        return replace(one, lasts=minutes.MINUTE)

    async with listening(monkeypatch, "binance", Faults(), short) as (_, ear, there):
        await until(lambda: there.connected["binance"] >= 3)
        assert ear.breaks == []


async def test_silence_is_answered_by_a_ping_and_at_last_by_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults()
    async with listening(monkeypatch, "bybit", faults) as (line, ear, there):
        await until(lambda: len(line.since) == len(line.topics))
        faults.silent.add("bybit")
        await until(lambda: ear.breaks)
        assert line.health.error
        assert "silent for" in line.health.error
        faults.silent.clear()
        await until(lambda: len(line.since) == len(line.topics))
        assert there.connected["bybit"] >= 2


async def test_contracts_are_added_and_left_out_on_an_open_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, "okx", Faults()) as (line, ear, there):
        await until(lambda: len(line.since) == len(line.topics))
        every = dict(line.topics)
        fewer = dict([*every.items()][:3])
        line.want(fewer, line.known)
        await until(lambda: there.peers[0].topics == set(fewer))
        line.want(every, line.known)
        await until(lambda: there.peers[0].topics == set(every) and len(line.since) == len(every))
        assert there.connected["okx"] == 1
        assert ear.breaks == []


async def test_a_proxy_nobody_can_speak_to_is_told_of_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKS_PROXY", "socks5://127.0.0.1:9")
    async with listening(monkeypatch, "bybit", Faults()) as (line, _, there):
        await until(lambda: len(line.since) == len(line.topics))  # on the loopback none is asked
        monkeypatch.setenv("BYBIT_WS_URL", "ws://sockets.invalid")
        settings.environment.cache_clear()
        there.drop("bybit")
        await until(lambda: "python-socks" in (line.health.error or ""))
        monkeypatch.setenv("BYBIT_WS_URL", there.url)
        settings.environment.cache_clear()
        await until(lambda: len(line.since) == len(line.topics))


async def test_frames_nobody_can_read_are_told_and_the_connection_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(monkeypatch, "bybit", Faults()) as (line, ear, there):
        await until(lambda: len(line.since) == len(line.topics))
        for frame in ({"topic": "kline.1.C001USDT", "data": [7]}, {"topic": "kline.1.C001USDT"}, [], "{", 5):
            await there.say("bybit", frame)
        await until(lambda: sum(heard.unread is not None for heard in ear.frames) == 2)
        assert line.health.dropped == 2
        assert line.health.reconnects == 0


def test_who_does_not_let_us_in_is_left_alone_for_long() -> None:
    assert all(back_off(1, True) >= 150 for _ in range(50))
    assert all(back_off(number, False) <= min(60, 2**number) for number in range(12))


def test_who_was_not_there_a_thousand_times_is_tried_again() -> None:
    assert 0 <= back_off(1_000_000, False) <= 60
    assert max(back_off(1025, False) for _ in range(200)) > 30


async def test_a_minute_is_known_to_be_heard_whole_soon_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_trades(one: Socket) -> Socket:
        return replace(one, channels=one.channels[1:2])

    async with listening(monkeypatch, "bybit", Faults(), only_trades) as (line, _, there):
        await until(lambda: len(line.since) == len(line.topics))
        end = START.replace(second=0) + 2 * minutes.MINUTE
        await there.now.until(end + timedelta(seconds=5))  # the next trades are at :07
        assert line.covers(("taker_volume", "C001USDT"), end - minutes.MINUTE, end)
