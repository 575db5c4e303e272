"""Bybit linear perpetuals (USDT and USDC) and dated futures.

Every answer comes in an envelope, errors too, with HTTP 200 and a `retCode` that is not 0. Numbers and times are
strings, quantities in units of the base coin as listed (of `1000PEPE` thousands). A window includes both its ends and
its rows come newest first.
"""

from datetime import timedelta

from app.ingest import spec
from app.ingest.sources.bybit.live import SOCKET
from app.ingest.sources.bybit.polls import POLLS
from app.ingest.sources.bybit.rest import FEEDS, problem

SOURCE = spec.Source(
    id="bybit",
    name="Bybit",
    base_url="https://api.bybit.com",
    budgets={"requests": spec.Budget(600, timedelta(seconds=5))},
    feeds=FEEDS,
    docs="https://bybit-exchange.github.io/docs/v5/intro",
    terms="https://help.bybit.com/hc/en-us/articles/360020645374-Terms-of-Service",
    sockets=(SOCKET,),
    polls=POLLS,
    problem=problem,
)
