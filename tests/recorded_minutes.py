"""Recorded minutes of several exchanges, imported as a user would."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import isclose
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.db import Database
from app.services.importing import import_files, options
from tests.conftest import shared
from tests.plain_minutes import Candle

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERPS, COINS, GAPS = "perp_candles_1m", "hyperliquid_1m_allcoins_2025_07", "spot_1m_with_gaps_2023_03"
KLINES = {"open_time": "time", "count": "trades", "volume": "volume_base", "quote_volume": "volume_usd",
          "taker_buy_volume": "buy_volume_base", "close_time": "", "taker_buy_quote_volume": "",
          "ignore": ""}  # fmt: skip
PLAIN = {"ts": "time", "time": "", "volume": "volume_base"}


class Recording(NamedTuple):
    """A file of one contract's minutes, and what its columns are here."""

    exchange: str
    asset: str
    file: str
    columns: Mapping[str, str] = PLAIN


RECORDINGS = (
    Recording("binance", "NEAR", f"{PERPS}/binance_NEARUSDT_1m_2025-09_klines_raw.csv.gz", KLINES),
    Recording("okx", "BTC", f"{PERPS}/okx_BTC-USDT-SWAP_1m_2026-01-01_2026-01-16.csv.gz"),
    Recording("hyperliquid", "CELO", f"{PERPS}/hyperliquid_CELO_1m_2025-07-21_2025-07-26.csv.gz"),
    Recording("hyperliquid", "ZORA", f"{PERPS}/hyperliquid_ZORA_1m_2025-07-21_2025-07-26.csv.gz"),
    Recording("kraken", "BTC", f"{GAPS}/kraken_BTCUSDC_1m.csv.gz", {**PLAIN, "trades": "trades"}),
)
COINS_READ = ("REZ", "MEME")
Told = dict[tuple[str, str], dict[datetime, Candle]]


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def time_of(ms: object) -> datetime:
    return EPOCH + timedelta(milliseconds=int(str(ms)))


def candle_of(row: Mapping[str, Any]) -> Candle:
    return Candle(*(float(row[name]) for name in ("open", "high", "low", "close", "volume")))


async def bring(db: Database, path: Path, names: Mapping[str, str], **values: str) -> None:
    """Import a file; every row of it is taken."""
    how = options("candles", columns=names.items(), values=values.items(), create_assets=True)
    answer = await import_files(db, "candles", [path], how)
    assert (answer.rejected_count, answer.inserted) == (0, answer.received)


async def bring_recording(db: Database, one: Recording) -> dict[datetime, Candle]:
    path = shared("datasets") / one.file
    await bring(db, path, one.columns, exchange=one.exchange, asset=one.asset)
    stamp = next(name for name, field in one.columns.items() if field == "time")
    return {time_of(row[stamp]): candle_of(row) for row in rows_of(path)}


async def bring_coins(db: Database, folder: Path, coins: Iterable[str]) -> Told:
    """Some coins of the file that has many."""
    whole = pq.read_table(shared(f"datasets/{COINS}") / "candles_1m.parquet")
    some = whole.filter(pc.field("coin").isin(list(coins)))
    pq.write_table(some, folder / "coins.parquet")
    await bring(db, folder / "coins.parquet", {**PLAIN, "coin": "asset"}, exchange="hyperliquid")
    told: Told = {}
    for row in some.to_pylist():
        told.setdefault(("hyperliquid", row["coin"]), {})[time_of(row["ts"])] = candle_of(row)
    return told


def ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def near(found: float | None, expected: float | None) -> bool:
    """Equal to 1e-9, or both absent."""
    if found is None or expected is None:
        return found is expected
    return isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
