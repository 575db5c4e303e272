"""How much memory an import of many candles takes: the whole process of the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.report import Line
from tests.conftest import SHARED

RECORDED = "datasets/hyperliquid_1m_allcoins_2025_07/candles_1m.parquet"
BOUND_MB = 300
# A child's peak counts what its parent held when it forked: so a parent that holds nothing.
SMALL_PARENT = """import resource, subprocess, sys
told = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True).stdout
print(told.strip(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, sep="\\n")"""
MAPPED = [
    "--map",
    "coin=asset",
    "--map",
    "ts=time",
    "--map",
    "volume=volume_base",
    "--set",
    "exchange=benchmark-candles",
]


def _made_up(path: Path) -> Path:
    """797,460 minutes of 115 coins in the shape of the recorded file."""
    minutes = 797_460 // 115 + 1
    coins = np.repeat([f"C{n}" for n in range(115)], minutes)
    ts = np.tile(1_753_084_800_000 + 60_000 * np.arange(minutes), 115)
    price = 100 + np.sin(np.arange(len(ts)))
    columns = {
        "coin": coins,
        "ts": ts,
        "open": price,
        "high": price + 1,
        "low": price - 1,
        "close": price,
        "volume": price,
    }
    pq.write_table(pa.table(columns).slice(0, 797_460), path, compression="zstd")
    return path


def candles(folder: Path) -> Line:
    """Peak memory of `perpstore import candles` beside a database that is already running."""
    recorded = SHARED / RECORDED
    path, kind = (recorded, "recorded") if recorded.exists() else (_made_up(folder / "candles.parquet"), "made up")
    command = [sys.executable, "-m", "app.cli", "import", "candles", str(path), *MAPPED, "--create-assets", "--json"]
    told = subprocess.run([sys.executable, "-c", SMALL_PARENT, *command], capture_output=True, text=True, check=True)
    answer, peak_kb = map(json.loads, told.stdout.splitlines())
    peak = peak_kb / 1024
    rows = answer["inserted"] + answer["updated"] + answer["unchanged"]
    return Line(
        f"import of {rows:,} candles ({kind}): peak memory ÷ {BOUND_MB} MB",
        peak / BOUND_MB,
        "below 1",
        f"{peak:,.0f} MB, {answer['rejected_count']} rejected",
    )
