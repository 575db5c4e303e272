"""Options as tests write them, and what is computed of them: in plain Python, from the definitions alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import erfc, exp, log, pi, sqrt
from typing import Any

from app.db import Database, driver, writing
from app.records import Instrument
from app.services import partitions, reference
from app.services.store import put
from tests.db.facts import batch

YEAR = timedelta(days=365)
EXPIRY = datetime(2026, 3, 27, 8, tzinfo=UTC)
DAY = datetime(2026, 3, 2, tzinfo=UTC)
Greeks = dict[str, float]


def at(hours: float) -> datetime:
    """So many hours after the start of the test day."""
    return DAY + timedelta(hours=hours)


def normal(x: float) -> float:
    """The standard normal distribution."""
    return erfc(-x / sqrt(2)) / 2


def black76(option_type: str, forward: float, strike: float, iv: float, years: float) -> Greeks:
    """Black (1976) without interest, of one coin in USD."""
    side = 1 if option_type == "call" else -1
    spread = iv * sqrt(years)
    d1 = (log(forward / strike) + iv * iv * years / 2) / spread
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    return {
        "price": side * (forward * normal(side * d1) - strike * normal(side * (d1 - spread))),
        "delta": side * normal(side * d1),
        "gamma": density / (forward * spread),
        "vega": forward * density * sqrt(years) / 100,
        "theta": -forward * density * iv / (2 * sqrt(years)) * min(1 / 365, years),
        "rho": side * strike * years * normal(side * (d1 - spread)) / 100,
    }


def between(points: Iterable[tuple[float, float]], x: float) -> float | None:
    """Linear between the two nearest points; None beyond them. Points of equal x are their mean."""
    there: dict[float, list[float]] = {}
    for place, value in points:
        there.setdefault(place, []).append(value)
    low, high = ([p for p in there if p <= x], [p for p in there if p >= x])
    if not low or not high:
        return None
    (x0, y0), (x1, y1) = ((p, sum(there[p]) / len(there[p])) for p in (max(low), min(high)))
    return y0 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)


@dataclass(frozen=True, slots=True)
class Option:
    """How one option stood."""

    strike: float
    option_type: str
    iv: float
    forward: float
    years: float

    @property
    def delta(self) -> float:
        """By Black-76."""
        return black76(self.option_type, self.forward, self.strike, self.iv, self.years)["delta"]


def smile(options: Sequence[Option], forward: float) -> dict[str, float | None]:
    """IV at the forward, and where delta is 0.25 and -0.25."""
    calls = [(o.delta, o.iv) for o in options if o.option_type == "call" and o.strike >= forward]
    puts = [(o.delta, o.iv) for o in options if o.option_type == "put" and o.strike <= forward]
    atm = between([(o.strike, o.iv) for o in options], forward)
    return {"atm_iv": atm, "call": between(calls, 0.25), "put": between(puts, -0.25)}


def listed(strike: float, option_type: str, expires_at: datetime = EXPIRY, **more: Any) -> Instrument:
    """An inverse option of BTC; with `quote="USDC"` and `margin="stable"` a linear one."""
    base = "BTC" if more.get("margin", "coin") == "coin" else "BTC_USDC"
    name = f"{base}-{expires_at.day}{expires_at:%b%y}-{strike:g}-{option_type[0]}".upper()
    terms = {"quote": "BTC", "margin": "coin", **more}
    return Instrument(
        name, "BTC", kind="option", expires_at=expires_at, strike=strike, option_type=option_type, **terms
    )


async def listing(
    db: Database, *instruments: Instrument, exchange: str = "deribit", source: str = "deribit"
) -> Mapping[str, int]:
    """The ids of the series of these instruments, by symbol."""
    await reference.put_instruments(db, exchange, instruments)
    kinds = {instrument.kind for instrument in instruments}
    series = await reference.series_of(db, source, exchange, list(kinds))
    return {symbol: ref.id for symbol, ref in series.items()}


async def tell(db: Database, fact: str, *rows: Mapping[str, Any]) -> None:
    """Store rows of a fact."""
    await put(db, fact, [batch(fact, rows)])


async def tick(db: Database, table: str, *rows: Mapping[str, Any]) -> None:
    """Store ticks: rows of one shape."""
    names = list(rows[0])
    days = {row["ts"].replace(hour=0, minute=0, second=0, microsecond=0) for row in rows}
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    async with writing(db) as connection:
        copy = await driver(connection)
        await partitions.provide(db, copy, table, days)
        values = [tuple(row.values()) for row in rows]
        await copy.executemany(f"insert into {table} ({', '.join(names)}) values ({places})", values)
