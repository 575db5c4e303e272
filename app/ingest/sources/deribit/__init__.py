"""Deribit: options, perpetuals and dated futures of BTC and ETH (inverse) and of other coins (linear, in USDC).

Answers are JSON-RPC in an envelope, errors too, with HTTP 400. Prices of inverse options are coins a coin, their sizes
coins; sizes of inverse perpetuals and futures are USD, of linear contracts coins. Funding is paid continuously and told
by the hour. Contracts of BTC and ETH in USDC are not collected, nor are combos and spot.
"""

from collections.abc import Mapping
from dataclasses import replace

from app.ingest import spec
from app.ingest.sources.deribit import candles, indexes, listing, live, options, perps
from app.ingest.sources.deribit.rest import BUDGETS, problem
from app.ingest.sources.deribit.trades import TRADES
from app.ingest.sources.deribit.words import Wanted, index_of, wanted

KEY = "DERIBIT_API_KEY"


def feeds(of: Wanted) -> tuple[spec.Feed, ...]:
    """What is asked of these coins, that often: one request a family of coins, one an index, the rest by instrument."""
    families, indices = of.families, [index_of(coin) for coin in of.coins]
    return (
        *(listing.instruments(family) for family in families),
        perps.FUNDING,
        *(perps.summaries("predicted_funding", family, perps.estimate, of.perpetual) for family in families),
        *(perps.summaries("open_interest", family, perps.interest, of.perpetual) for family in families),
        *candles.feeds(of.perpetual),
        perps.order_books(of.depth),
        *(options.chain(family, of.option) for family in families),
        *(options.all_greeks(family, of.greeks) for family in families),
        *(indexes.index_price(index, of.index) for index in indices),
        indexes.volatility_index(of.volatility_index),
        *(indexes.delivery_prices(index) for index in indices),
    )


def configured(source: spec.Source, words: Mapping[str, str]) -> spec.Source:
    """The source of the currencies and intervals in `words`. Raises ValueError, which names the setting.

    Who is `keyed` is told of trades and books as they change, others ten times a second.
    """
    if words.get("keyed") == "word":
        raise ValueError(f"{KEY} is not client_id:client_secret")
    of = wanted(words)
    return replace(source, feeds=feeds(of), sockets=live.sockets(of.coins, keyed="keyed" in words))


SOURCE = spec.Source(
    id="deribit",
    name="Deribit",
    base_url="https://www.deribit.com",
    budgets=BUDGETS,
    feeds=feeds(Wanted()),
    sockets=live.sockets(Wanted().coins, keyed=False),
    docs="https://docs.deribit.com",
    terms="https://support.deribit.com/hc/en-us/articles/25944532191645",
    key=KEY,
    key_required=False,
    problem=problem,
    trades=TRADES,
    configured=configured,
)
