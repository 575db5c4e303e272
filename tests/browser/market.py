"""Recorded data in the store of the browser tests: imported as a user would, its times moved so that it ends now.

The values are as recorded. Only options are left at their time: their names hold dates.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.db import Database
from app.services import rollup
from app.services.importing import import_files, options
from tests.conftest import shared
from tests.recorded_options import SNAPSHOTS

EIGHT_HOURS = 28_800_000
DAYS = 3
MARKET, SOL = "multivenue_2025_2026", "sol_okx_full_and_4venues_2026_06"
MARKET_ENDS, SOL_ENDS = (int(datetime(*day, tzinfo=UTC).timestamp() * 1000) for day in ((2026, 3, 5), (2026, 6, 21)))
"""What is recorded goes on for eight hours more, at the least: the end is somewhere in them."""
OPTIONS_SINCE, OPTIONS_AT = 1770480000000 - 40 * 3_600_000, "2026-02-07T21:00"
NEAR = 0.3
"""Options whose strike is that near to the price."""
NAMES = {"venue": "exchange", "coin": "asset"}
Row = dict[str, str]


def rows_of(dataset: str, file: str) -> Iterator[Row]:
    path = shared(f"datasets/{dataset}") / file
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(text.decode().splitlines())


def moved(rows: Iterator[Row], ends: int, days: float = DAYS, lasts: int = 60_000) -> list[Row]:
    """The last days before an instant some hours after `ends`, which becomes now. `lasts`: milliseconds of a row."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    by = (now - ends) // EIGHT_HOURS * EIGHT_HOURS
    since = now - by - timedelta(days=days) // timedelta(milliseconds=1)
    return [{**row, "ts": str(int(row["ts"]) + by)} for row in rows if since <= int(row["ts"]) <= now - by - lasts]


async def bring(
    db: Database, folder: Path, dataset: str, rows: list[Row], names: Mapping[str, str], **values: str
) -> None:
    """Import rows as a file; every one is taken."""
    path = folder / f"{dataset}-{len(rows)}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    told = {"ts": "time", **names}
    how = options(dataset, columns=told.items(), values=values.items(), create_assets=True)
    answer = await import_files(db, dataset, [path], how)
    assert (answer.rejected_count, answer.received) == (0, len(rows)), answer.rejected[:3]


def liquidated(row: Row) -> Row:
    """A forced sale closes a long."""
    quantity = float(row["size_usd"]) / float(row["price"])
    told = {name: row[name] for name in ("ts", "venue", "coin", "price")}
    return {**told, "quantity": repr(quantity), "position": "long" if row["side"].upper().startswith("S") else "short"}


async def fill(db: Database, folder: Path) -> None:
    """Three days of seven exchanges and three coins, hours of minutes of SOL, and chains of options."""
    funding = moved(rows_of(MARKET, "funding_rates.csv.gz"), MARKET_ENDS)
    await bring(db, folder, "funding", funding, {**NAMES, "funding_rate": "rate"})
    await bring(db, folder, "open-interest", moved(rows_of(MARKET, "open_interest_1h.csv.gz"), MARKET_ENDS), NAMES)
    hours = moved(rows_of(MARKET, "candles_1h.csv.gz"), MARKET_ENDS, lasts=3_600_000)
    candles = [row for row in hours if row["venue"] != "okx"]
    await bring(db, folder, "candles", candles, {**NAMES, "volume": "volume_base"}, interval="1h")
    closed = [liquidated(row) for row in moved(rows_of(MARKET, "liquidations.csv.gz"), MARKET_ENDS, 1)][-300:]
    await bring(db, folder, "liquidations", closed, {**NAMES, "position": "side"})
    minutes = moved(rows_of(SOL, "okx_candles_1m.csv.gz"), SOL_ENDS, 0.5)
    okx = {"exchange": "okx", "instrument": "SOL-USDT-SWAP", "asset": "SOL"}
    await bring(db, folder, "candles", minutes, {"volume": "volume_base"}, **okx)
    await _options(db, folder)
    await rollup.refresh(db)


async def _options(db: Database, folder: Path) -> None:
    told = (row for row in rows_of(SNAPSHOTS, "BTC_options.csv.gz") if int(row["ts"]) >= OPTIONS_SINCE)
    chains = [row for row in told if abs(float(row["strike"]) / float(row["underlying"]) - 1) < NEAR]
    names = {"instrument_name": "instrument", "bid_price": "bid", "ask_price": "ask", "mark_price": "mark",
             "implied_volatility": "mark_iv", "delta": "", "vega": ""}  # fmt: skip
    await bring(db, folder, "options", chains, names, exchange="deribit")
