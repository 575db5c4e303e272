"""`make bench`: every figure is a ratio of two things measured in turns in this one run, on this one machine."""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from app import embedded
from app.db import Database, connected, migrate
from app.services.seed import put_seed
from tests.bench import (
    backtest,
    collecting,
    dashboard,
    hours,
    importing,
    lookup,
    memory,
    minutes,
    options,
    predictions,
    serving,
    spreads,
    ticks,
)
from tests.bench.report import Line, show

Part = Callable[[Database, str, Path], Awaitable[list[Line]]]


async def _importing(db: Database, _dsn: str, _folder: Path) -> list[Line]:
    return [await importing.funding(db)]


async def _serving(db: Database, dsn: str, _folder: Path) -> list[Line]:
    return [*await serving.weighted(db, dsn), await serving.snapshot(db, dsn)]


async def _memory(_db: Database, _dsn: str, folder: Path) -> list[Line]:
    return [await asyncio.to_thread(memory.candles, folder)]


async def _backtest(_db: Database, _dsn: str, folder: Path) -> list[Line]:
    return await asyncio.to_thread(backtest.look_ups, folder)


PARTS: dict[str, Part] = {
    "importing": _importing,
    "serving": _serving,
    "spreads": lambda db, dsn, _: spreads.measure(db, dsn),
    "dashboard": lambda db, dsn, _: dashboard.measure(db, dsn),
    "predictions": lambda db, dsn, _: predictions.measure(db, dsn),
    "hours": lambda db, _dsn, _folder: hours.measure(db),
    "minutes": lambda db, dsn, _: minutes.measure(db, dsn),
    "collecting": lambda db, dsn, _: collecting.measure(db, dsn),
    "ticks": lambda db, dsn, _: ticks.measure(db, dsn),
    "lookup": lambda db, dsn, _: lookup.measure(db, dsn),
    "options": lambda db, dsn, _: options.measure(db, dsn),
    "memory": _memory,
    "backtest": _backtest,
}
"""In the order in which they are measured: some use what those before them stored."""


async def measure(dsn: str, folder: Path, names: Sequence[str]) -> list[Line]:
    """Benchmarks on one database server."""
    async with connected(dsn) as db:
        await migrate(db)
        await put_seed(db)
        return [line for name, part in PARTS.items() if name in names for line in await part(db, dsn, folder)]


def main() -> None:
    reader = argparse.ArgumentParser(
        prog="make bench", description=__doc__, epilog="One part: make bench ONLY=dashboard"
    )
    reader.add_argument("only", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all of them")
    names: list[str] = reader.parse_args().only or list(PARTS)
    if unknown := set(names) - set(PARTS):
        reader.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="perpstore-bench-") as name:
        folder = Path(name)
        os.environ.update(PERPSTORE_DATA_DIR=str(folder), PERPSTORE_SCHEDULER="off")
        os.environ.pop("DATABASE_URL", None)
        with embedded.running(folder) as cluster:
            lines = asyncio.run(measure(cluster.dsn, folder, names))
    show(lines)
    if "BENCH_JSON" in os.environ:
        Path(os.environ["BENCH_JSON"]).write_text(json.dumps([line.__dict__ for line in lines]), encoding="utf-8")


if __name__ == "__main__":
    main()
