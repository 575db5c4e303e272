"""What no socket of Hyperliquid tells of all coins at once: one request a minute, of a sixtieth of the weight."""

from itertools import chain

from app.ingest import spec
from app.ingest.sources.hyperliquid.rest import INFO, MINUTE, Coin, State, estimates, interests, state
from app.ingest.spec import Feed, MaybeNum, Rows, Window, Wire
from app.records import PerpMinute


class Mark(Wire):
    """`{"markPx":"80.5","oraclePx":"80.4",...}`"""

    markPx: MaybeNum
    oraclePx: MaybeNum = None


class MarkedCoin(Coin):
    context: Mark


def mark_price(row: MarkedCoin, window: Window) -> PerpMinute | None:
    """The mark price and the oracle's, of the minute they were asked for in."""
    if row.isDelisted or row.context.markPx is None:
        return None
    return spec.marked(row.name, window.end, row.context.markPx, row.context.oraclePx)


marks = spec.each(MarkedCoin, mark_price, State.coins, "name")


def standing(answer: State, window: Window) -> Rows:
    """Of each coin the estimate of funding, then of each open interest, then of each the mark price."""
    return chain(estimates(answer, window), interests(answer, window), marks(answer, window))


POLLS = (Feed("perp_snapshot", "market", state, State, standing, MINUTE, INFO),)
