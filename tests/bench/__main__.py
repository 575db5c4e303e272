"""`make bench`: every figure is a ratio of two things measured in turns in this one run, on this one machine."""

import asyncio
import json
import os
import tempfile
from pathlib import Path

from app import embedded
from app.db import connected, migrate
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


async def measure(dsn: str, folder: Path) -> list[Line]:
    """All benchmarks on one database server."""
    async with connected(dsn) as db:
        await migrate(db)
        await put_seed(db)
        lines = [await importing.funding(db)]
        lines += await serving.weighted(db, dsn)
        lines += [await serving.snapshot(db, dsn)]
        lines += await spreads.measure(db, dsn)
        lines += await dashboard.measure(db, dsn)
        lines += await predictions.measure(db, dsn)
        lines += await hours.measure(db)
        lines += await minutes.measure(db, dsn)
        lines += await collecting.measure(db, dsn)
        lines += await ticks.measure(db, dsn)
        lines += await lookup.measure(db, dsn)
        lines += await options.measure(db, dsn)
        lines += [await asyncio.to_thread(memory.candles, folder)]
    lines += await asyncio.to_thread(backtest.look_ups, folder)
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="perpstore-bench-") as name:
        folder = Path(name)
        os.environ.update(PERPSTORE_DATA_DIR=str(folder), PERPSTORE_SCHEDULER="off")
        os.environ.pop("DATABASE_URL", None)
        with embedded.running(folder) as cluster:
            lines = asyncio.run(measure(cluster.dsn, folder))
    show(lines)
    if "BENCH_JSON" in os.environ:
        Path(os.environ["BENCH_JSON"]).write_text(json.dumps([line.__dict__ for line in lines]), encoding="utf-8")


if __name__ == "__main__":
    main()
