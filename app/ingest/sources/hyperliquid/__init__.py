"""Hyperliquid perpetuals of the main market, margined in USDC.

All is asked for by POST to one path. Numbers are strings, times UTC milliseconds, quantities in units of the coin as
listed (of `kPEPE` thousands). A window includes both its ends and its rows ascend.
"""

from app.ingest import spec
from app.ingest.sources.hyperliquid.live import SOCKETS
from app.ingest.sources.hyperliquid.polls import POLLS
from app.ingest.sources.hyperliquid.rest import DOCS, FEEDS, MINUTE, problem

SOURCE = spec.Source(
    id="hyperliquid",
    name="Hyperliquid",
    base_url="https://api.hyperliquid.xyz",
    budgets={"weight": spec.Budget(1200, MINUTE)},
    feeds=FEEDS,
    sockets=SOCKETS,
    polls=POLLS,
    docs=DOCS,
    terms="https://app.hyperliquid.xyz/terms",
    problem=problem,
)
