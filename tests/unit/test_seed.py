"""What the seeded entities, their aliases and the exchanges promise."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from app.services.names import base_of, split_multiplier

SEED = Path(__file__).parents[2] / "app" / "data"


def rows(name: str) -> list[dict[str, str]]:
    with (SEED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ENTITIES = {row["canonical_id"]: row for row in rows("entities.csv")}
SOURCE_IDS = rows("source_ids.csv")
ALIASES = {(row["source"], row["source_id_type"], row["source_id"]): row for row in SOURCE_IDS}
EXCHANGES = {row["slug"]: row for row in rows("exchanges.csv")}

TYPES = {"chain", "protocol", "token", "stablecoin", "equity", "index"}
SOURCES = {
    *("artemis", "defillama", "coingecko", "velo"),
    *("binance", "bybit", "okx", "hyperliquid", "deribit", "extended", "lighter"),
}
SPELLED_BY_COIN = {
    *("usdm_symbol", "linear_symbol", "instId", "coin", "ticker", "perpetual", "market", "symbol"),
}
FOUR = {"binance": "usdm_symbol", "bybit": "linear_symbol", "okx": "instId", "hyperliquid": "coin"}

LEADING = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "XRP": "ripple",
    "BNB": "binancecoin",
    "SOL": "solana",
    "DOGE": "dogecoin",
    "ADA": "cardano",
    "TRX": "tron",
    "LINK": "chainlink",
    "SUI": "sui",
    "AVAX": "avalanche-2",
    "LTC": "litecoin",
    "BCH": "bitcoin-cash",
    "TON": "the-open-network",
    "DOT": "polkadot",
    "NEAR": "near",
    "ARB": "arbitrum",
    "OP": "optimism",
    "SHIB": "shiba-inu",
    "HYPE": "hyperliquid",
}

SHARED = {
    "AI": {"artificial-inu-3", "sleepless-ai"},
    "BOB": {"bob-build-on-bitcoin", "build-on-bnb"},
    "CAT": {"simons-cat", "eq-cat"},
    "FRAX": {"frax", "frax-share"},
    "META": {"meta-2-2", "eq-meta"},
    "ON": {"local-on", "eq-on"},
    "PURR": {"purr-2", "eq-purr"},
    "VELO": {"velo", "velodrome-finance"},
}

MEANT = {
    ("binance", "1000PEPEUSDT"): ("pepe", 1000),
    ("bybit", "1000PEPEUSDT"): ("pepe", 1000),
    ("okx", "PEPE-USDT-SWAP"): ("pepe", 1),
    ("hyperliquid", "kPEPE"): ("pepe", 1000),
    ("binance", "1000SHIBUSDT"): ("shiba-inu", 1000),
    ("bybit", "SHIB1000USDT"): ("shiba-inu", 1000),
    ("binance", "1000SATSUSDT"): ("sats-ordinals", 1000),
    ("bybit", "10000SATSUSDT"): ("sats-ordinals", 10_000),
    ("binance", "1MBABYDOGEUSDT"): ("baby-doge-coin", 1_000_000),
    ("binance", "1000XUSDT"): ("x-empire", 1000),
    ("bybit", "1INCHUSDT"): ("1inch", 1),
    ("bybit", "0GUSDT"): ("zero-gravity", 1),
    ("hyperliquid", "2Z"): ("doublezero", 1),
    ("bybit", "4USDT"): ("local-4", 1),
    ("bybit", "METAUSDT"): ("eq-meta", 1),
    ("okx", "META-USDT-SWAP"): ("eq-meta", 1),
    ("binance", "ONUSDT"): ("local-on", 1),
    ("bybit", "ONUSDT"): ("eq-on", 1),
    ("bybit", "CATSTOCKUSDT"): ("eq-cat", 1),
    ("binance", "LUNAUSDT"): ("terra-luna", 1),
    ("binance", "LUNA2USDT"): ("terra-luna-2", 1),
    ("hyperliquid", "xyz:NVDA"): ("eq-nvda", 1),
    ("bybit", "SKHYNIXUSDT"): ("eq-skhynix", 1),
    ("hyperliquid", "xyz:SKHX"): ("eq-skhynix", 1),
    ("hyperliquid", "PURR"): ("purr-2", 1),
}


def symbols() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in ENTITIES.values():
        found[row["symbol"].upper()].add(row["canonical_id"])
    return found


def test_entities_are_many_unique_and_of_a_known_type() -> None:
    assert len(ENTITIES) == len(rows("entities.csv")) >= 500
    assert {row["type"] for row in ENTITIES.values()} == TYPES
    assert all(row["name"] and row["symbol"] for row in ENTITIES.values())
    assert all(key == key.lower() for key in ENTITIES)


def test_every_alias_is_of_an_entity_and_of_one_only() -> None:
    assert {row["canonical_id"] for row in SOURCE_IDS} <= ENTITIES.keys()
    assert {row["source"] for row in SOURCE_IDS} == SOURCES
    assert len(ALIASES) == len(SOURCE_IDS)


def test_no_two_aliases_differ_in_case_alone() -> None:
    folded = Counter((source, kind, alias.lower()) for source, kind, alias in ALIASES)
    assert [key for key, count in folded.items() if count > 1] == []


def test_an_exchange_uses_a_name_once_whatever_its_kind() -> None:
    folded = Counter((row["source"], row["source_id"].lower()) for row in SOURCE_IDS if row["source"] in EXCHANGES)
    assert [key for key, count in folded.items() if count > 1] == []


def test_a_multiplier_is_what_the_alias_spells() -> None:
    for row in SOURCE_IDS:
        base = base_of(row["source"], row["source_id"]) if row["source_id_type"] in SPELLED_BY_COIN else ""
        assert int(row["multiplier"]) == split_multiplier(base)[1], row


@pytest.mark.parametrize(("source", "alias"), MEANT)
def test_what_a_native_symbol_means(source: str, alias: str) -> None:
    row = ALIASES[source, FOUR[source], alias]
    assert (row["canonical_id"], int(row["multiplier"])) == MEANT[source, alias]


@pytest.mark.parametrize("symbol", LEADING)
def test_a_leading_coin_owns_its_symbol_and_trades_on_all_four(symbol: str) -> None:
    assert symbols()[symbol] == {LEADING[symbol]}
    assert FOUR.keys() <= {row["source"] for row in SOURCE_IDS if row["canonical_id"] == LEADING[symbol]}


@pytest.mark.parametrize("symbol", SHARED)
def test_a_symbol_that_several_entities_share(symbol: str) -> None:
    assert symbols()[symbol] == SHARED[symbol]


def test_no_symbol_is_the_canonical_id_of_a_better_known_coin() -> None:
    assert "BITCOIN" not in symbols()
    assert "ETHEREUM" not in symbols()


def test_a_share_is_never_filed_under_a_coin() -> None:
    for row in SOURCE_IDS:
        if row["source_id"].startswith("xyz:") or "STOCK" in row["source_id"]:
            assert ENTITIES[row["canonical_id"]]["type"] == "equity", row


def test_exchanges_have_a_fallback_interval() -> None:
    hours = {slug: int(row["funding_interval_hours"]) for slug, row in EXCHANGES.items()}
    assert len(hours) == len(rows("exchanges.csv"))
    assert {slug for slug in ("binance", "bybit", "okx") if hours[slug] == 8} == {"binance", "bybit", "okx"}
    assert all(hours[slug] == 1 for slug in ("hyperliquid", "deribit", "extended", "lighter", "kraken", "dydx"))
    assert set(hours.values()) <= {1, 2, 4, 6, 8}
    assert all(row["docs_url"].startswith("https://") for row in EXCHANGES.values())
