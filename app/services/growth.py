"""How long the disk lasts: what is stored a day, what retention settles at, and when nothing is free any more."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk in bytes. `used` and `free` are less than `total` together where some is kept for the system."""

    total: int
    used: int
    free: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a database grows by, in bytes, and for how many days the disk lasts.

    `bytes_per_day` is of tables that are cut by time; None: no day of any has ended yet. `settles_at_bytes`: what the
    database comes to when retention drops as much as is stored; None: it goes on growing, or nobody can say yet.
    `full_in_days` None: never, or the disk or the growth is not known.
    """

    database_bytes: int
    bytes_per_day: float | None
    settles_at_bytes: float | None
    disk: Disk | None
    full_in_days: float | None


def disk_of(folder: Path | None) -> Disk | None:
    """The disk a folder is on; None: no folder is told, or there is none."""
    try:
        return Disk(*shutil.disk_usage(folder)) if folder else None
    except OSError:
        return None


def settled(bytes_per_day: float | None, kept_days: int | None, span_days: float) -> float | None:
    """What a table comes to whose rows are kept so long, a partition more as only whole ones go; None: for ever."""
    return bytes_per_day * (kept_days + span_days) if kept_days and bytes_per_day is not None else None


def forecast(tables: Iterable[Mapping[str, Any]], database_bytes: int, disk: Disk | None) -> Forecast:
    """Of tables as `storage.tables` gives them."""
    growing = [row for row in tables if row["bytes_per_day"] is not None]
    rates = [(row["bytes_per_day"], _days_to_settle(row)) for row in growing]
    per_day = sum(rate for rate, _ in rates) if growing else None
    settles = bool(growing) and all(rate == 0 or days is not None for rate, days in rates)
    more = sum(row["settles_at_bytes"] - row["bytes"] for row in growing if row["settles_at_bytes"] is not None)
    full = days_until(disk.free, rates) if disk else None
    return Forecast(database_bytes, per_day, database_bytes + more if settles else None, disk, full)


def _days_to_settle(row: Mapping[str, Any]) -> float | None:
    """After how many days a table is as large as it gets; None: it always gets larger."""
    if row["settles_at_bytes"] is None or not row["bytes_per_day"]:
        return None
    return max(0.0, (row["settles_at_bytes"] - row["bytes"]) / row["bytes_per_day"])


def days_until(free: float, rates: Iterable[tuple[float, float | None]]) -> float | None:
    """When `free` bytes are used up by growth of so many bytes a day, each for so many days (None: for ever)."""
    told, passed = list(rates), 0.0
    for until in sorted({days for _, days in told if days is not None}):
        rate = sum(rate for rate, days in told if days is None or days >= until)
        if rate * (until - passed) >= free:
            return passed + free / rate if rate else passed
        free, passed = free - rate * (until - passed), until
    rate = sum(rate for rate, days in told if days is None)
    return passed + free / rate if rate else None
