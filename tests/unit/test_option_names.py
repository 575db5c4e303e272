"""What the names of options and indexes spell."""

import doctest
from datetime import UTC, datetime

import pytest

from app.services import option_names
from app.services.option_names import index_of, option_of

OPTIONS = {
    "BTC-27DEC24-100000-C": ("BTC", "BTC", "coin", datetime(2024, 12, 27, 8, tzinfo=UTC), 100000, "call", "btc_usd"),
    "ETH-2MAY26-1600-P": ("ETH", "ETH", "coin", datetime(2026, 5, 2, 8, tzinfo=UTC), 1600, "put", "eth_usd"),
    "XRP_USDC-21SEP26-1d325-C":
        ("XRP", "USDC", "stable", datetime(2026, 9, 21, 8, tzinfo=UTC), 1.325, "call", "xrp_usdc"),
    "BTC_USDC-29FEB28-0d5-P": ("BTC", "USDC", "stable", datetime(2028, 2, 29, 8, tzinfo=UTC), 0.5, "put", "btc_usdc"),
    "1000BONK_USDC-2OCT26-12-C":
        ("1000BONK", "USDC", "stable", datetime(2026, 10, 2, 8, tzinfo=UTC), 12, "call", "1000bonk_usdc"),
}  # fmt: skip
NONE = [
    "BTC-02MAY26-1600-P", "BTC-32MAY26-1600-P", "BTC-31FEB26-1600-P", "BTC-29FEB26-1600-P", "BTC-0MAY26-1600-P",
    "BTC-2MAI26-1600-P", "BTC-2MAY2026-1600-P", "BTC-2MAY26-1600", "BTC-2MAY26-1600-X", "BTC-2MAY26-0-C",
    "BTC-2MAY26-1.5-C", "BTC-2MAY26-d5-C", "BTC-2MAY26--5-C", "BTC-2MAY26-1600-C ", "BTC-PERPETUAL", "BTC-25DEC26",
    "BTC_USDC", "BTC-CS-19MAY26-70000_75000", "BTC-FS-25DEC26_PERP", "BTC-USD-241227-100000-C", "", "-2MAY26-1600-C",
    "BTC-٢MAY26-1600-C",
]  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_the_terms_of_an_option(name: str) -> None:
    terms = option_of(name)
    assert terms is not None
    told = (terms.base, terms.quote, terms.margin, terms.expires_at, terms.strike, terms.option_type, terms.price_index)
    assert told == OPTIONS[name]
    assert (terms.symbol, terms.kind) == (name, "option")
    assert option_of(name.lower()) == option_of(name.upper()) == terms


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_options_name(name: str) -> None:
    assert option_of(name) is None


def test_indexes() -> None:
    told = {name: index_of(name) for name in ("btc_usd", "SOL_USDC", "btc-dvol")}
    assert {name: terms and (terms.symbol, terms.base, terms.quote) for name, terms in told.items()} == {
        "btc_usd": ("btc_usd", "BTC", "USD"),
        "SOL_USDC": ("sol_usdc", "SOL", "USDC"),
        "btc-dvol": ("BTC-DVOL", "BTC", None),
    }
    assert index_of("BTC-PERPETUAL") is None


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(option_names).failed == 0
