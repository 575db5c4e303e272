"""OKX perpetual swaps, linear and inverse.

Every answer comes in an envelope, errors too, often with HTTP 200 and a `code` that is not "0". Numbers and times are
strings, what is missing is "". Quantities are contracts, but beside them stands a column in coins, which is read here.
Rows come newest first; `after` means older than, `before` newer than.
"""

from datetime import timedelta

from app.ingest import spec
from app.ingest.sources.okx.liquidations import LIQUIDATIONS
from app.ingest.sources.okx.live import SOCKETS
from app.ingest.sources.okx.polls import POLLS
from app.ingest.sources.okx.rest import DOCS, FEEDS, problem

# requests in 2 seconds; no header tells what is left, so half of them are made
ALLOWED = {
    "instruments": 20,
    "funding-rate": 20,
    "funding-rate-history": 10,
    "open-interest": 20,
    "open-interest-history": 5,
    "history-candles": 20,
    "mark-price": 10,
    "long-short-account-ratio-contract": 5,
    "liquidation-orders": 20,
}

SOURCE = spec.Source(
    id="okx",
    name="OKX",
    base_url="https://www.okx.com",
    budgets={path: spec.Budget(calls / 2, timedelta(seconds=2)) for path, calls in ALLOWED.items()},
    feeds=FEEDS,
    docs=DOCS,
    terms="https://www.okx.com/help/terms-of-service",
    sockets=SOCKETS,
    polls=(*POLLS, LIQUIDATIONS),
    problem=problem,
)
