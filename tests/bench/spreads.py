"""The ranking of spreads over HTTP against its bare statement, and a year of the widest pair."""

from datetime import UTC, datetime, timedelta
from math import sin

from app.api.spreads_rows import RankedSpread, Spread
from app.db import Database
from app.records import Instrument
from app.services import reference, spreads
from app.services.fees import fee_table
from app.services.spreads import Contracts, Terms
from app.services.store import put
from tests.bench.load import http, side_by_side
from tests.bench.report import Line
from tests.bench.serving import ROUNDS, SECONDS, bare, served
from tests.db.facts import batch

HOUR = timedelta(hours=1)
ASSETS, DAYS, YEAR, FORGET = 300, 8, 365, "If-None-Match: nothing"
EXCHANGES = {"binance": 8, "bybit": 8, "okx": 8, "hyperliquid": 1, "deribit": 1, "kraken": 1, "dydx": 1}


async def _fill(db: Database, now: datetime) -> None:
    """Eight days of 300 assets on seven exchanges, and a year of BTC; open interest of this hour."""
    coins = [row["symbol"] for row in await db.reads.fetch(COINS, ASSETS)]
    for n, (exchange, step) in enumerate(EXCHANGES.items()):
        await reference.put_instruments(db, exchange, [Instrument(f"SPREAD-{coin}", coin, "USDT") for coin in coins])
        series = await reference.series_of(db, exchange, exchange)
        for k, coin in enumerate(coins):
            hours = 24 * (YEAR if coin == "BTC" else DAYS)
            times = [now - h * HOUR for h in range(hours) if (now - h * HOUR).hour % step == 0]
            to = series[f"SPREAD-{coin}"].id
            rows = [
                {"series_id": to, "ts": ts, "rate": 1e-5 * step * sin(m + n + k), "interval_hours": float(step)}
                for m, ts in enumerate(times)
            ]
            await put(db, "funding", [batch("funding", rows)])
        held = [{"series_id": to.id, "ts": now, "oi_usd": 1e6 * (n + 1)} for to in series.values()]
        await put(db, "open_interest", [batch("open_interest", held)])
    await db.reads.execute("analyze")


COINS = """
select symbol from entity e
where not exists (select from entity o where lower(o.symbol) = lower(e.symbol) and o.id <> e.id)
order by symbol <> 'BTC', id limit $1
"""


async def measure(db: Database, dsn: str) -> list[Line]:
    """Times over HTTP against those of the statement alone."""
    await db.reads.execute("truncate funding, open_interest, revision, latest, coin_1h, coin_1h_ready")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    await _fill(db, now)
    entity = await db.reads.fetchval("select id from entity where canonical_id = 'bitcoin'")
    ranked = spreads.ranking(Contracts(), datetime.now(UTC), Terms(fee_table("taker", (), {}), 0.01), trading=True)
    start = (now - YEAR * 24 * HOUR).replace(hour=0) + 24 * HOUR
    year = spreads.over_time(Contracts((entity,)), start, now - HOUR, HOUR, 8.0, "best")
    window = f"start={start:%Y-%m-%d}&end={now:%Y-%m-%dT%H:%M:%SZ}"
    asked = {
        f"ranking of {ASSETS} assets × {len(EXCHANGES)} exchanges": (ranked, RankedSpread, "/spreads?"),
        f"widest pair of {len(EXCHANGES)} exchanges, a year by the hour": (year, Spread, f"/spreads/BTC?{window}"),
    }
    lines: list[Line] = []
    with served(dsn) as address:
        for name, (query, row, path) in asked.items():
            rates = await side_by_side(
                ROUNDS,
                SECONDS,
                1,
                http=http(f"{address}{path}&limit=1000", FORGET),
                bare=bare(dsn, query, row, 1000, arrays=False),
            )
            figures = f"{1000 / rates['http']:.0f} and {1000 / rates['bare']:.0f} ms, 1 connection"
            lines.append(
                Line(f"{name}: time over HTTP ÷ the statement", rates["bare"] / rates["http"], "at most 3", figures)
            )
    return lines
