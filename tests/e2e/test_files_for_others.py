"""Exported files as they lie, in the hands of DuckDB, Polars and pandas; and there and back by the real commands."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import pi
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from app.services.export_schema import MEANINGS, UNITS
from tests.conftest import ROOT, create_database, run_python
from tests.e2e.test_cli import Environment, document, run
from tests.e2e.test_cli_export import environment_of

DAY = datetime(2025, 1, 30, tzinfo=UTC)
HEAD = "time,exchange,instrument,asset,source,kind,rate,interval_hours,interval_known,for_time,known_at"
CONTRACTS = (("binance", "BTCUSDT", "BTC", 8), ("binance", "1000PEPEUSDT", "PEPE", 4), ("hyperliquid", "BTC", "BTC", 1))
COLUMNS, TIMES = HEAD.split(","), ("time", "for_time", "known_at")
FEBRUARY_US = round(datetime(2025, 2, 1, tzinfo=UTC).timestamp() * 1e6)


def told() -> str:
    """Settlements over a change of month, as told by two sources, and samples of what was to be paid."""
    lines = [HEAD]
    for exchange, instrument, asset, every in CONTRACTS:
        who = f"{exchange},{instrument},{asset}"
        for hour in range(0, 96, every):
            at, known = DAY + timedelta(hours=hour), DAY + timedelta(hours=hour, microseconds=123_457 + hour)
            rate = pi * 1e-6 * (hour - 40) / 3
            how = ("declared", "inferred", "assumed")[hour // every % 3]
            lines.append(f"{_stamp(at)},{who},{exchange},settled,{rate!r},{every},{how},,{_stamp(known)}")
            if every == 8:
                lines.append(f"{_stamp(at)},{who},velo,settled,{rate * 1.001!r},{every},{how},,{_stamp(known)}")
            sampled, due = at + timedelta(minutes=7, seconds=1), at + timedelta(hours=every)
            hours, due_at = ("", "") if hour % 3 else (every, _stamp(due))
            lines.append(f"{_stamp(sampled)},{who},{exchange},predicted,{rate!r},{hours},,{due_at},{_stamp(known)}")
    return "\n".join(lines)


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    return [tmp_path_factory.mktemp(name) for name in ("one", "other")]


@pytest.fixture(scope="module")
async def environments(server: str) -> Sequence[Environment]:
    """Those of two databases."""
    names = [f"perpstore_files_{name}_{os.getpid()}" for name in ("one", "other")]
    return [environment_of(await create_database(server, name)) for name in names]


@pytest.fixture(scope="module")
def exported(homes: Sequence[Path], environments: Sequence[Environment]) -> Path:
    """The folder that an export of all that was imported made."""
    (homes[0] / "rows.csv").write_text(told())
    answer = document(run(environments[0], "import", "funding", homes[0] / "rows.csv", "--json"))
    assert (answer["inserted"], answer["rejected"]) == (len(imported()), [])
    return _export(environments[0], homes[0])


def _export(environment: Environment, home: Path) -> Path:
    document(run(environment, "export", "funding", "--parquet", home / "out", "--json"))
    return home / "out"


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row whose times are whole microseconds of UTC and whose absent values (NaN and NaT too) are None."""
    there = [None if value != value else value for value in row]
    return tuple(round(value.timestamp() * 1e6) if isinstance(value, datetime) else value for value in there)


def _ordered(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return sorted(map(_plain, rows), key=repr)


def ask_duckdb(statement: str) -> list[list[Any]]:
    """Rows of a statement, from a process of its own."""
    done = run_python(
        "-c", "import duckdb, json, sys; print(json.dumps(duckdb.sql(sys.argv[1]).fetchall()))", statement
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_reader_finds_the_same_rows(exported: Path) -> None:
    expected, files = _ordered([list(row.values()) for row in imported()]), f"{exported}/**/*.parquet"
    asked = ", ".join(f"epoch_us({name}) as {name}" if name in TIMES else name for name in COLUMNS)
    ducks = ask_duckdb(f"select {asked}, month from read_parquet('{files}', hive_partitioning=true)")
    bears = pl.scan_parquet(files, hive_partitioning=True).select(*COLUMNS, "month").collect().rows()
    pandas = pd.read_parquet(exported / "funding")[[*COLUMNS, "month"]].astype(object).to_numpy().tolist()
    for found in (ducks, bears, pandas):
        assert _ordered([row[:-1] for row in found]) == expected
        assert {str(row[-1]) for row in found} == {"2025-01", "2025-02"}
        assert all(_plain(row)[0] < FEBRUARY_US for row in found if str(row[-1]) == "2025-01")


def imported() -> list[dict[str, Any]]:
    """What was told, typed as it is to come back: a predicted rate says nothing of how its interval is known."""
    coins = {"BTC": "bitcoin", "PEPE": "pepe"}
    found: list[dict[str, Any]] = []
    for line in told().splitlines()[1:]:
        row: dict[str, Any] = {k: v or None for k, v in zip(COLUMNS, line.split(","), strict=True)}
        row |= {name: datetime.fromisoformat(row[name]) for name in TIMES if row[name]}
        row |= {name: float(row[name]) for name in ("rate", "interval_hours") if row[name]}
        found.append({**row, "asset": coins[row["asset"]]})
    return found


def test_there_and_back_every_byte_is_the_same(
    exported: Path, homes: Sequence[Path], environments: Sequence[Environment]
) -> None:
    answer = document(run(environments[1], "import", "funding", exported / "funding", "--json"))
    assert (answer["received"], answer["inserted"], answer["rejected"]) == (len(imported()), len(imported()), [])
    again = _export(environments[1], homes[1])
    assert _digests(again) == _digests(exported)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.parquet"))
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_file_states_its_columns_and_assets(exported: Path) -> None:
    for path in exported.rglob("*.parquet"):
        stated = json.loads(pq.read_metadata(path).metadata[b"perpstore"])
        assert stated["facts"] == path.stem
        assert list(stated["columns"]) == pq.read_schema(path).names == COLUMNS
        assert stated["columns"]["rate"] == {"unit": UNITS["rate"], "meaning": MEANINGS["rate"]}
        assert stated["assets"] == (
            {"bitcoin": "BTC", "pepe": "PEPE"} if "binance" in str(path) else {"bitcoin": "BTC"}
        )
    told = f"select decode(value) from parquet_kv_metadata('{path}') where key = 'perpstore'"
    assert [json.loads(text) for (text,) in ask_duckdb(told)] == [stated]


@pytest.mark.parametrize("name", list(MEANINGS))
def test_the_page_has_every_column(name: str) -> None:
    page = (ROOT / "docs/how-to/export-and-query.md").read_text()
    unit = f" {UNITS[name]} " if name in UNITS else " "
    assert f"| `{name}` |{unit}| {MEANINGS[name]} |" in page
