"""A page of estimates, each with its interval and what was paid, against a page of settlements."""

from datetime import UTC, datetime, timedelta
from math import sin

from app.db import Database
from app.records import Instrument
from app.services import reference
from app.services.store import put
from tests.bench.load import http, side_by_side
from tests.bench.report import Line
from tests.bench.serving import FORGET, ROUNDS, SECONDS, served
from tests.db.facts import batch

HOUR = timedelta(hours=1)
END, YEARS, DAYS = datetime(2026, 9, 1, tzinfo=UTC), 3, 29
EXCHANGES = {"binance": 8, "bybit": 8, "hyperliquid": 1}
FACTS = "funding, predicted_funding, open_interest, revision, latest, coin_1h, coin_1h_ready"


async def _fill(db: Database) -> None:
    """Three years of settlements of BTC, and 29 days of five-minute samples that tell no interval."""
    for n, (exchange, step) in enumerate(EXCHANGES.items()):
        await reference.put_instruments(db, exchange, [Instrument("TOLD", "BTC", "USDT")])
        to = (await reference.series_of(db, exchange, exchange))["TOLD"].id
        hours, samples = range(0, 365 * YEARS * 24, step), range(1, DAYS * 288)
        settled = [{"series_id": to, "ts": END - h * HOUR, "rate": 1e-5 * sin(h + n)} for h in hours]
        told = [{"series_id": to, "ts": END - m * HOUR / 12, "rate": 1e-5 * sin(m + n)} for m in samples]
        await put(db, "funding", [batch("funding", settled)])
        await put(db, "predicted_funding", [batch("predicted_funding", told)])
    await db.reads.execute("analyze")


async def measure(db: Database, dsn: str) -> list[Line]:
    """All of this module."""
    await db.reads.execute(f"truncate {FACTS}")
    await _fill(db)
    windows = {"predicted": f"start={END - DAYS * 24 * HOUR:%Y-%m-%d}", "settled": f"start={END.year - YEARS}-10-01"}
    with served(dsn) as address:
        paths = {
            kind: f"{address}/funding/BTC?kind={kind}&{start}&end={END:%Y-%m-%d}" for kind, start in windows.items()
        }
        calls = {kind: http(path, FORGET) for kind, path in paths.items()}
        rates = await side_by_side(ROUNDS, SECONDS, 1, **calls)
    return [
        Line(
            f"a page of 1,000 of {DAYS} days of estimates, {len(EXCHANGES)} exchanges: time ÷ a page of settlements",
            rates["settled"] / rates["predicted"],
            "at most 4",
            f"{1000 / rates['predicted']:.0f} and {1000 / rates['settled']:.0f} ms, 1 connection",
        )
    ]
