"""Look-ups of a backtest against a boolean filter of pandas per call, on the same settlements in memory."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from app.services.export_schema import FUNDING
from perpstore_client import Backtest
from tests.bench.report import Line

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS, ROUNDS, WANTED = 8760, 5, 500_000
EVERY = {"binance": 8, "bybit": 8, "okx": 8, "kucoin": 8, "deribit": 1, "hyperliquid": 1, "lighter": 1}
ASSETS = {"bitcoin": "BTC", "ethereum": "ETH", "solana": "SOL"}

Asked: TypeAlias = Sequence[tuple[datetime, str, str]]


def _settled() -> pd.DataFrame:
    """A year of settlements of three coins on seven exchanges."""
    noise = random.Random(4)
    rows = [
        (START + hour * HOUR, exchange, f"{ASSETS[asset]}USDT", asset, exchange, "settled", noise.gauss(0, 1e-4), every)
        for asset in ASSETS
        for exchange, every in EVERY.items()
        for hour in range(0, HOURS, every)
    ]
    names = ("time", "exchange", "instrument", "asset", "source", "kind", "rate", "interval_hours")
    return pd.DataFrame(rows, columns=list(names)).sort_values("time", ignore_index=True)


def _written(frame: pd.DataFrame, folder: Path) -> Path:
    """The same as an export writes it, in a folder of its own."""
    folder = folder / "backtest" / "funding"
    folder.mkdir(parents=True)
    told = {**{name: frame[name] for name in frame}, "interval_known": None, "for_time": None, "known_at": START}
    pq.write_table(pa.Table.from_pandas(pd.DataFrame(told), FUNDING, preserve_index=False), folder / "settled.parquet")
    return folder


def _asked(count: int) -> Asked:
    chance = random.Random(5)
    minutes = [chance.randrange(24 * 60, HOURS * 60) for _ in range(count)]
    who = [(chance.choice(list(EVERY)), chance.choice(list(ASSETS))) for _ in range(count)]
    return [(START + timedelta(minutes=m), exchange, asset) for m, (exchange, asset) in zip(minutes, who, strict=True)]


def _filtered(frame: pd.DataFrame) -> Callable[[datetime, str, str], float]:
    def look_up(ts: datetime, exchange: str, asset: str) -> float:
        known = frame[(frame.exchange == exchange) & (frame.asset == asset) & (frame.time <= ts)]
        last = known.iloc[-1]
        return last.rate * 8.0 / last.interval_hours

    return look_up


def _per_second(look_up: Callable[[datetime, str, str], Any], asked: Asked) -> float:
    began = time.perf_counter()
    for ts, exchange, asset in asked:
        look_up(ts, exchange, asset)
    return len(asked) / (time.perf_counter() - began)


def look_ups(folder: Path) -> list[Line]:
    """`Backtest.funding_rate` a second, read from files, and how many times that of the filter."""
    frame, many, few = _settled(), _asked(300_000), _asked(60)
    files = Backtest(_written(frame, folder)).load(START, START + HOURS * HOUR)
    filtered = _filtered(frame)
    if any(files.funding_rate(*asked) != filtered(*asked) for asked in few):
        raise RuntimeError("the two do not answer alike")
    rates = [(_per_second(files.funding_rate, many), _per_second(filtered, few)) for _ in range(ROUNDS)]
    ours, theirs = (median(rate) for rate in zip(*rates, strict=True))
    figures = f"{ours:,.0f} and {theirs:,.0f} look-ups/s, {len(frame):,} settlements"
    return [
        Line("backtest: look-ups ÷ a pandas boolean filter per call", ours / theirs, "at least 5", figures),
        Line("backtest: look-ups ÷ 500,000 a second", ours / WANTED, "at least 1", figures),
    ]
