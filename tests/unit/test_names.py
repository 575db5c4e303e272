"""Native symbols: every count prefix and every shape seen on the exchanges."""

import doctest

import pytest

from app.services import names
from app.services.names import base_of, split_multiplier

COUNTED = {
    "1000BONK": ("BONK", 1000),
    "1000BTT": ("BTT", 1000),
    "1000CAT": ("CAT", 1000),
    "1000CHEEMS": ("CHEEMS", 1000),
    "1000FLOKI": ("FLOKI", 1000),
    "1000LUNC": ("LUNC", 1000),
    "1000NEIROCTO": ("NEIROCTO", 1000),
    "1000PEPE": ("PEPE", 1000),
    "1000RATS": ("RATS", 1000),
    "1000SATS": ("SATS", 1000),
    "1000SHIB": ("SHIB", 1000),
    "1000TAG": ("TAG", 1000),
    "1000TOSHI": ("TOSHI", 1000),
    "1000TURBO": ("TURBO", 1000),
    "1000WHY": ("WHY", 1000),
    "1000X": ("X", 1000),
    "1000XEC": ("XEC", 1000),
    "10000LADYS": ("LADYS", 10_000),
    "10000NEX": ("NEX", 10_000),
    "10000NFT": ("NFT", 10_000),
    "10000SATS": ("SATS", 10_000),
    "10000WHY": ("WHY", 10_000),
    "1000000BABYDOGE": ("BABYDOGE", 1_000_000),
    "1000000BOB": ("BOB", 1_000_000),
    "1000000MOG": ("MOG", 1_000_000),
    "100000000AIDOGE": ("AIDOGE", 100_000_000),
    "1MBABYDOGE": ("BABYDOGE", 1_000_000),
    "1MCHEEMS": ("CHEEMS", 1_000_000),
    "SHIB1000": ("SHIB", 1000),
    "kBONK": ("BONK", 1000),
    "kDOGS": ("DOGS", 1000),
    "kFLOKI": ("FLOKI", 1000),
    "kLUNC": ("LUNC", 1000),
    "kNEIRO": ("NEIRO", 1000),
    "kPEPE": ("PEPE", 1000),
    "kSHIB": ("SHIB", 1000),
}

PLAIN = [
    *("BTC", "PEPE", "TURBO", "KAS", "KAITO", "KNC", "KSM", "KAVA", "K", "k", "kaito", "kpepe"),
    *("1INCH", "0G", "2Z", "4", "42", "A2Z", "B2", "C98", "1000", "1M", "1MIN", "100", "888", "100X"),
    *("SPX500m", "TECH100m", "US1000", "AI16Z", "BANANAS31", "BROCCOLI714", "BROCCOLIF3B", "HPOS10I"),
    *("kBTC", "kHYPE", "kUSD", "币安人生", ""),
]

SYMBOLS = {
    ("binance", "BTCUSDT"): "BTC",
    ("binance", "BTCUSDC"): "BTC",
    ("binance", "BNBBUSD"): "BNB",
    ("binance", "BNBUSD_PERP"): "BNB",
    ("binance", "BTCUSDT_261225"): "BTC",
    ("binance", "BTCUSD_210924"): "BTC",
    ("binance", "1000PEPEUSDT"): "1000PEPE",
    ("binance", "1MBABYDOGEUSDT"): "1MBABYDOGE",
    ("binance", "PERPUSDT"): "PERP",
    ("binance", "SUSDT"): "S",
    ("binance", "4USDT"): "4",
    ("binance", "USDCUSDT"): "USDC",
    ("binance", "btcusdt"): "BTC",
    ("binance", "币安人生USDT"): "币安人生",
    ("bybit", "BTCPERP"): "BTC",
    ("bybit", "SHIB1000PERP"): "SHIB1000",
    ("bybit", "10000SATSUSDT"): "10000SATS",
    ("bybit", "BTCUSDT-14AUG26"): "BTC",
    ("bybit", "BTC-29MAR24"): "BTC",
    ("bybit", "BTCUSD"): "BTC",
    ("bybit", "BNBUSD"): "BNB",
    ("bybit", "BTCUSDZ26"): "BTC",
    ("bybit", "CATSTOCKUSDT"): "CATSTOCK",
    ("bybit", "ETHBTCUSDT"): "ETHBTC",
    ("okx", "BTC-USDT-SWAP"): "BTC",
    ("okx", "BTC-USD_UM-SWAP"): "BTC",
    ("okx", "BTC-USD_UM_XPERP-310404"): "BTC",
    ("okx", "UNI-USD-SWAP"): "UNI",
    ("okx", "BTC-USD-220527"): "BTC",
    ("okx", "PERP-USDT-SWAP"): "PERP",
    ("hyperliquid", "BTC"): "BTC",
    ("hyperliquid", "kPEPE"): "kPEPE",
    ("hyperliquid", "xyz:NVDA"): "NVDA",
    ("hyperliquid", "USDC"): "USDC",
    ("hyperliquid", "@162"): "@162",
    ("hyperliquid", "PURR/USDC"): "PURR",
    ("hyperliquid-xyz", "xyz:SKHX"): "SKHX",
    ("deribit", "BTC-PERPETUAL"): "BTC",
    ("deribit", "SOL_USDC-PERPETUAL"): "SOL",
    ("deribit", "1000PEPE_USDC-PERPETUAL"): "1000PEPE",
    ("deribit", "BTC-27DEC24-100000-C"): "BTC",
    ("extended", "BTC-USD"): "BTC",
    ("extended", "4-USD"): "4",
    ("extended", "1000PEPE-USD"): "1000PEPE",
    ("extended", "SPX500m-USD"): "SPX500m",
    ("lighter", "EURUSD"): "EURUSD",
    ("lighter", "1000SHIB"): "1000SHIB",
    ("velo", "RAYDIUM"): "RAYDIUM",
    ("kraken", "PF_XBTUSD"): "BTC",
    ("kraken", "PI_ETHUSD"): "ETH",
    ("kraken", "FI_XBTUSD_261225"): "BTC",
    ("kraken", "PF_BNBUSD"): "BNB",
    ("bitmex", "XBTUSD"): "BTC",
    ("bitmex", "XRPU21"): "XRP",
    ("kucoin", "XBTUSDTM"): "BTC",
    ("kucoin", "XBTUSDM"): "BTC",
    ("kucoin", "ETHUSDCM"): "ETH",
    ("gate", "BTC_USDT"): "BTC",
    ("mexc", "SUSD_USDT"): "SUSD",
    ("htx", "btc-usdt"): "BTC",
    ("dydx", "BTC-USD"): "BTC",
    ("elsewhere", "BTC-PERP"): "BTC",
    ("elsewhere", "BTC-USD-PERP"): "BTC",
    ("elsewhere", "BTC/USDT:USDT"): "BTC",
    ("elsewhere", "BTC"): "BTC",
    ("elsewhere", "USDT"): "USDT",
}


@pytest.mark.parametrize("base", COUNTED)
def test_a_counted_base_is_split(base: str) -> None:
    assert split_multiplier(base) == COUNTED[base]


@pytest.mark.parametrize("base", PLAIN)
def test_a_plain_base_stays(base: str) -> None:
    assert split_multiplier(base) == (base, 1)


@pytest.mark.parametrize(("exchange", "symbol"), SYMBOLS)
def test_the_base_of_a_native_symbol(exchange: str, symbol: str) -> None:
    assert base_of(exchange, symbol) == SYMBOLS[exchange, symbol]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(names).failed == 0
