"""Options as tests write them, and the smile of an expiry: in plain Python, from the definitions alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.db import Database, driver, writing
from app.records import Instrument, Kind
from app.services import partitions, reference
from app.services.store import put
from tests.db.facts import batch
from tests.plain_options import between, black76

EXPIRY = datetime(2026, 3, 27, 8, tzinfo=UTC)
DAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after the start of the test day."""
    return DAY + timedelta(hours=hours)


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
        return black76(self.option_type, self.forward, self.strike, self.iv, self.years).delta


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
    kinds: set[Kind] = {instrument.kind for instrument in instruments}
    series = await reference.series_of(db, source, exchange, kinds)
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
