"""Spreads between perpetuals of one asset: short the higher rate, long the lower; over time, and ranked after fees."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.db import Database
from app.services.fees import FeeTable
from app.services.perps import Margin, Perps
from app.services.queries import Query, sql

Sort = Literal[
    "net_apr", "spread", "spread_apr", "short_rate", "long_rate", "fees", "break_even_hours", "persistence",
    "realised_spread", "capacity_usd", "short_oi_usd", "long_oi_usd", "age_s", "short_age_s", "long_age_s",
]  # fmt: skip
SMALLER_IS_BETTER = frozenset({"fees", "break_even_hours", "age_s", "short_age_s", "long_age_s"})
"""What is ranked from the lowest on, unless told otherwise."""
PAIRS = 10
"""Pairs an instant that a page of all of them is first taken to have."""
SYMBOLS = """
select i.symbol from instrument i join exchange e on e.id = i.exchange_id
where i.entity_id = $1 and i.kind = 'perp' and e.slug = $2 order by contract_order(i.symbol)
"""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Perpetuals of these entities (None: of all), narrowed as in `Perps`."""

    entity_ids: tuple[int, ...] | None = None
    exchanges: tuple[str, ...] | None = None
    margin: Margin | None = None
    source: str | None = None
    known_at: datetime | None = None

    @classmethod
    def of(cls, perps: Perps) -> "Contracts":
        """Those of one entity."""
        return cls((perps.entity_id,), perps.exchanges, perps.margin, perps.source, perps.known_at)


@dataclass(frozen=True, slots=True)
class Leg:
    """A contract by its exchange and symbol; without a symbol the exchange's main contract in force at each instant."""

    exchange: str
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """The difference of two legs: short − long, which may be negative."""

    short: Leg
    long: Leg


Pairs = Literal["best", "all"] | Named


@dataclass(frozen=True, slots=True)
class Terms:
    """How spreads are ranked. Rates and `min_spread` are fractions per `per_hours`; open interest is in USD."""

    fees: FeeTable
    capacity_share: float
    per_hours: float = 8.0
    horizon_hours: float = 168.0
    lookback_hours: int = 168
    min_spread: float | None = None
    min_oi_usd: float | None = None
    every_pair: bool = False
    sort: Sort = "net_apr"
    ascending: bool = False


def over_time(
    contracts: Contracts,
    first: datetime,
    last: datetime,
    step: timedelta,
    per_hours: float,
    pairs: Pairs,
    min_spread: float | None = None,
    *,
    then: bool = False,
) -> Query:
    """Pairs at every step from `first` to `last`, both included; spreads of `min_spread` or more, per `per_hours`.

    `then`: one instant is looked up, with intervals as the settlements by then tell, not as they are judged now.
    """
    named = pairs if isinstance(pairs, Named) else None
    legs = (named.short, named.long) if named else (None, None)
    return Query(
        sql("spreads", "over_time"),
        (
            *(contracts.entity_ids, first, last, step, per_hours),
            *(contracts.exchanges, contracts.margin, contracts.source, contracts.known_at),
            *(min_spread, "named" if named else pairs),
            *(part for leg in legs for part in (leg and leg.exchange, leg and leg.symbol)),
            then,
        ),
        start=1,
        end=2,
        step=step if min_spread is None else None,
        rows=PAIRS if pairs == "all" else 1,
    )


def ranking(contracts: Contracts, moment: datetime, terms: Terms, *, trading: bool) -> Query:
    """The best pair of each asset (or all) at `moment`, ranked. `trading` leaves out contracts that trade no more."""
    return Query(
        sql("spreads", "ranking"),
        (
            *(moment, terms.per_hours, contracts.entity_ids, contracts.exchanges, contracts.known_at),
            *(terms.min_spread, terms.min_oi_usd, terms.horizon_hours, terms.lookback_hours),
            *(list(terms.fees.rates), list(terms.fees.rates.values()), terms.fees.other, terms.capacity_share),
            *(terms.every_pair, terms.sort, trading, contracts.margin, terms.fees.assumed, terms.ascending),
        ),
    )


async def steps(
    db: Database, contracts: Contracts, first: datetime, last: datetime, step: timedelta, pairs: Pairs
) -> int:
    """How many pairs `over_time` may have to look at, over all its instants since there are settlements."""
    asked = (contracts.entity_ids, first, last, step, contracts.exchanges)
    found = await db.reads.fetchrow(sql("spreads", "extent"), *asked)
    assert found is not None  # noqa: S101 - an aggregate is always one row
    of_each = max(1, (found["contracts"] - 1) / 2) if pairs == "all" else 1
    return int(found["instants"] * of_each)


async def symbols(db: Database, entity_id: int, exchange: str) -> list[str]:
    """The perpetuals of an entity on an exchange, the main one first."""
    return [row["symbol"] for row in await db.reads.fetch(SYMBOLS, entity_id, exchange)]
