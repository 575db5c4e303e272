"""Binance USD-margined futures.

Times are UTC milliseconds, other numbers strings, quantities in units of the base asset as listed (of `1000SHIB`
thousands). A window includes both its ends and its rows ascend. Intervals of funding come by a path of their own.
"""

from app.ingest import spec
from app.ingest.sources.binance.live import SOCKETS
from app.ingest.sources.binance.polls import POLLS
from app.ingest.sources.binance.rest import DOCS, FEEDS, MINUTE, MINUTES_5, problem

SOURCE = spec.Source(
    id="binance",
    name="Binance USD-M futures",
    base_url="https://fapi.binance.com",
    budgets={
        "weight": spec.Budget(2400, MINUTE, used_header="X-MBX-USED-WEIGHT-1M", clock_aligned=True),
        "funding": spec.Budget(500, MINUTES_5),
        "data": spec.Budget(1000, MINUTES_5),
    },
    feeds=FEEDS,
    sockets=SOCKETS,
    polls=POLLS,
    docs=DOCS,
    terms="https://www.binance.com/en/terms",
    problem=problem,
)
