"""Numbers that are missing are asked for, the newest first, and no hole keeps the others waiting."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.ingest import sources
from app.ingest.errors import Question, Unavailable
from app.ingest.spec import Bad, Request
from app.ingest.ticks.asking import Archive, Page
from app.ingest.ticks.buffer import Buffer
from app.ingest.ticks.filling import A_TURN, Filling
from app.ingest.ticks.noting import Noted
from app.ingest.ticks.repairs import GRACE, PAUSES, TROUBLED
from app.ingest.ticks.saving import Saving
from app.ingest.ticks.taking import Taking
from app.records import OptionTrade
from app.services.reference import SeriesRef

T = datetime(2026, 3, 10, 12, tzinfo=UTC)
LAST = 300_000_000
X, NEW = "BTC-25DEC26", "BTC-PERPETUAL"
SERIES = {symbol: SeriesRef(number, 1.0, "future") for number, symbol in enumerate((X, NEW))}


def trade(symbol: str, seq: int) -> OptionTrade:
    """One a second; number `LAST` at `T`."""
    return OptionTrade(symbol, T - timedelta(seconds=LAST - seq), seq, str(seq), "buy", 1.0, 1.0)


@dataclass
class Exchange:
    """Tells all trades but those of `nothing`; `asked` are first and last numbers, and from `broken` on it is down."""

    now: datetime = T
    asked: list[tuple[str, int, int]] = field(default_factory=list[Any])
    nothing: set[str] = field(default_factory=set[str])
    broken: int = 1000
    refused: list[Bad] = field(default_factory=list[Bad])

    async def page(self, request: Request, symbol: str) -> Page:
        told = dict(request.params)
        first, last = int(told["start_seq"]), int(told["end_seq"])
        if len(self.asked) >= self.broken:
            raise Unavailable("down", Question("deribit"))
        self.asked.append((symbol, first, last))
        found = [] if symbol in self.nothing else [trade(symbol, seq) for seq in range(first, last + 1)]
        return found, [Bad(symbol, "unreadable", "an odd one")]

    async def turn(self, filling: Filling, after: timedelta = GRACE) -> None:
        await filling.fill()
        self.now += after
        await filling.fill()


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    there = Exchange()

    async def page(archive: Archive, request: Request, symbol: str) -> Page:
        return await there.page(request, symbol)

    monkeypatch.setattr(Archive, "_page", page)
    return there


def filling_of(there: Exchange) -> Filling:
    saving = Saving(cast("Any", None), Buffer(most=1_000_000))
    taking, web = Taking(saving, Noted()), SimpleNamespace(now=lambda: there.now)
    filling = Filling(cast("Any", web), sources.load(["deribit"])["deribit"], "BTC", taking, there.refused.extend)
    taking.complete_until = T - timedelta(minutes=5)
    return filling


def stored(filling: Filling) -> list[tuple[Any, Any]]:
    return [(row[0], row[2]) for row in filling.taking.saving.buffer.take("option_trade", 1_000_000)]


async def test_what_was_traded_before_anybody_collected_is_nobodys_hole(exchange: Exchange) -> None:
    filling = filling_of(exchange)
    filling.taking.take_trades([trade(NEW, LAST)], T)
    filling.taking.know(SERIES, T)
    filling.taking.take_trades([trade(X, LAST - 9), trade(X, LAST)], T)
    await exchange.turn(filling)
    assert sorted(exchange.asked) == [(X, LAST - 8, LAST - 1), (NEW, LAST - 1000, LAST - 1)]
    assert filling.taking.sequences.holes() == []
    assert filling.taking.noted.holes(SERIES) == {}
    seconds = {seq - LAST for series, seq in stored(filling) if series == SERIES[NEW].id}
    assert set(range(-300, 1)) <= seconds, "since when all is known to have come"


async def test_a_long_hole_is_asked_for_in_turns_and_none_is_in_vain(exchange: Exchange) -> None:
    filling = filling_of(exchange)
    filling.taking.know(SERIES, T)
    filling.taking.take_trades([trade(X, LAST - 25_001), trade(X, LAST)], T)
    exchange.broken = 15
    await exchange.turn(filling)
    assert len(exchange.asked) == A_TURN / 1000
    assert exchange.asked[0] == (X, LAST - 1000, LAST - 1)
    await exchange.turn(filling)
    assert sum(hole.last - hole.first + 1 for hole in filling.taking.sequences.holes()) == 10_000
    assert len(exchange.asked) == 15
    told = stored(filling)
    exchange.broken = 1000
    for _ in range(3):
        await exchange.turn(filling, TROUBLED)
    assert filling.taking.sequences.holes() == []
    assert len({number for _, number in [*told, *stored(filling)]}) == 25_002
    assert len(exchange.asked) == 25
    assert len(exchange.refused) == 25, "what cannot be read is told of also where the next page does not come"


async def test_a_hole_that_nobody_fills_keeps_no_other_waiting(exchange: Exchange) -> None:
    filling = filling_of(exchange)
    filling.taking.know(SERIES, T)
    exchange.nothing = {NEW}
    filling.taking.take_trades([trade(NEW, LAST - 20_001), trade(NEW, LAST)], T)
    filling.taking.take_trades([trade(X, LAST - 3), trade(X, LAST)], T)
    await exchange.turn(filling)
    assert (0, LAST - 1) in stored(filling)
    for pause in (*PAUSES, *PAUSES):
        await exchange.turn(filling, pause)
    assert filling.taking.sequences.holes() == []
    [gap] = filling.taking.noted.holes(SERIES).values()
    assert (gap.dataset, gap.first, gap.last) == ("trades", T - timedelta(seconds=20_001), T)
