"""Trades asked for over REST: by their numbers, and all of a coin by time."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.ingest.errors import Absent
from app.ingest.runner import Answer, Web, ask
from app.ingest.spec import Bad, NumberedTrades, Request, Source
from app.ingest.ticks.sequences import Hole
from app.records import OptionTrade

Page = tuple[list[OptionTrade], list[Bad]]
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Archive:
    """What an exchange tells of past trades. Everything raises UpstreamError where it does not answer."""

    web: Web
    source: Source
    trades: NumberedTrades

    async def missing(self, hole: Hole) -> AsyncIterator[Page]:
        """The trades of a hole, the newest page first; none where there is no such instrument any more."""
        for last in range(hole.last, hole.first - 1, -self.trades.most):
            first = max(hole.first, last - self.trades.most + 1)
            try:
                yield await self._page(self.trades.request(hole.symbol, first, last), hole.symbol)
            except Absent:
                return

    async def recent(self, currency: str, since: datetime, until: datetime) -> AsyncIterator[Page]:
        """All trades of a coin's contracts (and maybe of others) from `since` until before `until`, page by page."""
        for recent in self.trades.recent:
            start = since
            while start < until:
                found, bad = await self._page(recent(currency, start, until), None)
                yield found, bad
                if len(found) + len(bad) < self.trades.most:
                    break
                newest = max((trade.time for trade in found), default=until)
                start = newest if newest > start else start + MILLISECOND

    async def _page(self, request: Request, symbol: str | None) -> Page:
        answer = await ask(self.web, self.source, request, symbol, live=True, sent=_uncounted)
        rows = self._read(answer)
        found = [row for row in rows if isinstance(row, OptionTrade)]
        return found, [row for row in rows if isinstance(row, Bad)]

    def _read(self, answer: Answer) -> list[OptionTrade | Bad]:
        try:
            return [*self.trades.rows(answer.says)]
        except ValueError as error:
            raise answer.malformed(str(error).splitlines()[0]) from error


def _uncounted() -> None:
    """Requests are counted for pulls, which this is none of."""


def archive(web: Web, source: Source) -> Archive | None:
    """Where past trades of a source are; None: it tells of none."""
    return source.trades and Archive(web, source, source.trades)


def of_currency(trades: Iterable[OptionTrade], currency: str) -> list[OptionTrade]:
    """Those of contracts on a coin, by their names."""
    return [trade for trade in trades if is_of(trade.symbol, currency)]


def is_of(symbol: str, currency: str) -> bool:
    """Whether a contract, by its name (`BTC-PERPETUAL`, `SOL_USDC-PERPETUAL`), is on a coin."""
    return symbol.startswith((f"{currency}-", f"{currency}_"))
