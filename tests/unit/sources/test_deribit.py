"""What the settings make of Deribit, and what is taken from it at all."""

import pytest
from pydantic import TypeAdapter

from app.ingest.sources import load
from app.ingest.sources.deribit import SOURCE
from app.ingest.spec import Source
from tests.deribit_rows import asked, feeds


def every(source: Source) -> dict[str, float]:
    return {feed.dataset: feed.every.total_seconds() for feed in source.feeds}


def test_without_settings_there_are_bitcoin_and_ether() -> None:
    for words in ({}, {"currencies": " "}):
        source = load(["deribit"], lambda _, words=words: words)["deribit"]
        assert [(feed.dataset, asked(feed)) for feed in source.feeds] == [(f.dataset, asked(f)) for f in SOURCE.feeds]
    assert [asked(feed)["currency"] for feed in feeds(SOURCE, "instruments")] == ["BTC", "ETH"]
    assert len(SOURCE.feeds) == 19


def test_currencies_are_asked_by_themselves_or_together() -> None:
    source = SOURCE.configured(SOURCE, {"currencies": "eth,SOL,XRP,eth"})
    assert [asked(feed)["currency"] for feed in feeds(source, "instruments")] == ["ETH", "USDC"]
    assert [asked(feed)["index_name"] for feed in feeds(source, "delivery_prices")] == [
        "eth_usd",
        "sol_usdc",
        "xrp_usdc",
    ]


def test_intervals_are_set() -> None:
    assert {**every(SOURCE)} == {
        "instruments": 3600,
        "funding": 600,
        "predicted_funding": 60,
        "open_interest": 60,
        "candles_1m": 60,
        "candles_1h": 3600,
        "depth": 300,
        "option_chain": 60,
        "greeks": 3600,
        "index_price": 60,
        "volatility_index": 60,
        "delivery_prices": 3600,
    }
    words = {"perpetual_interval": "30", "option_interval": "10", "greeks_interval": "900", "index_interval": "5"}
    words |= {"volatility_index_interval": "120", "depth_interval": "600", "some_other": "x"}
    changed = every(SOURCE.configured(SOURCE, words))
    assert {name: seconds for name, seconds in changed.items() if seconds != every(SOURCE)[name]} == {
        "predicted_funding": 30,
        "open_interest": 30,
        "candles_1m": 30,
        "option_chain": 10,
        "greeks": 900,
        "index_price": 5,
        "volatility_index": 120,
        "depth": 600,
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CURRENCIES", "BTC,USDC"),
        ("CURRENCIES", "any"),
        ("CURRENCIES", "BTC ETH"),
        ("CURRENCIES", "B"),
        ("PERPETUAL_INTERVAL", "4"),
        ("OPTION_INTERVAL", "1m"),
        ("GREEKS_INTERVAL", "-60"),
        ("INDEX_INTERVAL", "0"),
        ("VOLATILITY_INDEX_INTERVAL", "60.5"),
        ("DEPTH_INTERVAL", "1e3"),
    ],
)
def test_a_bad_word_names_its_setting(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"PERPSTORE_DERIBIT_{name}: "):
        SOURCE.configured(SOURCE, {name.lower(): told})


def test_what_the_test_system_tells_is_refused() -> None:
    for body in ({"result": [], "testnet": True}, {"error": {"code": 10028, "message": "too_many"}, "testnet": True}):
        told = SOURCE.problem(200, body)
        assert told
        assert (told.trouble, told.code) == ("refused", "testnet")
    for feed in SOURCE.feeds:
        with pytest.raises(ValueError, match="testnet"):
            TypeAdapter(feed.answer).validate_python({"result": [], "testnet": True})
