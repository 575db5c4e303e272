"""Liquidations on OKX, told by socket and REST in one form: a contract and the `details` of its orders.

Sizes are contracts, prices those of bankruptcy.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Literal

from app.ingest import spec
from app.ingest.sources.okx.rest import HOUR, MINUTE, PAGE, PUBLIC, Answer
from app.ingest.spec import Bad, Feed, Json, Ms, Num, Request, Rows, Window, Wire, get
from app.records import BadRecord, Instrument, Liquidation, Position

PATH = "liquidation-orders"
CLOSED: Mapping[str, Position] = {"long": "long", "short": "short"}
CLOSED_BY: Mapping[str, Position] = {"sell": "long", "buy": "short"}


def coins(contracts: float, price: float, of: Instrument) -> float:
    """Contracts as coins: each is `contract_size` of them, or of USD where the swap is inverse."""
    if price == 0:
        raise BadRecord("no_value", "a price of nothing")
    size = contracts * of.contract_size
    return size / price if of.margin == "coin" else size


class Orders(Wire):
    """`{"instId":"ABC-USDT-SWAP","details":[...],"instFamily":"ABC-USDT","instType":"SWAP",...}`"""

    instId: str
    details: list[Json]


class Detail(Wire):
    """`{"bkPx":"79.9","posSide":"long","side":"sell","sz":"8.5","ts":"1795212345678",...}`"""

    bkPx: Num
    posSide: Literal["long", "short", "net", ""] = "net"
    side: Literal["buy", "sell"]
    sz: Num
    ts: Ms


def liquidation(item: Json, of: Instrument) -> Liquidation:
    """Whose position it was `posSide` tells, or else the side of the order that closed it: a long is sold."""
    row = Detail.model_validate(item)
    side = CLOSED.get(row.posSide, CLOSED_BY[row.side])
    return Liquidation(of.symbol, row.ts, side, row.bkPx, coins(row.sz, row.bkPx, of))


def details(rows: Sequence[Json]) -> Iterator[tuple[str, Json] | Bad]:
    """The symbol and the raw detail of each order."""
    for orders in spec.read_rows(Orders, rows, lambda row: row, "instId"):
        if isinstance(orders, Bad):
            yield orders
        else:
            yield from ((orders.instId, detail) for detail in orders.details)


def liquidation_orders(window: Window) -> Request:
    """Orders of one swap, asked by its family, of the past day."""
    asked = {"instType": "SWAP", "instFamily": window.symbol.removesuffix("-SWAP"), "state": "filled"}
    times = {"after": window.last_ms + 1, "before": window.start_ms - 1, "limit": PAGE}
    return get(f"/api/v5/public/{PATH}", costs={PATH: 1}, **asked, **times)


def liquidations(answer: Answer, window: Window) -> Rows:
    """One item a detail."""

    def one(item: Json) -> Liquidation | None:
        found = liquidation(item, window.one)
        return found if window.holds(found.time) else None

    for told in details(answer.data):
        if isinstance(told, Bad):
            yield told
        else:
            yield spec.tried(one, told[1], told[0]) if told[0] == window.symbol else None


# The socket tells of them as they happen; this fills its gaps. A swap has one a second at most, so a minute is a page.
LIQUIDATIONS = Feed(
    "liquidations",
    "instrument",
    liquidation_orders,
    Answer,
    liquidations,
    HOUR,
    f"{PUBLIC}-liquidation-orders",
    step=MINUTE,
    limit=PAGE,
    history=True,
    keeps=timedelta(days=1),
)
